"""The worker holds a report against our record.

Where a line says what we do not know, the provider is asked; what differs is flagged (`actions.reconcile`). A report
settles nothing: one person's file could say anything. A line and what it did are one transaction, so a run that dies
is taken up where it ended, and two runs at once do nothing twice.
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import CharField, Exists, OuterRef, Q, Subquery, UUIDField
from django.db.models.functions import Cast, Now

from payouts import actions
from payouts.actions import AlteredError, Reported, unknown_payments
from payouts.actions.days import bounds
from payouts.actions.unknown_payments import Heard
from payouts.jobs import Stop, never
from payouts.models import Attempt, ProviderReport, ReportLine, UnknownPayment
from payouts.providers.csv_report import STATUSES
from payouts.statements.lines import APPLY

log = structlog.get_logger(__name__)

BATCH = 1_000
Result = ReportLine.Result
# The provider's clock may differ from ours by so much.
CLOCKS = timedelta(minutes=2)
# What was made on a day and ended so long after it is looked for no more in the lists that begin with that day.
LATEST_END = timedelta(days=7)


def run(report_id: int, *, must_stop: Stop = never) -> bool:
    """Go through the lines without a result, then through what the report lacks; returns False if stopped before.

    A line that another run has in hand is left to it, and one that cannot be applied holds up no other: the report
    stays open until every line has its result, or a later list of the same day supersedes it.
    """
    report = ProviderReport.objects.select_related("uploaded_by").get(pk=report_id)
    if report.applied_at or _is_superseded(report):
        return True
    after = 0
    while batch := _apply_plain(report, after):
        after, special = batch
        for line_id, reference in special:
            if must_stop():
                return False
            _apply_one(report, line_id, reference)
        APPLY.give_sign(report.pk)
        if must_stop():
            return False
    return _finish(report, must_stop)


def _is_superseded(report: ProviderReport) -> bool:
    return ProviderReport.objects.filter(pk=report.pk, superseded_at__isnull=False).exists()


def _who(report: ProviderReport) -> User | str:
    return report.uploaded_by or f"provider:{report.provider}"


def _apply_plain(report: ProviderReport, after: int) -> tuple[int, list[tuple[int, uuid.UUID]]] | None:
    """Record at once the lines that simply agree, or name no payment of ours; no payout changes.

    Returns the last number looked at, and the ids of the other lines with our keys, or None after the last line.
    """
    with transaction.atomic():
        lines = list(
            ReportLine.objects.select_for_update(skip_locked=True)
            .filter(report=report, result=Result.WAITING, number__gt=after)
            .order_by("number")[:BATCH]
        )
        if not lines:
            return None
        ours = _ours(report, lines)
        strange: list[ReportLine] = []
        agreed: list[ReportLine] = []
        fees: list[tuple[Attempt, Reported]] = []
        special: list[tuple[int, uuid.UUID]] = []
        for line in lines:
            attempt = ours.get(line.reference)
            if attempt is None:
                strange.append(line)
            elif _agrees(attempt, reported := _reported(line)):
                agreed.append(line)
                fees.append((attempt, reported))
            else:
                special.append((line.pk, attempt.reference))
        _set(strange, result=Result.NOT_OURS)
        own = Attempt.objects.filter(provider=report.provider)
        by_key = own.filter(reference=Cast(OuterRef("reference"), UUIDField()))
        by_id = own.exclude(provider_id="").filter(provider_id=OuterRef("reference")).order_by("-pk")
        for is_by_id, found in ((False, by_key), (True, by_id)):
            of_these = [line for line in agreed if line.is_named_by_provider == is_by_id]
            _set(of_these, result=Result.AGREES, payout_id=Subquery(found.values("payout_id")[:1]))
        actions.record_fees(fees)
        _alarm(report, [line for line in strange if not line.is_named_by_provider])
    assert lines[-1].number is not None
    return lines[-1].number, special


def _set(lines: Sequence[ReportLine], **values: Any) -> None:
    if lines:
        ReportLine.objects.filter(pk__in=[line.pk for line in lines]).update(**values)


def _ours(report: ProviderReport, lines: Sequence[ReportLine]) -> dict[str, Attempt]:
    """The account's attempts by what the report calls them: our key, or the provider's ID."""
    attempts = (
        Attempt.objects.filter(provider=report.provider).select_related("payout").defer("payout__recipient")
    ).order_by("pk")
    keys = [line.reference for line in lines if not line.is_named_by_provider]
    ids = [line.reference for line in lines if line.is_named_by_provider]
    by_id = attempts.exclude(provider_id="").filter(provider_id__in=ids) if ids else []  # as the index has them
    return {attempt.provider_id: attempt for attempt in by_id} | {
        str(attempt.reference): attempt for attempt in attempts.filter(reference__in=keys)
    }


def _reported(line: ReportLine) -> Reported:
    return Reported(
        STATUSES[line.status], line.amount, currency=line.currency, provider_id=line.provider_id, fee=line.fee
    )


def _alarm(report: ProviderReport, lines: list[ReportLine]) -> None:
    """A key like ours that we do not know may be of a payment that the database has forgotten."""
    heard = [
        Heard(
            uuid.UUID(line.reference),
            STATUSES[line.status],
            amount=line.amount,
            currency=line.currency,
            provider_id=line.provider_id,
            detail=f"{report.name}:{line.number}",
        )
        for line in lines
    ]
    unknown_payments.note(heard, provider=report.provider, source=UnknownPayment.Source.REPORT)


def _agrees(attempt: Attempt, reported: Reported) -> bool:
    """Whether both say paid, and the same of it. Neither ever changes with us, so no lock is needed."""
    payout = attempt.payout
    return (
        STATUSES["succeeded"] == reported.verdict
        and actions.finding(payout, attempt, reported) == Result.AGREES
        and payout.is_sealed
    )


def _apply_one(report: ProviderReport, line_id: int, reference: uuid.UUID) -> None:
    try:
        with transaction.atomic():
            line = (
                ReportLine.objects.select_for_update(skip_locked=True)
                .filter(pk=line_id, result=Result.WAITING)
                .first()
            )
            if line is None:
                return
            line.payout_id, line.result = actions.reconcile(
                reference, _reported(line), by=_who(report), source=f"{report.name}:{line.number}"
            )
            line.save(update_fields=("payout", "result"))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("report_line_not_applied", report=report.pk, line=line_id)


def _finish(report: ProviderReport, must_stop: Stop) -> bool:
    if report.lines.filter(result=Result.WAITING).exists():
        return True
    after = 0
    while attempts := _unlisted(report, after):
        if _is_superseded(report):
            return True
        for attempt in _expected(report, attempts):
            if must_stop():
                return False
            _record_missing(report, attempt)
        after = attempts[-1].pk
        APPLY.give_sign(report.pk)
    ProviderReport.objects.filter(pk=report.pk, applied_at=None).update(applied_at=Now())
    return True


def _unlisted(report: ProviderReport, after: int) -> list[Attempt]:
    """The next of our attempts that were paid in the report's period, as we know it, and that it does not list."""
    if report.from_on is None or report.to_on is None:
        return []
    begins, ends = bounds(report.from_on, report.to_on, report.zone)
    if report.listed_at:  # _listed_throughout sorts out those that may be of another day
        paid = Q(finished_at__gte=begins - CLOCKS, finished_at__lt=ends + LATEST_END, created_at__lt=ends + CLOCKS)
    else:
        paid = Q(finished_at__gte=begins, finished_at__lt=ends)
    named = (Cast(OuterRef("reference"), CharField()), OuterRef("provider_id"))
    attempts = Attempt.objects.filter(
        paid,
        ~Exists(ReportLine.objects.filter(report=report, reference__in=named)),
        pk__gt=after,
        provider=report.provider,
        outcome=Attempt.Outcome.SUCCEEDED,
    )
    return list(attempts.order_by("pk")[:BATCH])


