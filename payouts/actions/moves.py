"""The one mover: nothing else changes a payout's status, and nobody outside `payouts.actions` calls it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import DateTimeField, Func
from django.utils.translation import gettext as _

from payouts import doorbell, trace, vault
from payouts.actions import archive, keys, move_lines, submitted
from payouts.actions.errors import (
    AlteredError,
    InvalidError,
    KeysChangeError,
    KeysError,
    NotAllowedError,
    NotFoundError,
    VersionError,
)
from payouts.database import rows
from payouts.database.storable import text_fault
from payouts.models import ApiClient, Attempt, Attention, Event, EventName, Payout, is_legal
from payouts.states import Status

log = structlog.get_logger(__name__)


type Person = User
type Actor = User | ApiClient

WORKER = "system:worker"
# So many payouts of a batch may have been altered by somebody. Where the seals of more do not fit, it is our fault.
FEW_ALTERED = 3
MOVED_FIELDS = (
    "status",
    "version",
    "approvals_required",
    "approvals_given",
    "sent_again_by",
    "held_at",
    "held_by",
    "attention",
    "scheduled_for",
    "release_at",
    "provider",
    "failure_code",
    "failure_message",
    "updated_at",
    "processed_at",
    "withdrawn_at",
    "due_at",
    "lease_token",
    "lease_holder",
    "lost_leases",
    "news_at",
    "unreadable_since",
    "waits_for",
    "waits_since",
    "event_head",
    "seal",
)


@dataclass(slots=True)
class Move:
    payout: Payout
    event: EventName
    to_status: Status
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    wait: "Wait | None" = None


@dataclass(frozen=True, slots=True)
class Wait:
    """With a move: why the worker does not call for it at once, and when it looks at it again."""

    reason: str
    until: datetime


def move_all(moves: Sequence[Move], *, at: datetime, actor: Actor | str, reason: str = "") -> None:
    """Move payouts, the only way there is: check the table, bump the version, write the event and the row, sealed.

    `actor` is a person, a client, or the name of what is neither. The rows are locked by the caller; the update holds
    for the version and status that were read, or for nothing.
    """
    if not moves:
        return
    was_status = [str(move.payout.status) for move in moves]
    was_since = [move.payout.updated_at for move in moves]
    events: list[Event] = []
    for move in moves:
        payout = move.payout
        from_status = payout.status if payout.version else None
        is_moved = from_status is not None and from_status != move.to_status
        if is_moved and not is_legal(move.event, str(from_status), move.to_status):
            raise NotAllowedError(_not_from(payout), payout)
        payout.status = move.to_status.value
        payout.version += 1
        payout.updated_at = at
        wait = move.wait
        payout.waits_for, payout.waits_since = (wait.reason, at) if wait else ("", None)
        if payout.status == Status.PENDING:
            payout.due_at = _due_at(payout, wait.until if wait else at)
        elif payout.status != from_status and payout.status not in (Status.PROCESSING, Status.UNKNOWN):
            payout.lease_token = None
            payout.lost_leases = 0  # of an attempt that has ended
            if payout.status != Status.PROCESSED:
                payout.news_at = None
            payout.due_at = at if payout.news_at and not payout.attention else None
        event = Event(
            payout=payout,
            seq=payout.version,
            event=move.event.value,
            from_status=from_status,
            to_status=payout.status,
            at=at,
            actor=actor_name(actor),
            person=actor if isinstance(actor, User) else None,
            reason=move.reason or reason,
            trace_id=trace.current.get() or payout.trace_id,
            facts=move.facts,
        )
        event.mac = payout.event_head = event.expected_mac(bytes(payout.event_head), payout.reference)
        payout.seal = payout.expected_seal()
        events.append(event)
    payouts = [move.payout for move in moves]
    if payouts[0]._state.adding:
        rows.insert(payouts, events)
        for payout in payouts:
            payout._state.adding = False
    else:
        rows.update(Payout, payouts, MOVED_FIELDS, was_status=was_status)
        rows.insert(events)
        counted = zip(payouts, map(submitted.is_counted, was_status), strict=True)
        changes = [(each, submitted.is_counted(each.status) - was) for each, was in counted]
        submitted.recount([(each, change) for each, change in changes if change])
    move_lines.when_committed(list(zip(events, was_since, strict=True)))


def renew_seals(payouts: Sequence[Payout], changed: str = "recipient") -> None:
    """Write the recipients, encrypted anew, or their masks, and new seals. The rows are locked, and their seals fit.

    No move: status, version and history stay as they are, and so do the clients' versions.
    """
    for payout in payouts:
        payout.seal = payout.expected_seal()
    rows.update(Payout, payouts, (changed, "seal"))


def _due_at(payout: Payout, at: datetime) -> datetime | None:
    """When the worker may take this pending payout; None while it waits for a person."""
    if not payout.is_approved or payout.held_at or payout.attention:
        return None
    return max(at, payout.not_before) if payout.not_before else at


def move_one(
    payout: Payout,
    event: EventName,
    to_status: Status,
    *,
    at: datetime,
    by: Actor | str,
    reason: str,
    facts: dict[str, Any] | None = None,
) -> None:
    move_all([Move(payout, event, to_status, facts or {})], at=at, actor=by, reason=checked_reason(reason))


def flagged(payout: Payout, problem: Attention, attempt: Attempt | None = None) -> Move:
    """Leave the payout to a person. One that was sent and not answered for becomes unknown.

    `attempt` is the one whose record the provider contradicts. A failed one that is being looked up is contradicted,
    whatever keeps it from being looked up: nothing less keeps one person from sending it again.
    """
    if payout.status == Status.FAILED and payout.due_at:
        problem = Attention.CONTRADICTED
        attempt = attempt or payout.attempts.latest("number")
    payout.attention = problem
    payout.lease_token = payout.due_at = None
    payout.lost_leases = 0  # counted anew when a person lets it go on
    payout.unreadable_since = None
    to_status = Status.UNKNOWN if payout.status == Status.PROCESSING else Status(payout.status)
    about = {"attempt": str(attempt.reference)} if attempt else {}
    return Move(payout, EventName.FLAGGED, to_status, {"attention": problem.value, **about})


def flag_one(
    payout: Payout, problem: Attention, *, at: datetime, by: Actor | str, reason: str, facts: dict[str, Any]
) -> None:
    flag = flagged(payout, problem)
    move_one(payout, flag.event, flag.to_status, at=at, by=by, reason=reason, facts=flag.facts | facts)


@contextmanager
def locked(
    payout_id: int, *, by: Actor | None = None, version: int | None = None
) -> Iterator[tuple[Payout, datetime]]:
    """The payout under its row lock, and the database's time, inside a transaction.

    An archived history is brought back. An API client finds its own payouts only. Raises NotFoundError, VersionError,
    AlteredError, and NotAllowedError where a process with a newer key has sealed it.
    """
    with transaction.atomic():
        payouts = Payout.objects.select_for_update(no_key=True).annotate(db_now=clock())
        if isinstance(by, ApiClient):
            payouts = payouts.in_api().filter(client=by)
        payout = payouts.filter(pk=payout_id).first()
        if payout is None:
            raise NotFoundError
        if version is not None and payout.version != version:
            raise VersionError
        if not vault.is_by_known_key(payout.seal):
            raise KeysChangeError(payout)
        if not payout.is_sealed:
            raise AlteredError
        archive.bring_back([payout])
        yield payout, db_now(payout)


def _not_from(payout: Payout) -> str:
    return _("The payout’s status is “%(status)s”, which does not allow this.") % {
        "status": Status(payout.status).label
    }


def ring_if_due(payout: Payout) -> None:
    if payout.due_at:
        doorbell.ring()


def checked_reason(text: str) -> str:
    """Raises InvalidError."""
    text = text.strip()
    if fault := text_fault(text):
        raise InvalidError({"reason": [fault]})
    return text


def actor_name(actor: Actor | str) -> str:
    match actor:
        case str():
            return actor
        case ApiClient():
            return f"client:{actor.name}"
        case _:
            return f"user:{actor.get_username()}"


def without_altered(payouts: list[Payout]) -> list[Payout]:
    """The payouts whose seal fits; the others are set aside, if they are few.

    Raises KeysError, and nothing is marked, when there are more than a few, or when the keys of this process are not
    those of the database: then the fault is ours.
    """
    altered = {payout.pk for payout in payouts if not payout.is_sealed}
    if altered:
        keys.require_fit()
        if len(altered) > FEW_ALTERED:
            raise KeysError(
                f"{len(altered)} of {len(payouts)} payouts do not fit their seals, payout {min(altered)} among them. "
                "Either this process is of another version than those that sealed them, or SQL changed them: nothing "
                "is marked and nothing is paid. Run manage.py audit; with --set-aside it leaves them to people."
            )
        log.error("payouts_altered_outside", payouts=sorted(altered))
        _set_aside(altered)
    return [payout for payout in payouts if payout.pk not in altered]


def set_aside_altered(payout_ids: Collection[int]) -> list[int]:
    """Set aside those of these payouts whose seals do not fit, however many, because a person has looked into it.

    Returns their ids. Raises KeysError where the keys of this process do not fit.
    """
    with transaction.atomic():
        payouts = list(Payout.objects.select_for_update(no_key=True).filter(pk__in=payout_ids).order_by("pk"))
        keys.require_fit()
        altered = [payout.pk for payout in payouts if not payout.is_sealed and payout.attention != Attention.ALTERED]
        _set_aside(altered)
    return altered


def _set_aside(payout_ids: Collection[int]) -> None:
    """Keep these from the worker. Without an event and a new seal, which would hide from the audit what is wrong."""
    Payout.objects.filter(pk__in=payout_ids).update(due_at=None, lease_token=None, attention=Attention.ALTERED)


def db_now(payout: Any) -> datetime:
    now: datetime = payout.db_now
    return now


def clock() -> Func:
    return Func(function="clock_timestamp", output_field=DateTimeField())
