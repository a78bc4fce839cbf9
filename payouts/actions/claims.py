"""The worker takes payouts that are due, each under a lease."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import OperationalError, transaction

from payouts import references
from payouts.actions import breaker, due, funds, keys, recovery, unknown_payments, velocity, waits
from payouts.actions.approvals import approvals_by_payout, payment_problem
from payouts.actions.assignments import Assignment, Call, assignments, disputed, may_post_again, sent_until
from payouts.actions.errors import KeysError
from payouts.actions.moves import WORKER, Move, Wait, clock, db_now, flagged, locked, move_all, without_altered
from payouts.database import rows
from payouts.database.rows import StaleError
from payouts.models import (
    WAITS_FOR_ACCOUNT,
    Approval,
    Attempt,
    Attention,
    EventName,
    Payout,
    by_payout,
    read_keys,
)
from payouts.providers import registry
from payouts.states import Status

log = structlog.get_logger(__name__)

type Take = Callable[[], list[int]]
"""Locks due payouts for the present transaction, and returns their ids."""

POISON_LIMIT = 3
# So many times half a lease: long enough for a deploy that brings a new key to every process.
UNREADABLE_TRIES = 3
# After so many claims in a row without a recorded result we take it that the payout kills the worker.
LOST_LEASES_LIMIT = 5
# So long one claim goes on to the next batch while all of each is flagged or put off.
LOOKING_SECONDS = 5


def claim(*, limit: int, holder: str = "") -> list[Assignment]:
    """Take up to `limit` due payouts, each under a lease of LEASE_SECONDS; other claimers skip them.

    The oldest of each provider first, shared equally among the providers (due.py). `holder` names the group of
    processes that holds the leases; they are ended when it is killed (leases.py).

    A ready payout moves to processing with a new attempt, committed before any call. One whose lease ran out, or
    whose next look-up has come up, keeps its attempt, and its next call looks up first. What must not be paid as it
    stands is flagged for a person instead, and so is one that cannot even be claimed: it holds up nobody. What
    exceeds a velocity limit waits (velocity.py), and so does what the account's balance does not cover (funds.py). A
    provider that does not answer is left alone but for one probe at a time (breaker.py), one that a person has paused
    is left alone altogether (pauses.py), and suspects are for `claim_suspect`. Raises KeysError, and changes nothing,
    where the keys of this process do not fit (keys.py).
    """
    owing = due.owed(most=limit)
    if any(each.is_silent and not each.is_paused for each in owing) and (probe := _claim_probe(holder)):
        return probe
    shares = due.shares([each for each in owing if each.is_callable], limit)
    return _claim_some(lambda: due.take(shares, "sound"), holder) if shares else []


def claim_suspect(*, holder: str = "") -> list[Assignment]:
    """Take one due payout whose last claims ended in no record, alone, so that it can take no other with it."""
    owing = [each for each in due.owed("suspect", most=1) if each.is_callable]
    if not owing:
        return []
    oldest = min(owing, key=lambda each: each.oldest_at)
    return _claim_some(lambda: due.take({oldest.provider: 1}, "suspect"), holder)


def _claim_probe(holder: str) -> list[Assignment]:
    """Take one due payout of a silent provider, when it is time to try that again."""
    with transaction.atomic():
        provider = breaker.take_probe()
        if provider is None:
            return []
        claimed = _claim_some(lambda: due.take_any(provider), holder)
        if not claimed:
            breaker.return_probe(provider)
    return claimed


def _claim_some(take: Take, holder: str) -> list[Assignment]:
    last_start = time.monotonic() + LOOKING_SECONDS
    try:
        claimed, looked_at = _claim(take, holder)
        # All of them were flagged or put off: what is behind them is due too.
        while looked_at and not claimed and time.monotonic() < last_start:
            claimed, looked_at = _claim(take, holder)
        return claimed
    except (OperationalError, KeysError):
        raise
    except Exception:
        log.exception("batch_not_claimed")
    with transaction.atomic():
        ids = take()
    claimed, unclaimable = [], []
    for payout_id in ids:
        try:
            claimed += _claim(partial(due.take_one, payout_id), holder)[0]
        except (OperationalError, KeysError):
            raise
        except Exception:
            log.exception("payout_not_claimed", payout=payout_id)
            unclaimable.append(payout_id)
    # When none of many can be claimed, the fault is ours and not the payouts': then they only wait.
    if claimed or len(unclaimable) <= POISON_LIMIT:
        unclaimable = [payout_id for payout_id in unclaimable if not _flag_unworkable(payout_id)]
    waits.put_off_for_us(unclaimable)
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


@dataclass(slots=True)
class _Looked:
    """A batch of due payouts, by what is to be done with each."""

    history: dict[int, list[Attempt]]
    flags: list[Move] = field(default_factory=list)
    put_off: list[Payout] = field(default_factory=list)
    new: list[Payout] = field(default_factory=list)
    """To be sent with a new attempt."""
    again: list[tuple[Payout, Attempt]] = field(default_factory=list)
    """To be looked up, or sent again under their keys."""


def _claim(take: Take, holder: str) -> tuple[list[Assignment], int]:
    """The assignments, and how many payouts were looked at for them."""
    with transaction.atomic():
        payouts = list(Payout.objects.filter(pk__in=take()).annotate(db_now=clock()).order_by("due_at", "pk"))
        if not payouts:
            return [], 0
        keys.begin_writing()  # after they were read: whoever sealed them has marked their key before
        found = recovery.look()
        if found.obstacle:
            return [], 0
        at: datetime = db_now(payouts[0])
        lease_ends_at = at + timedelta(seconds=settings.LEASE_SECONDS)
        looked = _looked(without_altered(payouts), at)
        in_doubt = disputed(attempt for _payout, attempt in looked.again)
        calls = [
            Call(payout, attempt, may_post_again(attempt, lease_ends_at, in_doubt), sent_until(attempt))
            for payout, attempt in looked.again
        ]
        moves, fresh = _begun(looked, _admitted(looked), at)  # last: other claims wait for this one now
        calls += [Call(move.payout, attempt, True) for move, attempt in zip(moves, fresh, strict=True)]
        places = {payout.pk: place for place, payout in enumerate(payouts)}
        calls.sort(key=lambda call: places[call.payout.pk])  # the oldest is called for first, whatever it needs
        _lease(calls, lease_ends_at=lease_ends_at, at=at, holder=holder)
        move_all([*looked.flags, *moves], at=at, actor=WORKER)
        unheard_of = _unheard_of(fresh, found)
        rows.insert(fresh)
        rows.update(Payout, [*looked.put_off, *(payout for payout, _attempt in looked.again)], LEASE_FIELDS)
        rows.update(Attempt, [attempt for _payout, attempt in looked.again], ("calls", "last_called_at"))
        forgotten_at = recovery.began_at() if found.is_recovering else None
        told = unknown_payments.told(calls)
        made = assignments(calls, looked.history, unheard_of=unheard_of, told=told, forgotten_at=forgotten_at)
        return made, len(payouts)


def _looked(payouts: Sequence[Payout], at: datetime) -> _Looked:
    """What is to be done with each of these payouts, which are as they were sealed."""
    read_keys(payouts)
    approvals = approvals_by_payout([payout for payout in payouts if payout.approvals_required])
    looked = _Looked(_attempts_by_payout(payouts))
    named = registry.known_names()
    for payout in payouts:
        attempts = looked.history.get(payout.pk, [])
        payout.lost_leases += bool(payout.lease_token)
        problem = _problem(payout, approvals, attempts)
        if problem == Attention.UNREADABLE and _is_put_off(payout, at):
            looked.put_off.append(payout)
            continue
        payout.unreadable_since = None
        if problem:
            looked.flags.append(flagged(payout, problem))
        elif _who_pays(payout, attempts) not in named:
            waits.put_off(payout, WAITS_FOR_ACCOUNT, at, room_at=None)
            payout.lease_token = None
            looked.put_off.append(payout)
            if payout.status == Status.PROCESSING:  # nobody can be asked: people can look elsewhere, and resolve it
                facts = {"attempt": str(attempts[-1].reference), "code": WAITS_FOR_ACCOUNT}
                wait = Wait(WAITS_FOR_ACCOUNT, payout.due_at or at)
                looked.flags.append(Move(payout, EventName.OUTCOME_UNKNOWN, Status.UNKNOWN, facts, wait=wait))
        elif payout.status != Status.PENDING:
            if not attempts or attempts[-1].outcome != _outcome_of(payout):
                raise StaleError(f"payout {payout.pk} is {payout.status} without the attempt for it")
            looked.again.append((payout, attempts[-1]))
        elif payout.not_before and payout.not_before > at:
            log.error("due_before_its_time", payout=payout.pk, not_before=payout.not_before.isoformat())
            payout.due_at = payout.not_before
            looked.put_off.append(payout)
        else:
            looked.new.append(payout)
    return looked


def _who_pays(payout: Payout, attempts: Sequence[Attempt]) -> str:
    """The account that is to be called: that of the attempt, once there is one for what the payout is now."""
    return payout.provider if payout.status == Status.PENDING or not attempts else attempts[-1].provider


def _admitted(looked: _Looked) -> dict[int, velocity.Over]:
    """Those of the new payouts that wait, for funds or for a velocity limit; the others count as sent from now on."""
    short = funds.admit(looked.new)
    over = velocity.admit([payout for payout in looked.new if payout.pk not in short]) | short
    funds.take_off([payout for payout in looked.new if payout.pk not in over])
    return over


def _begun(looked: _Looked, over: dict[int, velocity.Over], at: datetime) -> tuple[list[Move], list[Attempt]]:
    """Begin the new attempts, but for the payouts that wait for room: they are put off."""
    moves, fresh = [], []
    for payout in looked.new:
        if payout.pk in over:
            waits.put_off(payout, over[payout.pk].reason, at, room_at=over[payout.pk].room_at)
            looked.put_off.append(payout)
            continue
        attempts = looked.history.get(payout.pk)
        attempt = _next_attempt(payout, attempts[-1] if attempts else None, at)
        facts = {"attempt": str(attempt.reference), "provider": attempt.provider}
        moves.append(Move(payout, EventName.CLAIMED, Status.PROCESSING, facts))
        fresh.append(attempt)
    return moves, fresh


def _lease(calls: Sequence[Call], *, lease_ends_at: datetime, at: datetime, holder: str) -> None:
    token = uuid.uuid4()
    for call in calls:
        call.attempt.calls += 1
        call.attempt.last_called_at = at
        call.payout.lease_token, call.payout.lease_holder, call.payout.due_at = token, holder, lease_ends_at


def _next_attempt(payout: Payout, latest: Attempt | None, at: datetime) -> Attempt:
    number = latest.number + 1 if latest else 1
    return Attempt(
        reference=references.attempt_reference(payout.reference, number),
        payout=payout,
        number=number,
        provider=payout.provider,
        account=registry.fingerprint_of(payout.provider),
        created_at=at,
    )


def _unheard_of(fresh: Sequence[Attempt], found: recovery.Finding) -> set[uuid.UUID]:
    """The keys that the provider cannot know yet: they are sent without asking first."""
    known = unknown_payments.take(fresh)
    return set() if found.is_recovering else {attempt.reference for attempt in fresh} - known


LEASE_FIELDS = (
    "lease_token",
    "lease_holder",
    "due_at",
    "lost_leases",
    "unreadable_since",
    "waits_for",
    "waits_since",
)


def _is_put_off(payout: Payout, at: datetime) -> bool:
    """Look at an unreadable payout again in half a lease; False when it has been unreadable for UNREADABLE_TRIES."""
    pause = timedelta(seconds=settings.LEASE_SECONDS / 2)
    payout.unreadable_since = payout.unreadable_since or at
    if at - payout.unreadable_since >= UNREADABLE_TRIES * pause:
        return False
    payout.lease_token, payout.due_at = None, at + pause
    log.warning("payout_unreadable", payout=payout.pk, since=payout.unreadable_since.isoformat())
    return True


def _outcome_of(payout: Payout) -> Attempt.Outcome:
    """What the latest attempt of a payout that was sent must say."""
    match payout.status:
        case Status.PROCESSED:
            return Attempt.Outcome.SUCCEEDED
        case Status.FAILED:
            return Attempt.Outcome.REFUSED
        case _:
            return Attempt.Outcome.OPEN


def _problem(payout: Payout, approvals: dict[int, list[Approval]], attempts: Sequence[Attempt]) -> Attention | None:
    """Why the payout must not be claimed, if anything."""
    if problem := payment_problem(payout, approvals) or _exhaustion(payout, attempts[-1] if attempts else None):
        return problem
    return Attention.OTHER_ACCOUNT if any(map(_is_elsewhere, attempts)) else None


def _is_elsewhere(attempt: Attempt) -> bool:
    """Whether it was sent to another account than the present one, which knows nothing of it, and would pay again."""
    present = registry.fingerprint_of(attempt.provider)
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
