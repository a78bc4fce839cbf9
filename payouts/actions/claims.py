"""The worker takes payouts that are due, each under a lease."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models.functions import Now

from payouts import doorbell, money, references
from payouts.actions import breaker, keys, pauses, recovery, unknown_payments
from payouts.actions.approvals import approvals_by_payout, payment_problem
from payouts.actions.errors import KeysError
from payouts.actions.moves import WORKER, Move, clock, db_now, flagged, locked, move_all, without_altered
from payouts.database import rows
from payouts.database.rows import StaleError
from payouts.models import (
    SUSPECT_LEASES,
    Approval,
    Attempt,
    Attention,
    EventName,
    Payout,
    PayoutQuerySet,
    by_payout,
)
from payouts.providers import Instruction, registry
from payouts.states import Status

UNCLAIMABLE_PAUSE_SECONDS = 3_600

log = structlog.get_logger(__name__)


POISON_LIMIT = 3
# How many retries may have been forgotten: a payout is rarely sent again more often.
LATER_KEYS = 3
# So many times half a lease: long enough for a deploy that brings a new key to every process.
UNREADABLE_TRIES = 3
# After so many claims in a row without a recorded result we take it that the payout kills the worker.
LOST_LEASES_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Assignment:
    """One claimed payout: what to call the provider with, and the token that its result must carry."""

    payout_id: int
    lease_token: uuid.UUID
    attempt: Attempt
    instruction: Instruction
    is_first_call: bool
    may_post: bool
    earlier: tuple[Attempt, ...] = ()
    """The refused attempts before this one: their keys are looked up before this one is sent."""
    later: tuple[uuid.UUID, ...] = ()
    """In recovery mode the keys of the next attempts, which the database may have forgotten: looked up likewise."""

    @property
    def is_doubted(self) -> bool:
        """Whether the attempt was refused, and may have been paid: it is looked up, and never sent."""
        return self.attempt.outcome == Attempt.Outcome.REFUSED


def claim(*, limit: int, holder: str = "") -> list[Assignment]:
    """Take up to `limit` due payouts, oldest first, each under a lease of LEASE_SECONDS; other claimers skip them.

    `holder` names the group of processes that holds the leases, which ends them when it is killed (`end_leases`).

    A ready payout moves to processing with a new attempt, committed before any call. One whose lease ran out, or
    whose next look-up has come up, keeps its attempt, and its next call looks up first. What must not be paid as it
    stands is flagged for a person instead, and so is one that cannot even be claimed: it holds up nobody. A provider
    that does not answer is left alone but for one probe at a time (breaker.py), one that a person has paused is left
    alone altogether (pauses.py), and suspects are for `claim_suspect`. Raises KeysError, and changes nothing, where
    the keys of this process do not fit (keys.py).
    """
    due = Payout.objects.due().filter(lost_leases__lt=SUSPECT_LEASES).order_by("due_at")
    due = due.exclude(provider__in=pauses.paused_providers())
    if silent := breaker.open_providers():
        return _claim_probe(holder) or _claim_some(due.exclude(provider__in=silent), limit, holder)
    return _claim_some(due, limit, holder)


def claim_suspect(*, holder: str = "") -> list[Assignment]:
    """Take one due payout whose last claims ended in no record, alone, so that it can take no other with it."""
    due = Payout.objects.due().filter(lost_leases__gte=SUSPECT_LEASES).order_by("due_at")
    if not due.exists():
        return []
    return _claim_some(due.exclude(provider__in=[*breaker.open_providers(), *pauses.paused_providers()]), 1, holder)


def _claim_probe(holder: str) -> list[Assignment]:
    """Take one due payout of a silent provider, when it is time to try that again; no suspect if possible.

    Any of them, not the oldest: if it is old ones that make the provider fail, they would all be tried first.
    """
    with transaction.atomic():
        provider = breaker.take_probe()
        if provider is None:
            return []
        claimed = _claim_some(Payout.objects.due().filter(provider=provider).order_by("lost_leases", "?"), 1, holder)
        if not claimed:
            breaker.return_probe(provider)
    return claimed


def _claim_some(due: PayoutQuerySet, limit: int, holder: str) -> list[Assignment]:
    try:
        claimed, looked_at = _claim(due[:limit], holder)
        while looked_at and not claimed:  # all of them were flagged: what is behind them is due too
            claimed, looked_at = _claim(due[:limit], holder)
        return claimed
    except (OperationalError, KeysError):
        raise
    except Exception:
        log.exception("batch_not_claimed")
    claimed, unclaimable = [], []
    for payout_id in list(due.values_list("pk", flat=True)[:limit]):
        try:
            claimed += _claim(due.filter(pk=payout_id), holder)[0]
        except (OperationalError, KeysError):
            raise
        except Exception:
            log.exception("payout_not_claimed", payout=payout_id)
            unclaimable.append(payout_id)
    # When none of many can be claimed, the fault is ours and not the payouts': then they only wait.
    if claimed or len(unclaimable) <= POISON_LIMIT:
        unclaimable = [payout_id for payout_id in unclaimable if not _flag_unworkable(payout_id)]
    later = Now() + timedelta(seconds=UNCLAIMABLE_PAUSE_SECONDS)
    Payout.objects.due().filter(pk__in=unclaimable).update(due_at=later, lease_token=None)
    return claimed


def _flag_unworkable(payout_id: int) -> bool:
    """Flag the payout for a person. Returns False if even that cannot be written."""
    try:
        with locked(payout_id) as (payout, at):
            if payout.due_at and payout.due_at <= at:  # nobody else has taken it since
                move_all([flagged(payout, Attention.UNWORKABLE)], at=at, actor=WORKER)
    except OperationalError:
        raise
    except Exception:
        log.exception("payout_not_flagged", payout=payout_id)
        return False
    return True


def _claim(due: PayoutQuerySet, holder: str) -> tuple[list[Assignment], int]:
    """The assignments, and how many payouts were looked at for them."""
    with transaction.atomic():
        payouts = list(due.annotate(db_now=clock()).select_for_update(skip_locked=True))
        if not payouts:
            return [], 0
        keys.begin_writing()  # after they were read: whoever sealed them has marked their key before
        found = recovery.look()
        if found.obstacle:
            return [], 0
        looked_at = len(payouts)
        at: datetime = db_now(payouts[0])
        lease_token, lease_ends_at = uuid.uuid4(), at + timedelta(seconds=settings.LEASE_SECONDS)
        payouts = without_altered(payouts)
        approvals = approvals_by_payout([payout for payout in payouts if payout.approvals_required])
        history = _attempts_by_payout(payouts)
        attempts = {payout_id: known[-1] for payout_id, known in history.items()}
        disputed = _disputed(attempts.values())
        moves: list[Move] = []
        fresh: list[Attempt] = []
        again: list[tuple[Payout, Attempt]] = []
        calls: list[tuple[Payout, Attempt, bool]] = []
        put_off: list[Payout] = []
        for payout in payouts:
            latest = attempts.get(payout.pk)
            payout.lost_leases += bool(payout.lease_token)
            problem = _problem(payout, approvals, history.get(payout.pk, []))
            if problem == Attention.UNREADABLE and _is_put_off(payout, at):
                put_off.append(payout)
                continue
            payout.unreadable_since = None
            if problem:
                moves.append(flagged(payout, problem))
                continue
            is_new = payout.status == Status.PENDING
            if is_new:
                attempt = _next_attempt(payout, latest, at)
                facts = {"attempt": str(attempt.reference), "provider": attempt.provider}
                moves.append(Move(payout, EventName.CLAIMED, Status.PROCESSING, facts))
                fresh.append(attempt)
            elif latest is None or latest.outcome != _outcome_of(payout):
                raise StaleError(f"payout {payout.pk} is {payout.status} without the attempt for it")
            else:
                attempt = latest
                again.append((payout, attempt))
            attempt.calls += 1
            attempt.last_called_at = at
            payout.lease_token, payout.due_at, payout.lease_holder = lease_token, lease_ends_at, holder
            calls.append((payout, attempt, is_new or _may_post_again(attempt, lease_ends_at, disputed)))
        move_all(moves, at=at, actor=WORKER)
        rows.insert(fresh)
        rows.update(Payout, [*put_off, *(payout for payout, _attempt in again)], LEASE_FIELDS)
        rows.update(Attempt, [attempt for _payout, attempt in again], ("calls", "last_called_at"))
        later_keys = LATER_KEYS if found.is_recovering else 0
        return _assignments(calls, history, _unheard_of(fresh, found), later_keys), looked_at


def _assignments(
    calls: Sequence[tuple[Payout, Attempt, bool]],
    history: dict[int, list[Attempt]],
    unheard_of: set[uuid.UUID],
    later_keys: int,
) -> list[Assignment]:
    made = []
    for payout, attempt, may_post in calls:
        numbers = range(attempt.number + 1, attempt.number + 1 + later_keys)
        assignment = _assignment(
            payout,
            attempt,
            is_first_call=attempt.reference in unheard_of,
            may_post=may_post,
            earlier=tuple(each for each in history.get(payout.pk, ()) if each.number < attempt.number),
            later=tuple(references.attempt_reference(payout.reference, number) for number in numbers),
        )
        made.append(assignment)
    return made


def _next_attempt(payout: Payout, latest: Attempt | None, at: datetime) -> Attempt:
    number = latest.number + 1 if latest else 1
    return Attempt(
        reference=references.attempt_reference(payout.reference, number),
        payout=payout,
        number=number,
        provider=payout.provider,
        account=registry.account(payout.provider),
        created_at=at,
    )


def _unheard_of(fresh: Sequence[Attempt], found: recovery.Finding) -> set[uuid.UUID]:
    """The keys that the provider cannot know yet: they are sent without asking first."""
    known = unknown_payments.take(fresh)
    return set() if found.is_recovering else {attempt.reference for attempt in fresh} - known


LEASE_FIELDS = ("lease_token", "lease_holder", "due_at", "lost_leases", "unreadable_since")


def _is_put_off(payout: Payout, at: datetime) -> bool:
    """Look at an unreadable payout again in half a lease; False when it has been unreadable for UNREADABLE_TRIES."""
    pause = timedelta(seconds=settings.LEASE_SECONDS / 2)
    payout.unreadable_since = payout.unreadable_since or at
    if at - payout.unreadable_since >= UNREADABLE_TRIES * pause:
        return False
    payout.lease_token, payout.due_at = None, at + pause
    log.warning("payout_unreadable", payout=payout.pk, since=payout.unreadable_since.isoformat())
    return True


def _may_post_again(attempt: Attempt, lease_ends_at: datetime, disputed: set[int]) -> bool:
    """Whether its key may be sent again where the provider has nothing under it."""
    return (
        attempt.outcome == Attempt.Outcome.OPEN
        and lease_ends_at < attempt.key_expires_at  # whatever a claim does, it does before its lease ends
        and attempt.pk not in disputed
    )


def _outcome_of(payout: Payout) -> Attempt.Outcome:
    """What the latest attempt of a payout that was sent must say."""
    match payout.status:
        case Status.PROCESSED:
            return Attempt.Outcome.SUCCEEDED
        case Status.FAILED:
            return Attempt.Outcome.REFUSED
        case _:
            return Attempt.Outcome.OPEN


def give_back(assignments: Sequence[Assignment]) -> None:
    """Return claimed payouts that were not called for; they are due at once, and looked up first."""
    by_token = {(assignment.payout_id, assignment.lease_token) for assignment in assignments}
    if not by_token:
        return
    with transaction.atomic():
        payouts = list(
            Payout.objects.filter(pk__in=[payout_id for payout_id, _token in by_token])
            .annotate(db_now=clock())
            .select_for_update()
            .order_by("pk")
        )
        payouts = [payout for payout in payouts if (payout.pk, payout.lease_token) in by_token]
        for payout in payouts:
            payout.lease_token, payout.due_at = None, db_now(payout)
        rows.update(Payout, payouts, ("lease_token", "due_at"))


def end_leases(holder: str) -> int:
    """End at once the leases of a group of workers that was killed; returns how many.

    Whoever claims these payouts next looks them up first, and counts a lost lease, as when a lease has run out.
    """
    with transaction.atomic():
        held = Payout.objects.filter(lease_holder=holder, lease_token__isnull=False, due_at__gt=Now())
        ids = list(held.order_by("pk").select_for_update().values_list("pk", flat=True))
        Payout.objects.filter(pk__in=ids).update(due_at=Now())
        if ids:
            doorbell.ring()
    return len(ids)


def _problem(payout: Payout, approvals: dict[int, list[Approval]], attempts: Sequence[Attempt]) -> Attention | None:
    """Why the payout must not be claimed, if anything."""
    if problem := payment_problem(payout, approvals) or _exhaustion(payout, attempts[-1] if attempts else None):
        return problem
    return Attention.OTHER_ACCOUNT if any(map(_is_elsewhere, attempts)) else None


def _is_elsewhere(attempt: Attempt) -> bool:
    """Whether it was sent to another account than the present one, which knows nothing of it, and would pay again."""
    present = registry.account(attempt.provider)
    return bool(attempt.account and present and attempt.account != present)


def _exhaustion(payout: Payout, attempt: Attempt | None) -> Attention | None:
    """Why a person must look: too many claims without a recorded result (it kills the worker), or too many calls."""
    if payout.lost_leases >= LOST_LEASES_LIMIT:
        return Attention.UNWORKABLE
    if payout.lease_token and attempt and attempt.calls >= settings.MAX_ATTEMPT_CALLS:
        return Attention.TOO_MANY_CALLS
    return None


def _attempts_by_payout(payouts: Sequence[Payout]) -> dict[int, list[Attempt]]:
    """The attempts of each, the latest last; a payout that was never sent has none."""
    sent = [payout for payout in payouts if payout.version > 1]
    return by_payout(Attempt.objects.filter(payout__in=sent).order_by("number"))


def _disputed(attempts: Iterable[Attempt]) -> set[int]:
    """Attempts about which a person has given evidence: whatever it says, the key must not be sent again."""
    unknown = [attempt.pk for attempt in attempts if attempt.outcome == Attempt.Outcome.OPEN]
    return set(Approval.objects.filter(attempt__in=unknown).values_list("attempt_id", flat=True).distinct())


def _assignment(
    payout: Payout,
    attempt: Attempt,
    *,
    is_first_call: bool,
    may_post: bool,
    earlier: tuple[Attempt, ...],
    later: tuple[uuid.UUID, ...],
) -> Assignment:
    assert payout.lease_token is not None
    return Assignment(
        payout_id=payout.pk,
        lease_token=payout.lease_token,
        attempt=attempt,
        instruction=Instruction(
            reference=attempt.reference,
            payout=payout.reference,
            amount=money.exact(payout.amount, payout.currency),
            currency=payout.currency,
            recipient=payout.recipient_details,
            request_id=payout.trace_id,
        ),
        is_first_call=is_first_call,
        may_post=may_post,
        earlier=earlier,
        later=later,
    )
