"""A line of a provider's report is compared with our record."""

import uuid
from datetime import datetime
from decimal import Decimal

from payouts import rules
from payouts.actions.errors import AlteredError
from payouts.actions.moves import Person, flag_one, locked, move_one, ring_if_due
from payouts.actions.news import ask_again
from payouts.models import Attempt, Attention, EventName, Payout, ReportLine
from payouts.providers import Verdict
from payouts.rules import UNANSWERED
from payouts.states import Status


def reconcile(
    reference: uuid.UUID, *, reported: Verdict, amount: Decimal, by: Person, source: str
) -> tuple[int | None, ReportLine.Result]:
    """Compare one line of a provider's report with our record; returns the payout's id and the result.

    A report settles what is not known, and records what came back. It never fails a payout, because a failed one can
    be sent again: there the provider itself is asked. What differs is flagged for a person. `source` names the line.
    """
    payout_id = Attempt.objects.filter(reference=reference).values_list("payout_id", flat=True).first()
    if payout_id is None:
        return None, ReportLine.Result.NOT_OURS
    try:
        with locked(payout_id) as (payout, at):
            attempt = payout.attempts.select_for_update().get(reference=reference)
            result = _finding(payout, attempt, reported, amount)
            if result in CHANGING and rules.is_close(payout, by):
                return payout_id, ReportLine.Result.OWN
            _apply(payout, attempt, result, reported, at=at, by=by, source=source)
    except AlteredError:
        return payout_id, ReportLine.Result.ALTERED
    return payout_id, result


# What a report that has the payment settles; that another attempt was paid too, or another amount, it does not.
ANSWERED_BY_REPORT = (*UNANSWERED, Attention.UNWORKABLE, Attention.MISSING)
CHANGING = (ReportLine.Result.SETTLED, ReportLine.Result.RETURNED)
FLAGS = {
    ReportLine.Result.AMOUNT_DIFFERS: Attention.AMOUNT_DIFFERS,
    ReportLine.Result.CONTRADICTS: Attention.CONTRADICTED,
}


def _finding(payout: Payout, attempt: Attempt, reported: Verdict, amount: Decimal) -> ReportLine.Result:
    if amount != payout.amount:
        return ReportLine.Result.AMOUNT_DIFFERS
    was_refused = attempt.outcome == Attempt.Outcome.REFUSED
    was_paid = attempt.outcome == Attempt.Outcome.SUCCEEDED
    match reported:
        case Verdict.REFUSED:
            is_over = was_refused or payout.status == Status.RETURNED
            return ReportLine.Result.AGREES if is_over else ReportLine.Result.ASKED
        case _ if was_refused:
            return ReportLine.Result.CONTRADICTS
        case Verdict.RETURNED:
            is_known = payout.status == Status.RETURNED
            return ReportLine.Result.AGREES if is_known else ReportLine.Result.RETURNED
        case Verdict.SUCCEEDED if not was_paid:
            return ReportLine.Result.SETTLED
        case _:
            return ReportLine.Result.AGREES


def _apply(
    payout: Payout,
    attempt: Attempt,
    result: ReportLine.Result,
    reported: Verdict,
    *,
    at: datetime,
    by: Person,
    source: str,
) -> None:
    facts = {"attempt": str(attempt.reference), "report": source}
    if result in FLAGS and payout.attention not in (FLAGS[result], Attention.CONTRADICTED):
        flag_one(payout, FLAGS[result], at=at, by=by, reason=source, facts=facts)
    elif result == ReportLine.Result.ASKED:
        ask_again(payout, at=at, actor=by)
    elif result in CHANGING:
        if payout.attention in ANSWERED_BY_REPORT:
            payout.attention = Attention.NONE
        if attempt.outcome == Attempt.Outcome.OPEN:
            attempt.outcome, attempt.finished_at, payout.processed_at = Attempt.Outcome.SUCCEEDED, at, at
            attempt.save(update_fields=["outcome", "finished_at"])
            payout.lease_token = None
            move_one(payout, EventName.RECONCILED, Status.PROCESSED, at=at, by=by, reason=source, facts=facts)
        if reported == Verdict.RETURNED:
            move_one(payout, EventName.RETURNED, Status.RETURNED, at=at, by=by, reason=source, facts=facts)
        ring_if_due(payout)


def flag_missing(payout_id: int, *, by: Person, source: str) -> None:
    """Flag a payout for a person: the provider's report covers the day on which it was paid, and does not have it."""
    with locked(payout_id) as (payout, at):
        if payout.status == Status.PROCESSED and not payout.attention:
            flag_one(payout, Attention.MISSING, at=at, by=by, reason=source, facts={"report": source})
