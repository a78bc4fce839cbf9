"""Every invariant, checked over the whole database: what constraints cannot say, and what SQL by hand may have done.

Streams payouts in batches of BATCH, so memory does not grow with their number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from itertools import chain, pairwise

from django.db import connection

from payouts import money, references, rules, vault
from payouts.database.snapshot import snapshot
from payouts.models import Approval, Attempt, Attention, Event, EventName, Payout, by_payout
from payouts.states import PAID, Stage, Status, allows

BATCH = 1_000
AWAITED_BY_WORKER = (Stage.READY, Stage.SCHEDULED, Stage.PROCESSING, Stage.UNKNOWN)
ENDS = (EventName.SUCCEEDED, EventName.REFUSED, EventName.RESOLVED, EventName.RECONCILED)
# The one end that may follow another: a refusal turned out to have been a payment.
PAID_AFTER_ALL = [Attempt.Outcome.REFUSED, Attempt.Outcome.SUCCEEDED]
# What PostgreSQL says of each guard (pg_get_triggerdef), with its schema left out.
GUARDS = {
    "payout_never_deleted": "BEFORE DELETE OR TRUNCATE ON payouts_payout FOR EACH STATEMENT payouts_refuse_change()",
    "event_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_event FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "approval_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON payouts_approval FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "approval_maker_is_not_checker": "BEFORE INSERT ON payouts_approval FOR EACH ROW payouts_refuse_maker()",
    "attempt_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_attempt FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "attempt_key_is_fixed": "BEFORE UPDATE ON payouts_attempt FOR EACH ROW payouts_refuse_other_key()",
    "installation_namespace_is_fixed": (
        "BEFORE UPDATE ON payouts_installation FOR EACH ROW payouts_refuse_other_namespace()"
    ),
    "installation_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_installation FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "recovery_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_recovery FOR EACH STATEMENT payouts_refuse_change()"
    ),
    "unknown_payment_never_deleted": (
        "BEFORE DELETE OR TRUNCATE ON payouts_unknownpayment FOR EACH STATEMENT payouts_refuse_change()"
    ),
}
# Their functions must be those of the migrations that made them, the last of each.
GUARDS_SOURCES = tuple(
    f"payouts.migrations.{name}"
    for name in ("0002_guards", "0004_late_truths", "0007_installation", "0013_sent_again")
)


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken invariant of one payout; without a payout it is the database's own guard that is missing."""

    payout_id: int | None
    invariant: str
    detail: str


def broken_invariants() -> Iterator[Broken]:
    """All that is wrong, payout by payout in the order of their ids."""
    yield from missing_guards()
    for _last_id, broken in batches():
        yield from broken


def batches(after_id: int = 0) -> Iterator[tuple[int, list[Broken]]]:
    """What is wrong with the payouts beyond that id, a batch at a time, each with the last id that it looked at."""
    last_id = after_id
    while True:
        with snapshot():
            payouts = list(Payout.objects.filter(pk__gt=last_id).order_by("pk")[:BATCH])
            broken = broken_of(payouts)
        if not payouts:
            return
        last_id = payouts[-1].pk
        yield last_id, broken


def broken_of(payouts: list[Payout]) -> list[Broken]:
    """What is wrong with these payouts, which were read in the same snapshot, or are locked."""
    events = by_payout(Event.objects.filter(payout__in=payouts).order_by("payout_id", "seq"))
    attempts = by_payout(Attempt.objects.filter(payout__in=payouts).order_by("payout_id", "number"))
    close_since = rules.close_since({payout.client_id for payout in payouts if payout.client_id})
    approvals = by_payout(Approval.objects.filter(payout__in=payouts).select_related("attempt").order_by("pk"))
    return [
        Broken(payout.pk, invariant, detail)
        for payout in payouts
        for invariant, detail in chain(
            _row(payout),
            _history(payout, events[payout.pk]),
            _keys(payout, attempts[payout.pk]),
            _money(payout, events[payout.pk], attempts[payout.pk]),
            _eyes(payout, events[payout.pk], approvals[payout.pk], close_since),
        )
    ]


type Finding = tuple[str, str]


