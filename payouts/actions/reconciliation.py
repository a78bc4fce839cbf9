"""A line of a provider's report is compared with our record."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from payouts.actions.errors import AlteredError
from payouts.actions.moves import Person, flag_one, locked, move_one
from payouts.actions.news import ask_again
from payouts.database import rows
from payouts.models import Attempt, Attention, EventName, Payout, ReportLine
from payouts.providers import Verdict
from payouts.rules import UNANSWERED
from payouts.states import Status

Result = ReportLine.Result


@dataclass(frozen=True, slots=True)
class Reported:
    """What a line says of a payment; what it does not say is empty."""

    verdict: Verdict
    amount: Decimal
    currency: str = ""
    provider_id: str = ""
    fee: Decimal | None = None


def reconcile(
    reference: uuid.UUID, reported: Reported, *, by: Person | str, source: str
) -> tuple[int | None, ReportLine.Result]:
    """Compare one line of a provider's report with our record; returns the payout's id and the result.

    Whoever the report comes from, it settles nothing: where it says what we do not know, the provider itself is asked
    at once about the payment, and its answer counts. What differs is flagged for a person. `by` is the person who
    uploaded it, or the name of what is nobody; `source` names the line.
    """
    payout_id = Attempt.objects.filter(reference=reference).values_list("payout_id", flat=True).first()
    if payout_id is None:
        return None, Result.NOT_OURS
    try:
        with locked(payout_id) as (payout, at):
            attempt = payout.attempts.get(reference=reference)
            result = finding(payout, attempt, reported)
            _apply(payout, attempt, result, at=at, by=by, source=source)
            if result in (Result.AGREES, Result.ASKED):
                record_fees([(attempt, reported)])
    except AlteredError:
        return payout_id, Result.ALTERED
    return payout_id, result


# For these the provider is asked when a report has the payment. What it does not confirm is flagged again.
ASKED_BY_REPORT = (*UNANSWERED, Attention.UNWORKABLE, Attention.MISSING)
FLAGS = {
    Result.AMOUNT_DIFFERS: Attention.AMOUNT_DIFFERS,
    Result.CURRENCY_DIFFERS: Attention.AMOUNT_DIFFERS,
    Result.CONTRADICTS: Attention.CONTRADICTED,
}


def finding(payout: Payout, attempt: Attempt, reported: Reported) -> ReportLine.Result:
    """What a line about the attempt comes to, as far as the payout's row is what the product wrote."""
    if reported.currency not in ("", payout.currency):
        return Result.CURRENCY_DIFFERS
    if reported.amount != payout.amount:
        return Result.AMOUNT_DIFFERS
    was_refused = attempt.outcome == Attempt.Outcome.REFUSED
    was_paid = attempt.outcome == Attempt.Outcome.SUCCEEDED
    match reported.verdict:
        case Verdict.REFUSED:
            is_known = was_refused or payout.status == Status.RETURNED
        case _ if was_refused or _is_another(attempt, reported):
            return Result.CONTRADICTS
        case Verdict.RETURNED:
            is_known = payout.status == Status.RETURNED
        case Verdict.SUCCEEDED:
            is_known = was_paid
        case _:
            is_known = not was_paid
    return Result.AGREES if is_known else Result.ASKED


def _is_another(attempt: Attempt, reported: Reported) -> bool:
    """Whether the provider has a second payment under the attempt's key: it forgets keys, and then pays again."""
    return bool(attempt.provider_id and reported.provider_id) and attempt.provider_id != reported.provider_id


def _apply(
    payout: Payout, attempt: Attempt, result: ReportLine.Result, *, at: datetime, by: Person | str, source: str
) -> None:
    facts = {"attempt": str(attempt.reference), "report": source}
    if result in FLAGS and payout.attention not in (FLAGS[result], Attention.CONTRADICTED):
        flag_one(payout, FLAGS[result], at=at, by=by, reason=source, facts=facts)
    elif result == Result.ASKED:
        if payout.attention in ASKED_BY_REPORT:
            payout.attention = Attention.NONE
        move_one(payout, EventName.ASKED, Status(payout.status), at=at, by=by, reason=source, facts=facts)
        ask_again(payout, at=at, actor=by)


def record_fees(told: Sequence[tuple[Attempt, Reported]]) -> None:
    """Keep what the provider took for these attempts, where it has not told it before.

    It is a fact about a payment that was made: no status, no seal and no version hangs on it, so it is no event. The
    line of the report stays, and says where it comes from.
    """
    fees = {
        attempt.reference: reported.fee
        for attempt, reported in told
        if reported.fee is not None and reported.verdict == Verdict.SUCCEEDED
    }
    if not fees:
        return
    with transaction.atomic():
        # In the order in which outcomes are recorded.
        payouts = {attempt.payout_id for attempt, _reported in told}
        list(Payout.objects.select_for_update(no_key=True).filter(pk__in=payouts).order_by("pk").values_list("pk"))
        attempts = list(Attempt.objects.filter(reference__in=fees, fee=None))
        for attempt in attempts:
            attempt.fee = fees[attempt.reference]
        rows.update(Attempt, attempts, ("fee",), key="reference")


def flag_missing(payout_id: int, *, by: Person | str, source: str) -> None:
    """Flag a payout for a person: the provider's report covers the day on which it was paid, and does not have it."""
    with locked(payout_id) as (payout, at):
        if payout.status == Status.PROCESSED and not payout.attention:
            flag_one(payout, Attention.MISSING, at=at, by=by, reason=source, facts={"report": source})
