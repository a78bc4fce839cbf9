"""What the provider answered becomes the payout's status."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from random import uniform
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from payouts.actions import funds, late, unknown_payments
from payouts.actions.assignments import Assignment
from payouts.actions.moves import WORKER, Move, Wait, clock, db_now, flagged, move_all, without_altered
from payouts.actions.unknown_payments import Heard
from payouts.database import rows
from payouts.models import (
    WAITS_AFTER_REFUSAL,
    Attempt,
    Attention,
    EventName,
    Exchange,
    Payout,
    UnknownPayment,
)
from payouts.providers import ADAPTER_ERROR, PAID_ELSEWHERE, PAID_LATER, Answer, Verdict
from payouts.states import Status

# Seconds until the next look at a payout whose outcome is not final, by the calls already made; daily from then on.
LOOK_AGAIN_SECONDS = (2, 5, 15, 60, 300, 3_600)

DAY_SECONDS = 86_400

log = structlog.get_logger(__name__)


def record_outcomes(outcomes: Sequence[tuple[Assignment, Answer]]) -> int:
    """Record what the provider answered; a result whose lease was lost is news (late.py). Returns how many stand."""
    if not outcomes:
        return 0
    with transaction.atomic():
        payouts = list(
            Payout.objects.filter(pk__in={assignment.payout_id for assignment, _answer in outcomes})
            .annotate(db_now=clock())
            .select_for_update(no_key=True)
            .defer("recipient")
            .order_by("pk")
        )
        if not payouts:
            return 0  # the database was put back meanwhile
        at: datetime = db_now(payouts[0])
        standing, late_ones = _sorted_out(payouts, outcomes)
        attempts: list[Attempt] = []
        earlier: list[Attempt] = []
        moves: list[list[Move]] = []
        unmoved: list[Payout] = []
        exchanges: list[Exchange] = []
        for payout, assignment, answer in standing:
            attempt, code_before = assignment.attempt, assignment.attempt.last_code
            attempts.append(attempt)
            exchanges.append(late.exchange(attempt, answer, at))
            attempt.last_code, attempt.last_message, attempt.last_answer = (
                answer.code,
                answer.message,
                answer.excerpt,
            )
            if answer.about and answer.verdict in late.PAID:
                earlier.append(late.spoken_of(assignment, answer))
            elif not answer.about:
                attempt.provider_id = answer.provider_id or attempt.provider_id
                attempt.fee = attempt.fee if answer.fee is None else answer.fee
            payout.lease_token, payout.lost_leases = None, 0
            payout.due_at = at + timedelta(seconds=_pause_seconds(payout, attempt, answer))
            if answer.is_heard and not _has_later_news(payout, attempt):
                payout.news_at = None
            if steps := _outcome_moves(payout, assignment, answer, at, code_before):
                moves.append(steps)
            else:
                unmoved.append(payout)
        move_all([steps[0] for steps in moves], at=at, actor=WORKER)
        rows.update(Payout, unmoved, ("lease_token", "due_at", "lost_leases", "news_at"))
        rows.update(Attempt, [each for each in attempts if each.provider_id], ATTEMPT_OUTCOME_FIELDS, key="reference")
        rows.update(Attempt, [each for each in attempts if not each.provider_id], FIELDS_WITHOUT_ID, key="reference")
        rows.update(Attempt, earlier, ATTEMPT_OUTCOME_FIELDS, key="reference")  # when no later one is open
        rows.insert(exchanges)
        _note_forgotten(standing)
        for later in zip_longest(*(steps[1:] for steps in moves)):
            move_all([move for move in later if move], at=at, actor=WORKER)
        late.keep(late_ones, at=at)
    if without_funds := [steps[0].payout for steps in moves if steps[0].event == EventName.LACKED_FUNDS]:
        funds.refused(without_funds)
    return len(attempts)


type Recorded = tuple[Payout, Assignment, Answer]


def _sorted_out(
    payouts: list[Payout], outcomes: Sequence[tuple[Assignment, Answer]]
) -> tuple[list[Recorded], list[Recorded]]:
    """The results that stand, one for a payout at most, and those that came too late for it."""
    by_id = {payout.pk: payout for payout in payouts}
    sound = {payout.pk for payout in without_altered(payouts)}
    standing: dict[int, Recorded] = {}
    late_ones: list[Recorded] = []
    for assignment, answer in outcomes:
        payout = by_id.get(assignment.payout_id)
        if payout is None or payout.reference != assignment.instruction.payout:
            # Put back meanwhile, it may have given the number to another payout.
            log.error("result_of_another_database", payout=str(assignment.instruction.payout))
            continue
        recorded = (payout, assignment, answer)
        has_lease = payout.pk in sound and payout.lease_token == assignment.lease_token
        if has_lease and payout.pk not in standing:
            standing[payout.pk] = recorded
        else:
            late_ones.append(recorded)
    return list(standing.values()), late_ones


def _note_forgotten(standing: Sequence[Recorded]) -> None:
    """Payments under later keys, which we do not have: an attempt that is made with such a key is looked up first."""
    for payout, assignment, answer in standing:
        if answer.code == PAID_LATER and answer.about:
            told = (answer.verdict, payout.amount, payout.currency, answer.provider_id, f"#{payout.pk}")
            provider, source = assignment.attempt.provider, UnknownPayment.Source.LOOK_UP
            unknown_payments.note([Heard(answer.about, *told)], provider=provider, source=source)


ATTEMPT_OUTCOME_FIELDS = (
    "outcome",
    "provider_id",
    "fee",
    "accepted_at",
    "last_code",
    "last_message",
    "last_answer",
    "finished_at",
)
# A webhook may have told the id while the provider was being asked.
FIELDS_WITHOUT_ID = tuple(name for name in ATTEMPT_OUTCOME_FIELDS if name != "provider_id")


def _outcome_moves(payout: Payout, assignment: Assignment, answer: Answer, at: datetime, before: str) -> list[Move]:
    """What becomes of the payout, one move after another."""
    if answer.about and answer.verdict in late.PAID and payout.status != Status.FAILED:
        moves = late.paid_earlier(payout, assignment, answer, at)
    else:
        move = _outcome_move(payout, assignment, answer, at, before)
        moves = [move] if move else []
    if answer.verdict == Verdict.RETURNED and all(move.event != EventName.FLAGGED for move in moves):
        attempt = late.spoken_of(assignment, answer)
        moves.append(Move(payout, EventName.RETURNED, Status.RETURNED, {"attempt": str(attempt.reference)}))
    return moves


def _outcome_move(payout: Payout, assignment: Assignment, answer: Answer, at: datetime, before: str) -> Move | None:
    """What the answer means: only a success pays, only a documented refusal fails, all else is not known.

    A refusal for want of money in our account is no fault of the payment: it goes back to waiting, and another
    attempt is made when there are funds, or after a pause. That is as safe as a retry: this attempt ends as refused.
    A refusal that may be older than the provider's news is not the last word: a failed payout can be sent again.
    `before` is the code of the answer before this one.
    """
    attempt = assignment.attempt
    facts: dict[str, Any] = {"attempt": str(attempt.reference), "call": attempt.calls}
    if answer.code:
        facts["code"] = answer.code
    if answer.provider_id:
        facts["provider_id"] = answer.provider_id
    if payout.status == Status.PROCESSED:
        return _later_move(payout, attempt, answer)
    if payout.status == Status.FAILED:
        return late.watched_move(payout, assignment, answer, at)
    match answer.verdict if answer.about is None else Verdict.UNKNOWN:
        case Verdict.SUCCEEDED | Verdict.RETURNED:  # what was returned had been paid
            attempt.outcome, attempt.finished_at = Attempt.Outcome.SUCCEEDED, at
            payout.processed_at = at
            return Move(payout, EventName.SUCCEEDED, Status.PROCESSED, facts)
        case Verdict.REFUSED if not payout.news_at:
            attempt.outcome, attempt.finished_at = Attempt.Outcome.REFUSED, at
            if answer.lacks_funds:
                wait = Wait(WAITS_AFTER_REFUSAL, at + funds.pause(attempt))
                return Move(payout, EventName.LACKED_FUNDS, Status.PENDING, facts, answer.message, wait)
            payout.failure_code, payout.failure_message = answer.code, answer.message
            return Move(payout, EventName.REFUSED, Status.FAILED, facts, answer.message)
        case Verdict.ABSENT if not (assignment.may_post or payout.news_at):
            return flagged(payout, Attention.NOT_FOUND)
        case _ if answer.code in (PAID_LATER, PAID_ELSEWHERE):
            return flagged(payout, Attention.CONTRADICTED, attempt)
        case _ if attempt.calls >= settings.MAX_ATTEMPT_CALLS:
            return flagged(payout, Attention.TOO_MANY_CALLS)
        case _ if answer.code == before == ADAPTER_ERROR:
            return flagged(payout, Attention.UNWORKABLE)
        case Verdict.PENDING:
            if attempt.accepted_at:
                return None
            attempt.accepted_at = at
            return Move(payout, EventName.ACCEPTED, Status(payout.status), facts)
        case _ if payout.status == Status.UNKNOWN or attempt.accepted_at:
            return None
        case _:
            return Move(payout, EventName.OUTCOME_UNKNOWN, Status.UNKNOWN, facts, answer.message)


def _later_move(payout: Payout, attempt: Attempt, answer: Answer) -> Move | None:
    """What news of a processed payout means: it stands, it came back, or a person must look."""
    match answer.verdict:
        case Verdict.SUCCEEDED | Verdict.RETURNED:
            payout.due_at = payout.due_at if payout.news_at else None
            return None
        case Verdict.REFUSED:
            return flagged(payout, Attention.CONTRADICTED, attempt)
        case _ if attempt.calls >= settings.MAX_ATTEMPT_CALLS:
            return flagged(payout, Attention.TOO_MANY_CALLS)
        case _:
            return None


def _pause_seconds(payout: Payout, attempt: Attempt, answer: Answer) -> float:
    """Seconds until the next look: 0 if news came while we were asking, because the answer may be older."""
    if _has_later_news(payout, attempt):
        return 0
    return max(_look_again_seconds(attempt), answer.retry_after_seconds or 0)


def _has_later_news(payout: Payout, attempt: Attempt) -> bool:
    return payout.news_at is not None and payout.news_at > attempt.last_called_at


def _look_again_seconds(attempt: Attempt) -> float:
    steps = LOOK_AGAIN_SECONDS
    seconds = steps[attempt.calls - 1] if attempt.calls <= len(steps) else DAY_SECONDS
    return seconds * uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)
