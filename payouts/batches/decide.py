"""People decide on a batch as a whole: its uploader sends or discards it, another person approves or rejects it.

Anybody who may hold payouts may stop an approved one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import batch_rules
from payouts.actions import FourEyesError, NotFoundError
from payouts.batches.errors import BatchAlteredError, BatchError, BatchVersionError
from payouts.batches.seals import check_rows, seal_facts, sealed_rows
from payouts.batches.submit import SUBMIT
from payouts.database.clock import clock
from payouts.database.storable import text_fault
from payouts.models import Batch
from payouts.rules import Personal


def send(batch_id: int, *, by: User, note: str = "", leaves_errors_out: bool = False, revision: int) -> Batch:
    """Ask for another person's approval of all valid rows, whose terms are sealed from now on."""
    with _locked(batch_id, revision=revision) as batch:
        _refuse_if(batch_rules.why_not_send_batch(batch, by))
        if batch.rows_wrong and not leaves_errors_out:
            raise BatchError(_("Some rows have errors: confirm that they are left out."))
        seal, totals = sealed_rows(batch)
        if totals != batch.totals:
            raise BatchAlteredError
        batch.rows_seal, batch.sent_note = seal, _text(note)
        move(batch, "sent_at")
    return batch


def discard(batch_id: int, *, by: User, revision: int) -> Batch:
    """Give up a batch that is not approved: nothing of it is paid, and its file may come again."""
    with _locked(batch_id, revision=revision) as batch:
        _refuse_if(batch_rules.why_not_discard_batch(batch, by))
        batch.content = None
        move(batch, "discarded_at", "content")
    return batch


def approve(batch_id: int, *, by: User, reason: str = "", revision: int) -> Batch:
    """Approve every valid row as it was sent; the worker then submits them, each with this person's approval.

    Raises FourEyesError for the person who uploaded it, BatchAlteredError when a row is not what was sent.
    """
    with _locked(batch_id, revision=revision) as batch:
        _refuse_if(batch_rules.why_not_decide_on_batch(batch, by))
        check_rows(batch)
        batch.approved_by, batch.reason, batch.seen_at = by, _text(reason), Now()
        move(batch, "approved_at")
        SUBMIT.ring(batch.pk)
    return batch


def reject(batch_id: int, *, by: User, reason: str, revision: int) -> Batch:
    """Refuse the whole batch for good."""
    with _locked(batch_id, revision=revision) as batch:
        _refuse_if(batch_rules.why_not_decide_on_batch(batch, by))
        if not reason.strip():
            raise BatchError(_("Give a reason."))
        batch.rejected_by, batch.reason = by, _text(reason)
        move(batch, "rejected_at")
    return batch


def stop(batch_id: int, *, by: User, reason: str) -> Batch:
    """Let no further row of an approved batch become a payout, for good. Those that are payouts already stay."""
    with _locked(batch_id) as batch:
        _refuse_if(batch_rules.why_not_stop_batch(batch, by))
        if not reason.strip():
            raise BatchError(_("Give a reason."))
        batch.stopped_by, batch.stop_reason = by, _text(reason)
        move(batch, "stopped_at", "stopped_by", "stop_reason")
    return batch


def _refuse_if(obstacle: str) -> None:
    """Raises FourEyesError where another person may do it, BatchError where nobody may."""
    if isinstance(obstacle, Personal):
        raise FourEyesError(obstacle)
    if obstacle:
        raise BatchError(obstacle)


@contextmanager
def _locked(batch_id: int, *, revision: int | None = None) -> Iterator[Batch]:
    """The batch under its row lock, inside a transaction. Raises NotFoundError, BatchVersionError, BatchAlteredError.

    Where somebody decided already, the revision is not compared: the refusal then names that person.
    """
    with transaction.atomic():
        batch = (
            Batch.objects.select_for_update(of=("self",))
            .select_related("uploaded_by", "approved_by", "rejected_by", "stopped_by")
            .defer("content")
            .filter(pk=batch_id)
            .first()
        )
        if batch is None:
            raise NotFoundError
        if not batch.is_sealed:
            raise BatchAlteredError
        if revision not in (None, batch.revision) and not (batch.approved_by or batch.rejected_by):
            raise BatchVersionError
        yield batch


def move(batch: Batch, moment: str, *fields: str) -> None:
    """Record what was decided on the batch, which is locked, at the database's time, sealed."""
    setattr(batch, moment, clock())
    batch.revision += 1
    decided = ("rows_seal", "sent_note", "approved_by", "rejected_by", "reason", "seen_at", "revision")
    batch.save(update_fields=[moment, *decided, *fields])
    seal_facts(batch)


def _text(text: str) -> str:
    """Raises BatchError."""
    text = text.strip()
    if fault := text_fault(text):
        raise BatchError(fault)
    return text
