"""The worker makes payouts of an approved batch's rows.

A payout's reference follows from its row, so that no row can be submitted again, whatever becomes of our record of
it.
"""

import uuid

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import actions, vault
from payouts.actions import PayoutError
from payouts.batches import columns
from payouts.batches.errors import BatchAlteredError
from payouts.batches.seals import check_rows
from payouts.jobs import Job, Stop, never
from payouts.models import BEING_SUBMITTED, Batch, BatchRow, ConfigurationAlteredError, Payout

log = structlog.get_logger(__name__)
SUBMIT = Job("payouts.tasks.submit_batch", Batch, BEING_SUBMITTED)
SUBMITTED_AT_ONCE = 200


def run(batch_id: int, *, must_stop: Stop = never) -> bool:
    """Make a payout of each valid row, made by the uploader and approved by the batch's approver.

    Returns False if it has to go on later. If the batch or a row is not what was approved, nothing is submitted, or
    nothing more; nothing more either once somebody has stopped the batch. A row that another run has in hand is left
    to it.
    """
    batch = (
        Batch.objects.defer("content")
        .select_related("uploaded_by", "approved_by")
        .filter(SUBMIT.waiting, pk=batch_id)
        .first()
    )
    if batch is None:
        return True
    try:
        if not batch.is_sealed:
            raise BatchAlteredError
        check_rows(batch)
        after = 0
        while rows := list(_waiting(batch).filter(number__gt=after).values_list("pk", "number")[:SUBMITTED_AT_ONCE]):
            for row_id, after in rows:  # noqa: B007 (the last one is where to go on)
                if not _submit_one(batch, row_id):
                    return True
            SUBMIT.give_sign(batch_id)
            if must_stop():
                return False
    except BatchAlteredError:
        log.error("batch_altered_outside", batch=batch_id)
        Batch.objects.filter(pk=batch_id).update(altered_at=Now())
        return True
    if not _waiting(batch).exists():
        Batch.objects.filter(pk=batch_id, finished_at=None, stopped_at=None).update(finished_at=Now())
    return True


def _waiting(batch: Batch) -> QuerySet[BatchRow]:
    """The rows that are neither a payout yet nor refused."""
    return batch.rows.filter(is_valid=True, payout=None, refusal__isnull=True).order_by("number")


def _submit_one(batch: Batch, row_id: int) -> bool:
    """Make the row's payout and note it on the row, in a transaction of its own: other submissions need not wait.

    A row that fails says why, and the others go on. Returns False, and does nothing, when the batch was stopped.
    """
    try:
        with transaction.atomic():
            if _is_stopped(batch):
                return False
            row = _waiting(batch).select_for_update(skip_locked=True).filter(pk=row_id).first()
            if row is None:
                return True
            if not row.is_sealed:
                raise BatchAlteredError
            row.payout = _payout(batch, row)
            row.save(update_fields=["payout"])
    except (OperationalError, InterfaceError, BatchAlteredError, ConfigurationAlteredError):
        raise  # the row is not at fault
    except vault.UnreadableError:
        _refuse_row(batch, row_id, "unreadable")
    except actions.UnpayableError as error:
        _column, code, parameters = columns.unpayable(error.obstacle)
        _refuse_row(batch, row_id, code, **parameters)
    except PayoutError as error:
        _refuse_row(batch, row_id, "refused", text=str(error))
    except Exception:
        log.exception("batch_row_not_submitted", batch=batch.pk, row=row_id)
        _refuse_row(batch, row_id, "row_failed")
    return True


def _is_stopped(batch: Batch) -> bool:
    """Whether somebody has stopped it. Until the transaction ends nobody can: whoever stops it waits for this row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT stopped_at IS NOT NULL FROM payouts_batch WHERE id = %s FOR SHARE", [batch.pk])
        is_stopped: bool = cursor.fetchone()[0]
    return is_stopped


def _payout(batch: Batch, row: BatchRow) -> Payout:
    assert batch.approved_by is not None
    assert row.user_id is not None
    assert row.amount is not None
    return actions.submit_approved(
        reference=_reference(batch, row),
        user_id=row.user_id,
        amount=row.amount,
        currency=row.currency,
        recipient=row.recipient_details,
        comment=row.comment,
        maker=batch.uploaded_by,
        checker=batch.approved_by,
        reason=_("batch %(name)s") % {"name": batch.name},
    )


def _refuse_row(batch: Batch, row_id: int, code: str, **parameters: str) -> None:
    _waiting(batch).filter(pk=row_id).update(refusal=[code, parameters])


def _reference(batch: Batch, row: BatchRow) -> uuid.UUID:
    """Follows from the row, so it is always the same, and only one payout can have it."""
    return uuid.UUID(bytes=vault.fingerprint("batch-payout", batch.pk, row.number)[:16], version=4)
