"""People and clients hold, release, schedule, cancel, settle and retry payouts.

Each asks its rule in payouts.rules under the row's lock, and raises NotAllowedError or FourEyesError with the
sentence.
"""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from payouts import doorbell, rules, vault
from payouts.actions import recipient_keys
from payouts.actions.approvals import approvals_by_payout, payment_problem
from payouts.actions.errors import NotAllowedError, VersionError, refuse_if
from payouts.actions.moves import Actor, Person, locked, move_one, ring_if_due
from payouts.models import ApiClient, Attention, EventName, Payout, stamp
from payouts.rules import Standing
from payouts.states import Status

ALIKE_SHOWN = 5


def hold(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Keep a pending payout from being paid until it is released."""
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_hold(payout, _standing(by, at)), payout)
        payout.held_at, payout.held_by = at, by
        move_one(payout, EventName.HELD, Status.PENDING, at=at, by=by, reason=reason)
    return payout


def release(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Let a held payout, or one that needed attention, go on; one whose outcome is unknown is looked up again."""
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_release(payout, rules.standing(payout, by, at=at)), payout)
        payout.held_at = payout.held_by = None
        _let_go(payout, at=at, by=by, reason=reason)
    return payout


def clear_flag(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Clear the flag of a payout that is not under way. No money moves; if news came since, the provider is asked."""
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_clear_flag(payout, _standing(by, at)), payout)
        _let_go(payout, at=at, by=by, reason=reason)
    return payout


def _let_go(payout: Payout, *, at: datetime, by: Person, reason: str) -> None:
    payout.attention = Attention.NONE
    if payout.erasure:
        payout.news_at = None  # the provider cannot be asked about it, so whoever let it go has looked into it
    if payout.status == Status.UNKNOWN or (payout.status in (Status.PROCESSED, Status.FAILED) and payout.news_at):
        payout.due_at = at
    move_one(payout, EventName.RELEASED, Status(payout.status), at=at, by=by, reason=reason)
    ring_if_due(payout)


def schedule(
    payout_id: int, *, by: Actor, scheduled_for: datetime | None, reason: str = "", version: int | None = None
) -> Payout:
    """Pay not before this time; None means as soon as it may be paid."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        refuse_if(rules.why_not_schedule(payout, _standing(by, at)), payout)
        payout.scheduled_for = scheduled_for
        facts = {"scheduled_for": stamp(scheduled_for)}
        move_one(payout, EventName.SCHEDULED, Status.PENDING, at=at, by=by, reason=reason, facts=facts)
        ring_if_due(payout)
    return payout


def cancel(payout_id: int, *, by: Actor, reason: str = "", version: int | None = None) -> Payout:
    """Stop a pending payout for good. A client can cancel its own only."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        refuse_if(rules.why_not_cancel(payout, _standing(by, at)), payout)
        move_one(payout, EventName.CANCELLED, Status.CANCELLED, at=at, by=by, reason=reason)
    return payout


def withdraw(payout_id: int, *, by: ApiClient, version: int | None = None) -> Payout:
    """Take a payout out of the API; a pending one is cancelled with it. The back office keeps it."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        refuse_if(rules.why_not_withdraw(payout, _standing(by, at)), payout)
        payout.withdrawn_at = at
        to_status = Status.CANCELLED if payout.status == Status.PENDING else Status(payout.status)
        move_one(payout, EventName.WITHDRAWN, to_status, at=at, by=by, reason="")
    return payout


def settle(payout_id: int, *, by: Actor, reason: str = "", version: int | None = None) -> Payout:
    """Record that a pending payout was paid by hand, outside. It must be free to go, like any other payment."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        refuse_if(rules.why_not_settle(payout, _standing(by, at)), payout)
        if problem := payment_problem(payout, approvals_by_payout([payout])):
            raise NotAllowedError(_("The payout needs attention: %(problem)s.") % {"problem": problem.label}, payout)
        payout.processed_at = at
        move_one(payout, EventName.SETTLED, Status.PROCESSED, at=at, by=by, reason=reason)
    return payout


def retry(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Send a failed payout again: its attempt was definitely refused, so the next one has a new key.

    If newer payouts look like it, somebody may have paid it so: then another person must approve it.
    """
    with recipient_keys.held(payout_id) as key_id, locked(payout_id, version=version) as (payout, at):
        if vault.key_named(payout.recipient) != key_id:  # it was put under a key of its own just now
            raise VersionError
        refuse_if(rules.why_not_retry(payout, _standing(by, at)), payout)
        payout.failure_code = payout.failure_message = ""
        facts: dict[str, Any] = {}
        if newer := newer_alike(payout):
            payout.approvals_required += 1
            payout.sent_again_by = by
            facts = {"newer": newer, "approvals_required": payout.approvals_required}
        move_one(payout, EventName.RETRIED, Status.PENDING, at=at, by=by, reason=reason, facts=facts)
        ring_if_due(payout)
    return payout


def newer_alike(payout: Payout) -> list[int]:
    """The ids of newer payouts of the same client, recipient, amount and currency that pay, or have paid."""
    alike = Payout.objects.filter(
        recipient_index=payout.recipient_index,
        client=payout.client_id,
        amount=payout.amount,
        currency=payout.currency,
        pk__gt=payout.pk,
    ).exclude(status__in=(Status.CANCELLED, Status.REJECTED))
    return list(alike.order_by("-pk").values_list("pk", flat=True)[:ALIKE_SHOWN])


def ask_now(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Have the provider asked at once what became of a payout that was sent."""
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_ask_now(payout, _standing(by, at)), payout)
        payout.attention = Attention.NONE
        payout.due_at = at
        move_one(payout, EventName.ASKED, Status(payout.status), at=at, by=by, reason=reason)
        doorbell.ring()
    return payout


def _standing(by: Actor, at: datetime) -> Standing:
    """A Standing for rules that do not ask who made the payout."""
    return Standing(at=at, is_active=isinstance(by, ApiClient) or by.is_active)
