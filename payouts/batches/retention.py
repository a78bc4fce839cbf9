"""Rows of batches that are over lose their recipients after FILES_RETENTION_DAYS; their payouts have their own."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from payouts.batches.errors import BatchAlteredError
from payouts.batches.seals import SEALS_AT_ONCE, check_rows, seal_facts, sealed_rows
from payouts.jobs import Stop, never
from payouts.models import Batch, BatchRow

log = structlog.get_logger(__name__)

FORGOTTEN = ("recipient", "recipient_masked", "given")


def forget(after_id: int = 0, *, must_stop: Stop = never) -> int | None:
    """Forget the recipients and the cells of batches that are over, behind that id.

    Returns the last id that it came to, to go on behind, and None where none is left. A batch that was changed
    outside the product stays as it is, for whoever looks into it, and keeps no other.
    """
    if not settings.FILES_RETENTION_DAYS:
        return None
    before = Now() - timedelta(days=settings.FILES_RETENTION_DAYS)
    is_over = (
        Q(finished_at__lt=before)
        | Q(stopped_at__lt=before)
        | Q(rejected_at__lt=before)
        | Q(discarded_at__lt=before)
        | Q(refusal__isnull=False, checked_at__lt=before)
    )
    due = Batch.objects.filter(is_over, pk__gt=after_id, forgotten_at=None, altered_at=None).order_by("pk")
    for batch_id in list(due.values_list("pk", flat=True)):
        _forget(batch_id)
        if must_stop():
            return batch_id
    return None


def _forget(batch_id: int) -> None:
    """All or nothing of one batch, and sealed anew over what remains."""
    try:
        with transaction.atomic():
            batch = Batch.objects.select_for_update().defer("content").get(pk=batch_id)
            if not batch.is_sealed:
                raise BatchAlteredError
            if batch.rows_seal is not None:
                check_rows(batch)
            rows = list(batch.rows.order_by("number"))
            if not all(row.is_sealed for row in rows):
                raise BatchAlteredError
            for row in rows:
                row.recipient, row.recipient_masked, row.given = "", {}, ""
                row.row_seal = row.expected_row_seal()
            BatchRow.objects.bulk_update(rows, [*FORGOTTEN, "row_seal"], batch_size=SEALS_AT_ONCE)
            if batch.rows_seal is not None:
                batch.rows_seal, _totals = sealed_rows(batch)
                Batch.objects.filter(pk=batch_id).update(rows_seal=batch.rows_seal)
            seal_facts(batch)
            Batch.objects.filter(pk=batch_id).update(forgotten_at=Now(), content=None)
    except BatchAlteredError:
        log.error("batch_not_forgotten", batch=batch_id)