def missing_guards() -> Iterator[Broken]:
    source = "".join(import_module(name).FUNCTIONS for name in GUARDS_SOURCES)
    bodies = dict(re.findall(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(\).*?AS \$\$(.*?)\$\$", source, re.DOTALL))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT tgname, regexp_replace(pg_get_triggerdef(t.oid), 'ON [^ .]+[.]', 'ON '), proname, prosrc
            FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid
            WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal
            """
        )
        found = {
            (name, text.replace("EXECUTE FUNCTION ", "")): (function, body)
            for name, text, function, body in cursor.fetchall()
        }
    for name, text in GUARDS.items():
        there = found.get((name, f"CREATE TRIGGER {name} {text}"))
        if there is None:
            yield Broken(None, "database_guard", f"the trigger {name} is missing or disabled")
        elif there not in bodies.items():
            yield Broken(None, "database_guard", f"the function of the trigger {name} is another one")


def _row(payout: Payout) -> Iterator[Finding]:
    """The row is what was submitted, and nobody but payouts.actions has written it."""
    if not payout.is_sealed:
        yield "row_sealed", "the row was changed outside payouts.actions"
    try:
        if payout.terms != bytes(payout.terms_hash):
            yield "terms_unchanged", "the amount, the currency or the recipient is not what was submitted"
    except vault.UnreadableError:
        yield "recipient_readable", "the recipient cannot be decrypted"
    try:
        money.exact(payout.amount, payout.currency)
    except money.AmountError as error:
        yield "amount_exact", str(error)
    if payout.due_at is None and not payout.attention and payout.stage in AWAITED_BY_WORKER:
        yield "open_is_due", f"{payout.stage}, but the worker would never look at it"
    if payout.due_at is None and not payout.attention and payout.news_at:
        yield "news_is_due", "the provider has news of it, but the worker would never ask"


def _history(payout: Payout, events: list[Event]) -> Iterator[Finding]:
    """Gapless, legal and unbroken, and it ends where the row stands."""
    if [event.seq for event in events] != list(range(1, payout.version + 1)):
        yield "events_gapless", f"{len(events)} events do not count up to version {payout.version}"
    previous = b""
    for event in events:
        if bytes(event.mac) != event.expected_mac(previous, payout.reference, like=event.mac):
            yield "events_chained", f"event {event.seq} was changed, or the one before it"
            break
        previous = bytes(event.mac)
    else:
        if previous != bytes(payout.event_head):
            yield "events_chained", "the last event is not the one that the row names"
    for before, event in pairwise(events):
        if event.from_status != before.to_status:
            yield "events_agree", f"event {event.seq} does not begin where event {before.seq} ended"
        if event.from_status != event.to_status and not _is_legal(event):
            yield "transition_legal", f"event {event.seq} goes from {event.from_status} to {event.to_status}"
    if events and (events[0].event, events[0].to_status) != (EventName.SUBMITTED, Status.PENDING):
        yield "events_agree", "the first event is not a submission"
    if events and events[-1].to_status != payout.status:
        yield "status_agrees", f"the status is {payout.status}, the last event says {events[-1].to_status}"


def _fact(event: Event, name: str) -> str | None:
    """An event that SQL put in may hold any JSON."""
    value = event.facts.get(name) if isinstance(event.facts, dict) else None
    return None if value is None else str(value)


def _is_legal(event: Event) -> bool:
    try:
        return allows(str(event.from_status), event.to_status)
    except ValueError:  # no status at all
        return False


def _keys(payout: Payout, attempts: list[Attempt]) -> Iterator[Finding]:
    """Each attempt's key follows from the payout, so that the provider knows a payment that is made again."""
    for attempt in attempts:
        if attempt.reference != references.attempt_reference(payout.reference, attempt.number):
            yield "key_follows", f"the key of attempt {attempt.number} is not the one of its payout and number"


def _money(payout: Payout, events: list[Event], attempts: list[Attempt]) -> Iterator[Finding]:
    """Money left once: paid by one attempt or by hand, never both; while it may have left, one attempt is open."""
    live = [attempt for attempt in attempts if attempt.outcome != Attempt.Outcome.REFUSED]
    paid = [attempt for attempt in live if attempt.outcome == Attempt.Outcome.SUCCEEDED]
    by_hand = [event for event in events if event.event == EventName.SETTLED]
    if len(live) > 1:
        yield "one_live_attempt", f"{len(live)} attempts are not definitely refused"
    if payout.status in PAID and len(paid) + len(by_hand) != 1:
        yield "paid_once", f"paid by {len(paid)} attempts and {len(by_hand)} times by hand"
    if payout.status not in PAID and paid:
        yield "paid_is_processed", f"an attempt succeeded, but the status is {payout.status}"
    if payout.status in (Status.PROCESSING, Status.UNKNOWN) and len(live) != 1:
        yield "sent_has_attempt", f"{payout.status} without an open attempt"
    if payout.status in (Status.PENDING, Status.FAILED, Status.CANCELLED, Status.REJECTED) and live:
        yield "unsent_has_no_attempt", f"{payout.status}, but an attempt is not definitely refused"
    keys = [_fact(event, "attempt") for event in events if event.event == EventName.CLAIMED]
    if keys != [str(attempt.reference) for attempt in attempts]:
        yield "attempts_recorded", "the attempts' keys are not those of the events that sent them"
    ends: dict[str | None, list[Attempt.Outcome]] = {}
    for event in events:
        if event.event in ENDS:
            ends.setdefault(_fact(event, "attempt"), []).append(_end(event))
    for attempt in attempts:
        ended = ends.get(str(attempt.reference), [])
        if attempt.outcome != (ended[-1] if ended else Attempt.Outcome.OPEN):
            yield "attempt_ended_by_event", f"attempt {attempt.number} is {attempt.outcome}, its events say otherwise"
        if len(ended) > 1 and ended != PAID_AFTER_ALL:
            yield "attempt_ended_once", f"attempt {attempt.number} was ended {len(ended)} times"
    if [attempt.number for attempt in attempts] != list(range(1, len(attempts) + 1)):
        yield "attempts_numbered", "the attempts are not numbered 1, 2, 3"


def _round(event: Event) -> object:
    """Which time people were asked how the payout ended."""
    return event.facts.get("round", 1) if isinstance(event.facts, dict) else None


def _end(event: Event) -> Attempt.Outcome:
    """How the event says that the attempt ended."""
    is_refusal = event.event == EventName.REFUSED or _fact(event, "decision") == Approval.Decision.NOT_PAID
    return Attempt.Outcome.REFUSED if is_refusal else Attempt.Outcome.SUCCEEDED


def _eyes(
    payout: Payout,
    events: list[Event],
    approvals: list[Approval],
    close_since: dict[tuple[int, int], datetime],
) -> Iterator[Finding]:
    """Enough other people approved these terms before money could leave."""
    decisions = (approval for approval in approvals if approval.attempt_id is None)
    given = rules.standing_approvals(sorted(decisions, key=lambda decision: decision.number))
    for approval in approvals:
        if bytes(approval.mac) != approval.expected_mac(payout.reference, like=approval.mac):
            yield "approval_sealed", f"approval {approval.pk} was not made by payouts.actions"
        if bytes(approval.terms_hash) != bytes(payout.terms_hash):
            yield "approval_bound_to_terms", f"approval {approval.pk} was given for other terms"
        if rules.was_close(payout, approval, close_since):
            yield "maker_is_not_checker", f"approval {approval.pk} is by somebody who made the payout, or could have"
    if len(given) != payout.approvals_given:
        yield "approvals_counted", f"{payout.approvals_given} approvals are counted, {len(given)} are there"
    if payout.sent_again_by_id:
        asked_at = max(
            (event.at for event in events if isinstance(event.facts, dict) and "newer" in event.facts),
            default=payout.created_at,
        )
        for approval in given.values():
            if approval.checker_id == payout.sent_again_by_id and approval.at > asked_at:
                yield "sender_is_not_checker", f"approval {approval.pk} is by the person who sent it again"
    contradicted = ""  # the attempt in question
    for event in events:
        if event.event == EventName.CONFIRMED and _fact(event, "first") in (None, event.actor):
            yield "confirmed_by_two", f"event {event.seq} confirms it, by one person"
        if event.event == EventName.FLAGGED and _fact(event, "attention") == Attention.CONTRADICTED:
            contradicted = _fact(event, "attempt") or "not told"
        if event.event == EventName.RESOLVED or (event.event == EventName.RELEASED and contradicted):
            contradicted = "" if _fact(event, "attempt") == contradicted else contradicted
            people = {
                approval.checker_id
                for approval in approvals
                if approval.decision == _fact(event, "decision")
                and approval.attempt is not None
                and str(approval.attempt.reference) == _fact(event, "attempt")
                and approval.number == _round(event)
            }
            if len(people) < 2:
                yield "resolved_by_two", f"event {event.seq} resolves it, by {len(people)} people"
    if payout.status in (Status.PROCESSING, Status.PROCESSED, Status.UNKNOWN, Status.RETURNED) and (
        payout.approvals_given < payout.approvals_required
    ):
        yield "approved_before_sent", f"{payout.approvals_given} of {payout.approvals_required} approvals"
