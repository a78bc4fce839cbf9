"""Which account pays: the first route that fits says so at submission, and anew while a payout was never sent."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.utils.translation import gettext as _

from payouts import rules
from payouts.actions.errors import NotAllowedError, refuse_if
from payouts.actions.moves import Person, locked, move_one, ring_if_due
from payouts.models import ConfigurationAlteredError, EventName, Payout, Route
from payouts.models.sealed_sets import verified
from payouts.providers import payable, registry
from payouts.providers.payable import Obstacle
from payouts.rules import Standing
from payouts.states import Status

type Facts = dict[str, str | int]


def choose(payout: Payout, recipient: Mapping[str, object], routes: Iterable[Route]) -> Facts:
    """Set the payout's account, by the routes in force and its recipient in clear; returns the facts for its event.

    Where no route fits it is the default account, of which an event says nothing. A route's account is taken even
    where the settings name it no longer: the payout waits, and goes nowhere that nobody has chosen.
    """
    for route in sorted(routes, key=lambda route: route.position):
        if route.fits(payout, recipient):
            payout.provider = route.account
            return {"provider": route.account, "route": route.position}
    payout.provider = registry.default()
    return {}


def account_for(*, recipient: Mapping[str, object], amount: Decimal, currency: str, routes: Iterable[Route]) -> str:
    """The account that would pay what a person enters, by these routes; nothing is stored."""
    payout = Payout(amount=amount, currency=currency)
    choose(payout, recipient, routes)
    return payout.provider


def obstacle(payout: Payout, recipient: Mapping[str, object]) -> Obstacle | None:
    """What keeps the payout's account from paying it, by what its provider declares."""
    return payable.obstacle(payout.provider, recipient=recipient, amount=payout.amount, currency=payout.currency)


def route(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Have the routes in force choose the account of a payout that was never sent.

    Nobody names an account: what pays is what two people have confirmed. Raises NotAllowedError, also where the
    payout stays with its account, and where the new one could not pay it.
    """
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_route(payout, Standing(at=at, is_active=by.is_active)), payout)
        was = payout.provider
        recipient = payout.recipient_details
        try:
            facts = choose(payout, recipient, verified(Route.sealed_set))
        except ConfigurationAlteredError as error:
            raise NotAllowedError(str(error), payout) from error
        if payout.provider == was:
            words = {"account": was}
            raise NotAllowedError(_("The routes in force leave it with the account %(account)s.") % words, payout)
        if found := obstacle(payout, recipient):
            raise NotAllowedError(found.sentence, payout)
        facts |= {"provider": payout.provider, "was": was}
        move_one(payout, EventName.ROUTED, Status.PENDING, at=at, by=by, reason=reason, facts=facts)
        ring_if_due(payout)
    return payout
