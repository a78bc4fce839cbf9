"""Proposals about velocity limits, and to let one payout go over them."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import money, rules
from payouts.actions import velocity, waits
from payouts.configuration.errors import ConfigurationError
from payouts.configuration.proposals import confirm, propose
from payouts.configuration.subjects import Act, Content, Line, ModelSubject, Subject, register
from payouts.models import LET_GO, WAITS_FOR_LIMIT, Payout, Proposal, VelocityLimit
from payouts.states import Status

WITHOUT_DUAL_CONTROL = "DUAL_CONTROL=off"


@register
class VelocityLimitSubject(ModelSubject):
    name = "velocity_limit"
    model = VelocityLimit
    fields = ("scope", "currency", "window", "amount", "count")
    acts = (Act.ADD, Act.CHANGE, Act.DELETE)

    def apply(self, proposal: Proposal, instance: VelocityLimit | None) -> VelocityLimit | None:
        made: VelocityLimit | None = super().apply(proposal, instance)
        for currency in {each["currency"] for each in (proposal.before, proposal.after) if each}:
            waits.end_over_limit(currency)
        return made

    def is_safe(self, proposal: Proposal) -> bool:
        """A new limit, and a lower one."""
        before, after = proposal.before, proposal.after
        if proposal.act == Act.ADD:
            return True
        return (
            proposal.act == Act.CHANGE
            and all(before[name] == after.get(name) for name in ("scope", "currency", "window"))
            and all(_is_no_higher(before[name], after.get(name)) for name in ("amount", "count"))
        )


def _is_no_higher(before: str | int | None, after: str | int | None) -> bool:
    """None is no limit at all."""
    return before is None or (after is not None and Decimal(after) <= Decimal(before))


@register
class LetGoSubject(Subject):
    """One payout is sent over the velocity limits: as it is now, its next attempt alone, within 72 hours."""

    name = LET_GO
    label = gettext_lazy("payout over a velocity limit")

    def permissions(self, act: str) -> tuple[str, ...]:
        return ("payouts.view_payout", "payouts.approve_payout")

    def find(self, object_id: str) -> Payout | None:
        if not object_id:
            return None
        return Payout.objects.select_for_update(no_key=True).filter(pk=object_id).first()

    def snapshot(self, instance: Payout) -> Content:
        return velocity.terms_let_go(instance)

    def title(self, proposal: Proposal, instance: Payout) -> str:
        return f"#{instance.pk} {money.shown(instance.amount, instance.currency)}"

    def check(self, proposal: Proposal, instance: Payout | None, *, by: User | None) -> None:
        if instance is None:
            raise ConfigurationError(_("There is no such payout."))
        if obstacle := why_not_let_go(instance, by):
            raise ConfigurationError(obstacle)

    def apply(self, proposal: Proposal, instance: Payout) -> Payout:
        waits.end(instance.pk)
        return instance

    def lines(self, before: Content, after: Content) -> list[Line]:
        return [Line(_("Velocity limits"), _("it waits for room"), _("it goes over them, once"))]


def why_not_let_go(payout: Payout, by: User | None) -> str:
    """Why this person can neither propose nor confirm it; the server is no person."""
    if not payout.is_sealed:
        return rules.altered()
    if payout.status != Status.PENDING or not payout.waits_for.startswith(WAITS_FOR_LIMIT):
        return _("This payout does not wait for a velocity limit.")
    if by and rules.is_close(payout, by):
        return _("You made this payout, or could have: others must decide to send it over the limit.")
    return ""


def let_go(payout_id: int, *, by: User, reason: str) -> Proposal:
    """Propose to send a payout that waits for a velocity limit; another person confirms. Raises ConfigurationError.

    While DUAL_CONTROL is off, one person is enough.
    """
    after: dict[str, Any] = {"over_limits": True}
    proposal = propose(LET_GO, payout_id, after, by=by, reason=reason)
    return proposal if settings.DUAL_CONTROL else confirm(proposal.pk, on_server=WITHOUT_DUAL_CONTROL)
