"""People and clients hold, release, schedule, cancel, settle and retry payouts, and look at recipients."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from payouts import doorbell, vault
from payouts.actions.approvals import approvals_by_payout, payment_problem, unreadable
from payouts.actions.errors import NotAllowedError
from payouts.actions.moves import Actor, Person, check_move, locked, move_one
from payouts.actions.news import UNANSWERED
from payouts.actions.resolutions import asked_just_now
from payouts.models import ApiClient, Attention, EventName, Payout, stamp
from payouts.states import WITHDRAWABLE, Status


def hold(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Keep a pending payout from being paid until it is released."""
    with locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be held."), payout)
        if payout.held_at:
            raise NotAllowedError(_("The payout is on hold already."), payout)
        payout.held_at, payout.held_by = at, by
        move_one(payout, EventName.HELD, Status.PENDING, at=at, by=by, reason=reason)
    return payout


def release(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Let a held payout, or one that needed attention, go on; one whose outcome is unknown is looked up again."""
    with locked(payout_id, version=version) as (payout, at):
        is_held = payout.held_at and payout.status == Status.PENDING
        if not (is_held or payout.attention):
            raise NotAllowedError(_("The payout is not on hold."), payout)
        payout.held_at = payout.held_by = None
        payout.attention = Attention.NONE
        if payout.status == Status.UNKNOWN or (payout.status == Status.PROCESSED and payout.news_at):
            payout.due_at = at
        move_one(payout, EventName.RELEASED, Status(payout.status), at=at, by=by, reason=reason)
        if payout.due_at:
            doorbell.ring()
    return payout


def schedule(
    payout_id: int, *, by: Actor, scheduled_for: datetime | None, reason: str = "", version: int | None = None
) -> Payout:
    """Pay not before this time; None means as soon as it may be paid."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be scheduled."), payout)
        payout.scheduled_for = scheduled_for
        facts = {"scheduled_for": stamp(scheduled_for)}
        move_one(payout, EventName.SCHEDULED, Status.PENDING, at=at, by=by, reason=reason, facts=facts)
        if payout.due_at:
            doorbell.ring()
    return payout


def cancel(payout_id: int, *, by: Actor, reason: str = "", version: int | None = None) -> Payout:
    """Stop a pending payout for good. A client can cancel its own only."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        check_move(payout, Status.CANCELLED)
        move_one(payout, EventName.CANCELLED, Status.CANCELLED, at=at, by=by, reason=reason)
    return payout


def withdraw(payout_id: int, *, by: ApiClient, version: int | None = None) -> Payout:
    """Take a payout out of the API; a pending one is cancelled with it. The back office keeps it."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        if payout.status not in WITHDRAWABLE:
            raise NotAllowedError(
                _("A payout can be withdrawn while it is pending, or when it was cancelled or rejected."),
                payout,
            )
        payout.withdrawn_at = at
        to_status = Status.CANCELLED if payout.status == Status.PENDING else Status(payout.status)
        move_one(payout, EventName.WITHDRAWN, to_status, at=at, by=by, reason="")
    return payout


def settle(payout_id: int, *, by: Actor, reason: str = "", version: int | None = None) -> Payout:
    """Record that a pending payout was paid by hand, outside. It must be free to go, like any other payment."""
    with locked(payout_id, by=by, version=version) as (payout, at):
        check_move(payout, Status.PROCESSED)
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be settled by hand."), payout)
        if not payout.is_approved:
            raise NotAllowedError(_("The payout still waits for approvals."), payout)
        if payout.held_at or payout.attention:
            raise NotAllowedError(_("The payout is on hold."), payout)
        if problem := payment_problem(payout, approvals_by_payout([payout])):
            raise NotAllowedError(_("The payout needs attention: %(problem)s.") % {"problem": problem.label}, payout)
        payout.processed_at = at
        move_one(payout, EventName.SETTLED, Status.PROCESSED, at=at, by=by, reason=reason)
    return payout


def retry(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Send a failed payout again: its attempt was definitely refused, so the next one has a new key."""
    with locked(payout_id, version=version) as (payout, at):
        check_move(payout, Status.PENDING)
        if payout.attention:
            raise NotAllowedError(_("The payout needs attention first: see why, then release it."), payout)
        payout.failure_code = payout.failure_message = ""
        move_one(payout, EventName.RETRIED, Status.PENDING, at=at, by=by, reason=reason)
        if payout.due_at:
            doorbell.ring()
    return payout


def ask_now(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Have the provider asked at once what became of a payout that was sent. Raises NotAllowedError."""
    with locked(payout_id, version=version) as (payout, at):
        is_sent = payout.status in (Status.PROCESSING, Status.UNKNOWN)
        if not is_sent or payout.attention not in (Attention.NONE, *UNANSWERED):
            raise NotAllowedError(_("There is nothing to ask the provider about this payout now."), payout)
        if payout.lease_token and payout.due_at and payout.due_at > at:
            raise asked_just_now(payout)
        payout.attention = Attention.NONE
        payout.due_at = at
        move_one(payout, EventName.ASKED, Status(payout.status), at=at, by=by, reason=reason)
        doorbell.ring()
    return payout


def reveal(payout_id: int, *, by: Actor, reason: str) -> dict[str, Any]:
    """The recipient in clear, and an event that says who saw it and why."""
    with locked(payout_id, by=by) as (payout, at):
        try:
            recipient = payout.recipient_details
        except vault.UnreadableError as error:
            raise unreadable(payout) from error
        move_one(payout, EventName.REVEALED, Status(payout.status), at=at, by=by, reason=reason)
    return recipient
