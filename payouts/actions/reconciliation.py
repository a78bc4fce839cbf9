"""A line of a provider's report is compared with our record."""

import uuid
from datetime import datetime
from decimal import Decimal

from payouts.actions.errors import AlteredError
from payouts.actions.moves import Person, flag_one, locked, move_one
from payouts.actions.news import ask_again
from payouts.models import Attempt, Attention, EventName, Payout, ReportLine
from payouts.providers import Verdict
from payouts.rules import UNANSWERED
from payouts.states import Status


def reconcile(
    reference: uuid.UUID, *, reported: Verdict, amount: Decimal, by: Person, source: str
) -> tuple[int | None, ReportLine.Result]:
    """Compare one line of a provider's report with our record; returns the payout's id and the result.

    A person uploads the report, so it settles nothing: where it says what we do not know, the provider itself is
    asked at once, and its answer counts. What differs is flagged for a person. `source` names the line.
    """
    payout_id = Attempt.objects.filter(reference=reference).values_list("payout_id", flat=True).first()
    if payout_id is None:
        return None, ReportLine.Result.NOT_OURS
    try:
        with locked(payout_id) as (payout, at):
            attempt = payout.attempts.get(reference=reference)
            result = _finding(payout, attempt, reported, amount)
            _apply(payout, attempt, result, at=at, by=by, source=source)
    except AlteredError:
        return payout_id, ReportLine.Result.ALTERED
    return payout_id, result


# For these the provider is asked when a report has the payment. What it does not confirm is flagged again.
ASKED_BY_REPORT = (*UNANSWERED, Attention.UNWORKABLE, Attention.MISSING)
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
            is_known = was_refused or payout.status == Status.RETURNED
        case _ if was_refused:
            return ReportLine.Result.CONTRADICTS
        case Verdict.RETURNED:
            is_known = payout.status == Status.RETURNED
        case Verdict.SUCCEEDED:
            is_known = was_paid
        case _:
            is_known = True
    return ReportLine.Result.AGREES if is_known else ReportLine.Result.ASKED


def _apply(
    payout: Payout, attempt: Attempt, result: ReportLine.Result, *, at: datetime, by: Person, source: str
) -> None:
    facts = {"attempt": str(attempt.reference), "report": source}
    if result in FLAGS and payout.attention not in (FLAGS[result], Attention.CONTRADICTED):
        flag_one(payout, FLAGS[result], at=at, by=by, reason=source, facts=facts)
    elif result == ReportLine.Result.ASKED:
        if payout.attention in ASKED_BY_REPORT:
            payout.attention = Attention.NONE
        move_one(payout, EventName.ASKED, Status(payout.status), at=at, by=by, reason=source, facts=facts)
        ask_again(payout, at=at, actor=by)


def flag_missing(payout_id: int, *, by: Person, source: str) -> None:
    """Flag a payout for a person: the provider's report covers the day on which it was paid, and does not have it."""
    with locked(payout_id) as (payout, at):
        if payout.status == Status.PROCESSED and not payout.attention:
            flag_one(payout, Attention.MISSING, at=at, by=by, reason=source, facts={"report": source})
