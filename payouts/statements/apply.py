"""The worker holds a report against our record.

Where a line says what we do not know, the provider is asked; what differs is flagged (`actions.reconcile`). A report
settles nothing: one person's file could say anything. A line and what it did are one transaction, so a run that dies
is taken up where it ended, and two runs at once do nothing twice.
"""

import uuid
from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import CharField, Exists, OuterRef, Subquery, UUIDField
from django.db.models.functions import Cast, Now

from payouts import actions
from payouts.actions import AlteredError, unknown_payments
from payouts.actions.unknown_payments import Heard
from payouts.daily_totals import midnight
from payouts.jobs import Stop, never
from payouts.models import Attempt, ProviderReport, ReportLine, UnknownPayment
from payouts.providers import Verdict
from payouts.statements.read import APPLY, KEY, STATUSES

log = structlog.get_logger(__name__)

BATCH = 1_000
Result = ReportLine.Result


def run(report_id: int, *, must_stop: Stop = never) -> bool:
    """Go through the lines without a result, then through what the report lacks; returns False if stopped before.

    A line that another run has in hand is left to it, and one that cannot be applied holds up no other: the report
    stays open until every line has its result.
    """
    report = ProviderReport.objects.select_related("uploaded_by").get(pk=report_id)
    if report.applied_at:
        return True
    after = 0
    while batch := _apply_plain(report, after):
        after, special = batch
        for line_id in special:
            if must_stop():
                return False
            _apply_one(report, line_id)
        APPLY.give_sign(report.pk)
        if must_stop():
            return False
    return _finish(report, must_stop)


def _apply_plain(report: ProviderReport, after: int) -> tuple[int, list[int]] | None:
    """Record at once the lines that simply agree, or name no payment of ours; no payout changes.

    Returns the last number looked at and the ids of the other lines, or None after the last line.
    """
    with transaction.atomic():
        lines = list(
            ReportLine.objects.select_for_update(skip_locked=True)
            .filter(report=report, result=Result.WAITING, number__gt=after)
            .order_by("number")[:BATCH]
        )
        if not lines:
            return None
        keys = {line.pk: uuid.UUID(line.reference) for line in lines if KEY.fullmatch(line.reference)}
        attempts = (
            Attempt.objects.filter(reference__in=keys.values()).select_related("payout").defer("payout__recipient")
        )
        ours = {attempt.reference: attempt for attempt in attempts}
        strange: list[int] = []
        agreed: list[int] = []
        special: list[int] = []
        for line in lines:
            attempt = ours.get(keys[line.pk]) if line.pk in keys else None
            group = strange if attempt is None else agreed if _agrees(line, attempt) else special
            group.append(line.pk)
        payout = Attempt.objects.filter(reference=Cast(OuterRef("reference"), UUIDField())).values("payout_id")
        ReportLine.objects.filter(pk__in=strange).update(result=Result.NOT_OURS)
        _alarm(report, [line for line in lines if line.pk in keys and keys[line.pk] not in ours])
        ReportLine.objects.filter(pk__in=agreed).update(result=Result.AGREES, payout_id=Subquery(payout))
    assert lines[-1].number is not None
    return lines[-1].number, special


def _alarm(report: ProviderReport, lines: list[ReportLine]) -> None:
    """A key like ours that we do not know may be of a payment that the database has forgotten."""
    heard = [
        Heard(
            uuid.UUID(line.reference),
            STATUSES[line.status],
            amount=line.amount,
            detail=f"{report.name}:{line.number}",
        )
        for line in lines
    ]
    unknown_payments.note(heard, provider=report.provider, source=UnknownPayment.Source.REPORT)


def _agrees(line: ReportLine, attempt: Attempt) -> bool:
    """Whether both say paid, and the same amount. Neither ever changes with us, so no lock is needed."""
    payout = attempt.payout
    return (
        STATUSES[line.status] == Verdict.SUCCEEDED
        and attempt.outcome == Attempt.Outcome.SUCCEEDED
        and line.amount == payout.amount
        and payout.is_sealed
    )


def _apply_one(report: ProviderReport, line_id: int) -> None:
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
                uuid.UUID(line.reference),
                reported=STATUSES[line.status],
                amount=line.amount,
                by=report.uploaded_by,
                source=f"{report.name}:{line.number}",
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
        for attempt in _without_reported(report, attempts):
            if must_stop():
                return False
            _record_missing(report, attempt)
        after = attempts[-1].pk
        APPLY.give_sign(report.pk)
    ProviderReport.objects.filter(pk=report.pk, applied_at=None).update(applied_at=Now())
    return True


def _unlisted(report: ProviderReport, after: int) -> list[Attempt]:
    """The next of our attempts that succeeded in the report's period and that it does not list."""
    if report.from_on is None or report.to_on is None:
        return []
    listed = ReportLine.objects.filter(report=report, reference=Cast(OuterRef("reference"), CharField()))
    return list(
        Attempt.objects.filter(
            ~Exists(listed),
            pk__gt=after,
            provider=report.provider,
            outcome=Attempt.Outcome.SUCCEEDED,
            finished_at__gte=midnight(report.from_on),
            finished_at__lt=midnight(report.to_on + timedelta(days=1)),
        ).order_by("pk")[:BATCH]
    )


def _without_reported(report: ProviderReport, attempts: list[Attempt]) -> list[Attempt]:
    """Those that no other report lists: around midnight the provider's day may be the one before ours."""
    reported = set(
        ReportLine.objects.filter(
            report__provider=report.provider,
            number__isnull=False,
            reference__in=[str(attempt.reference) for attempt in attempts],
        ).values_list("reference", flat=True)
    )
    return [attempt for attempt in attempts if str(attempt.reference) not in reported]


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
            actions.flag_missing(attempt.payout_id, by=report.uploaded_by, source=report.name)
        except AlteredError:
            line.result = Result.ALTERED
            line.save(update_fields=("result",))