def _expected(report: ProviderReport, attempts: Sequence[Attempt]) -> list[Attempt]:
    """Those that no other report lists: around midnight the provider's day may be the one before ours.

    A list is of what was made on a day, which is some time between our attempt and our knowing its end: all of these
    days must have been listed. What the provider itself does not list is missing whatever a person's file says.
    """
    reported = set(
        ReportLine.objects.filter(
            **({"report__listed_at__isnull": False} if report.listed_at else {}),
            report__provider=report.provider,
            report__superseded_at=None,
            number__isnull=False,
            reference__in=[
                name for attempt in attempts for name in (str(attempt.reference), attempt.provider_id) if name
            ],
        ).values_list("reference", flat=True)
    )
    missing = [each for each in attempts if not reported & {str(each.reference), each.provider_id}]
    return _listed_throughout(report, missing) if report.listed_at else missing


def _listed_throughout(report: ProviderReport, attempts: Sequence[Attempt]) -> list[Attempt]:
    zone = ZoneInfo(report.zone)
    days = set(
        ProviderReport.objects.filter(
            provider=report.provider, listed_at__isnull=False, superseded_at=None
        ).values_list("from_on", flat=True)
    )

    def is_listed(attempt: Attempt) -> bool:
        assert attempt.finished_at is not None
        first, last = (
            at.astimezone(zone).date()
            for at in (min(attempt.created_at, attempt.finished_at) - CLOCKS, attempt.finished_at + CLOCKS)
        )
        return all(first + timedelta(days=each) in days for each in range((last - first).days + 1))

    return [attempt for attempt in attempts if is_listed(attempt)]


def _record_missing(report: ProviderReport, attempt: Attempt) -> None:
    with transaction.atomic():
        line, is_new = ReportLine.objects.get_or_create(
            report=report,
            reference=str(attempt.reference),
            defaults={
                "payout_id": attempt.payout_id,
                "amount": attempt.payout.amount,
                "result": Result.MISSING,
            },
        )
        if not is_new:
            return
        try:
            actions.flag_missing(attempt.payout_id, by=_who(report), source=report.name)
        except AlteredError:
            line.result = Result.ALTERED
            line.save(update_fields=("result",))
