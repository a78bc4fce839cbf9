"""Rows of batches that are over lose their recipients after FILES_RETENTION_DAYS, and masks of the erased before."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from payouts import recipients
from payouts.batches.decide import move
from payouts.batches.errors import BatchAlteredError
from payouts.batches.seals import SEALS_AT_ONCE, check_rows, seal_facts, sealed_rows
from payouts.jobs import Stop, never
from payouts.models import Batch, BatchRow, BatchState, read_keys

log = structlog.get_logger(__name__)

FORGOTTEN = ("recipient", "recipient_masked", "given")
# Whoever is paid again has a new key, and masks that stay.
STILL_MASKED = """
SELECT DISTINCT r.batch_id FROM payouts_recipientkey k
JOIN payouts_batchrow r ON r.recipient_index = k.recipient_index AND starts_with(r.recipient, k.id || ':')
JOIN payouts_batch b ON b.id = r.batch_id AND b.altered_at IS NULL
WHERE k.erased_at IS NOT NULL AND NOT r.recipient_masked ? %s ORDER BY r.batch_id
"""


def forget(after_id: int = 0, *, must_stop: Stop = never) -> int | None:
    """Forget the recipients and the cells of batches that are over, or were sent to nobody, behind that id.

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
        | Q(sent_at=None, checked_at__lt=before)
    )
    due = Batch.objects.filter(is_over, pk__gt=after_id, forgotten_at=None, altered_at=None).order_by("pk")
    for batch_id in list(due.values_list("pk", flat=True)):
        _forget(batch_id)
        if must_stop():
            return batch_id
    return None


def unmask(*, must_stop: Stop = never) -> bool:
    """Put the day in place of the masks of rows whose recipients were erased. Returns whether all of it is done."""
    with connection.cursor() as cursor:
        cursor.execute(STILL_MASKED, [recipients.ERASED_ON])
        batch_ids = [batch_id for (batch_id,) in cursor.fetchall()]
    for batch_id in batch_ids:
        _rewrite(batch_id, _unmask)
        if must_stop():
            return bool(batch_id == batch_ids[-1])
    return True


def _forget(batch_id: int) -> None:
    with transaction.atomic():
        if not _rewrite(batch_id, _empty):
            return
        batch = Batch.objects.defer("content").get(pk=batch_id)
        if batch.state == BatchState.PREVIEW:
            move(batch, "discarded_at")
        Batch.objects.filter(pk=batch_id).update(forgotten_at=Now(), content=None)


def _empty(rows: list[BatchRow]) -> None:
    for row in rows:
        row.recipient, row.recipient_masked, row.given = "", {}, ""


def _unmask(rows: list[BatchRow]) -> None:
    read_keys(rows)
    for row in rows:
        if (key := row.erasure) and key.erased_at:
            row.recipient_masked = recipients.erased(timezone.localdate(key.erased_at))


def _rewrite(batch_id: int, change: Callable[[list[BatchRow]], None]) -> bool:
    """Change the rows of one batch and seal it anew: all or nothing. False where SQL has changed it."""
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
            change(rows)
            for row in rows:
                row.row_seal = row.expected_row_seal()
            BatchRow.objects.bulk_update(rows, [*FORGOTTEN, "row_seal"], batch_size=SEALS_AT_ONCE)
            if batch.rows_seal is not None:
                batch.rows_seal, _totals = sealed_rows(batch)
                Batch.objects.filter(pk=batch_id).update(rows_seal=batch.rows_seal)
            seal_facts(batch)
    except BatchAlteredError:
        log.error("batch_not_forgotten", batch=batch_id)
        return False
    return True
