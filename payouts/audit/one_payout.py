"""One payout: its row, its history, its keys and its money agree with each other."""

from collections.abc import Iterator
from itertools import pairwise

from payouts import money, references, vault
from payouts.audit.findings import Finding, fact
from payouts.models import Approval, Attempt, Event, EventName, Payout, is_legal
from payouts.states import PAID, Stage, Status

AWAITED_BY_WORKER = (Stage.READY, Stage.SCHEDULED, Stage.PROCESSING, Stage.UNKNOWN)
REFUSALS = (EventName.REFUSED, EventName.LACKED_FUNDS)
ENDS = (EventName.SUCCEEDED, *REFUSALS, EventName.RESOLVED, EventName.RECONCILED)
# The one end that may follow another: a refusal turned out to have been a payment.
PAID_AFTER_ALL = [Attempt.Outcome.REFUSED, Attempt.Outcome.SUCCEEDED]


def row(payout: Payout) -> Iterator[Finding]:
    """The row is what was submitted, and nobody but payouts.actions has written it."""
    if not payout.is_sealed:
        yield "row_sealed", "the row was changed outside payouts.actions"
    try:
        if payout.terms != bytes(payout.terms_hash):
            yield "terms_unchanged", "the amount, the currency or the recipient is not what was submitted"
    except vault.ErasedError:
        pass  # by two people, and its key's seal says by whom
    except vault.UnreadableError:
        yield "recipient_readable", "the recipient cannot be decrypted"
    key = payout.recipient_key
    if key is not None and not key.is_sealed:
        yield "recipient_key_sealed", f"the recipient's key {key.pk} was changed outside the product"
    try:
        money.exact(payout.amount, payout.currency)
    except money.AmountError as error:
        yield "amount_exact", str(error)
    if payout.due_at is None and not payout.attention and payout.stage in AWAITED_BY_WORKER:
        yield "open_is_due", f"{payout.stage}, but the worker would never look at it"
    if payout.stage == Stage.SCHEDULED and _is_early(payout):
        yield "due_in_time", f"due at {payout.due_at}, and not to be paid before {payout.not_before}"
    if payout.due_at is None and not payout.attention and payout.news_at:
        yield "news_is_due", "the provider has news of it, but the worker would never ask"


def _is_early(payout: Payout) -> bool:
    return bool(payout.due_at and payout.not_before and payout.due_at < payout.not_before)


def history(payout: Payout, events: list[Event]) -> Iterator[Finding]:
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


def _is_legal(event: Event) -> bool:
    try:
        return is_legal(event.event, str(event.from_status), event.to_status)
    except ValueError:  # no status at all
        return False


def keys_follow(payout: Payout, attempts: list[Attempt]) -> Iterator[Finding]:
    """Each attempt's key follows from the payout, so that the provider knows a payment that is made again."""
    for attempt in attempts:
        if attempt.reference != references.attempt_reference(payout.reference, attempt.number):
            yield "key_follows", f"the key of attempt {attempt.number} is not the one of its payout and number"


def paid_once(payout: Payout, events: list[Event], attempts: list[Attempt]) -> Iterator[Finding]:
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
    keys = [fact(event, "attempt") for event in events if event.event == EventName.CLAIMED]
    if keys != [str(attempt.reference) for attempt in attempts]:
        yield "attempts_recorded", "the attempts' keys are not those of the events that sent them"
    ends: dict[str | None, list[Attempt.Outcome]] = {}
    for event in events:
        if event.event in ENDS:
            ends.setdefault(fact(event, "attempt"), []).append(_end(event))
    for attempt in attempts:
        ended = ends.get(str(attempt.reference), [])
        if attempt.outcome != (ended[-1] if ended else Attempt.Outcome.OPEN):
            yield "attempt_ended_by_event", f"attempt {attempt.number} is {attempt.outcome}, its events say otherwise"
        if len(ended) > 1 and ended != PAID_AFTER_ALL:
            yield "attempt_ended_once", f"attempt {attempt.number} was ended {len(ended)} times"
    if [attempt.number for attempt in attempts] != list(range(1, len(attempts) + 1)):
        yield "attempts_numbered", "the attempts are not numbered 1, 2, 3"


def _end(event: Event) -> Attempt.Outcome:
    """How the event says that the attempt ended."""
    is_refusal = event.event in REFUSALS or fact(event, "decision") == Approval.Decision.NOT_PAID
    return Attempt.Outcome.REFUSED if is_refusal else Attempt.Outcome.SUCCEEDED
