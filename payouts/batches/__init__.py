"""Batches: a file of payouts, checked by row, sent by one person, approved as a whole by another, then submitted.

The worker checks and submits in chunks, each one transaction: a run that dies is taken up where it ended, and runs at
the same time do nothing twice. A payout's reference follows from its row, so that no row can be submitted again,
whatever becomes of our record of it.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django_q.tasks import async_task
from psycopg.types.json import Jsonb

from payouts import actions, money, vault
from payouts.actions import AlteredError, FourEyesError, NotFoundError, PayoutError, VersionError
from payouts.batches import columns
from payouts.batches.columns import Fault, Given, Order
from payouts.database.storable import is_storable
from payouts.files import tables
from payouts.files.tables import SheetError
from payouts.models import Batch, BatchRow, BatchState, Payout
from payouts.states import Status

log = structlog.get_logger(__name__)

CHECK = "payouts.tasks.check_batch"
SUBMIT = "payouts.tasks.submit_batch"
ROWS_LIMIT = 50_000
NAME_LIMIT = 255
TEXT_LIMIT = 1_000
CHECKED_AT_ONCE = 1_000
SUBMITTED_AT_ONCE = 200
SEALS_AT_ONCE = 2_000
DUPLICATES_WITHIN_DAYS = 30
STOPPED = (Status.REJECTED.value, Status.CANCELLED.value)
# A batch whose task has given no sign for so long has lost it.
FORGOTTEN_AFTER = timedelta(minutes=2)
# A file at which the worker dies so often without storing a row is not one to try again.
TRIES_LIMIT = 5

type Stop = Callable[[], bool]


class BatchError(PayoutError):
    """A refusal that leaves the batch as it was. `earlier` is the batch that the same file is already, if it is."""

    def __init__(self, text: str, earlier: Batch | None = None) -> None:
        super().__init__(text)
        self.earlier = earlier


class BatchVersionError(VersionError):
    def __init__(self) -> None:
        PayoutError.__init__(self, _("The batch has changed since you saw it. Look at it again, then decide."))


class BatchAlteredError(AlteredError):
    def __init__(self) -> None:
        PayoutError.__init__(
            self, _("This batch was changed outside the product. Nothing may be done with it before an audit.")
        )


# Coming in


def store(content: bytes, *, name: str, by: User) -> Batch:
    """Keep the file, encrypted, and have it checked by the worker.

    Raises BatchError for what is no table at all and for a file that is a batch already.
    """
    try:
        kind, encoding = tables.look(content)
    except SheetError as error:
        raise BatchError(" ".join(columns.sentence(*fault) for fault in error.faults)) from error
    digest = vault.seal("batch-file", sha256(content).hexdigest())
    batch = Batch(
        name=_printable(name),
        content_hash=digest,
        content=vault.encrypt_file(content),
        format=kind,
        encoding=encoding,
        uploaded_by=by,
        rung_at=Now(),
        facts_seal=b"",
    )
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            _seal_facts(batch)
            async_task(CHECK, batch.pk)
    except IntegrityError as error:
        if "batch_file_once" not in str(error):
            raise
        raise _known(digest) from None  # the error's detail has the file
    return batch


def _known(digest: bytes) -> BatchError:
    earlier = (
        Batch.objects.defer("content").select_related("uploaded_by").filter(content_hash=digest, **STANDING).first()
    )
    if earlier is None:  # it ended in this very moment
        return BatchError(_("This file was a batch until just now: try again."))
    text = _("This file is a batch already: “%(name)s”, uploaded by %(who)s.")
    return BatchError(text % {"name": earlier.name, "who": earlier.uploaded_by.get_username()}, earlier)


STANDING: dict[str, Any] = {"refusal__isnull": True, "discarded_at": None, "rejected_at": None}


def _printable(name: str) -> str:
    characters = "".join(character for character in name if character.isprintable())
    # A file is named after anything, a card too.
    return columns.without_long_numbers(characters)[-NAME_LIMIT:] or "batch"


# Checked


def check(batch_id: int, *, must_stop: Stop = lambda: False) -> bool:
    """Read the file and store its rows with what is wrong with them; returns False if stopped before the end."""
    batch = _begin_check(batch_id)
    if batch is None:
        return True
    if batch.content is not None:
        try:
            header, rows, places = _table(vault.decrypt_file(bytes(batch.content)))
        except SheetError as error:
            _refuse(batch_id, error.faults)
            return True
        except vault.UnreadableError:
            _refuse(batch_id, [("unreadable", {})])
            return True
        while _store_some(batch_id, header, rows, places):
            if must_stop():
                return False
    # A matter of seconds, which begins anew if it is broken off.
    _mark_repeated(batch_id)
    after = 0
    while (last := _mark_paid_before(batch_id, after)) is not None:
        after = last
        _give_sign(batch_id)
    _finish_check(batch_id)
    return True


def _begin_check(batch_id: int) -> Batch | None:
    """The batch, if it is to be checked; counted as a try until a row is stored."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().filter(pk=batch_id, checked_at=None, discarded_at=None).first()
        if batch is None:
            return None
        if batch.content is not None and batch.tries >= TRIES_LIMIT:
            _refuse(batch_id, [("worker_failed", {})])
            return None
        batch.tries += 1
        batch.save(update_fields=["tries"])
    _give_sign(batch_id)
    return batch


def _table(content: bytes) -> tuple[tables.Row, list[tables.Row], dict[str, int]]:
    """The header, the rows under it, where the columns stand. Raises SheetError."""
    header, *rows = tables.read(content, rows_limit=ROWS_LIMIT)
    places = columns.places(header)
    if not rows:
        raise SheetError("no_rows")
    return header, rows, places


def _refuse(batch_id: int, faults: Sequence[tuple[str, dict[str, object]]]) -> None:
    refusal = [[code, parameters] for code, parameters in faults]
    Batch.objects.filter(pk=batch_id, checked_at=None).update(content=None, checked_at=Now(), refusal=refusal)


def _store_some(batch_id: int, header: tables.Row, rows: list[tables.Row], places: dict[str, int]) -> bool:
    """Store the next rows in one transaction; whether there were any."""
    with transaction.atomic():
        batch = (
            Batch.objects.select_for_update()
            .defer("content")
            .filter(pk=batch_id, checked_at=None, discarded_at=None)
            .first()
        )
        if batch is None:
            return False
        chunk = rows[batch.rows_stored : batch.rows_stored + CHECKED_AT_ONCE]
        is_csv = batch.format == Batch.Format.CSV
        checked = [_row(batch, row.number, columns.given(row, header, places, is_csv=is_csv)) for row in chunk]
        _copy(checked)
        batch.rows_total = len(rows)
        batch.rows_stored += len(chunk)
        batch.rows_wrong += sum(not row.is_valid for row in checked)
        batch.tries = 0
        is_last = batch.rows_stored == batch.rows_total
        batch.save(update_fields=["rows_total", "rows_stored", "rows_wrong", "tries"])
        if is_last:
            Batch.objects.filter(pk=batch_id).update(content=None)
    _give_sign(batch_id)
    return not is_last


def _row(batch: Batch, number: int, given: Given) -> BatchRow:
    order, faults = columns.read(given)
    row = _valid_row(batch, number, order) if order else _wrong_row(batch, number, given, faults)
    row.row_seal = row.expected_row_seal()
    return row


def _valid_row(batch: Batch, number: int, order: Order) -> BatchRow:
    recipient = vault.normal(order.recipient)
    return BatchRow(
        batch=batch,
        number=number,
        is_valid=True,
        user_id=order.user_id,
        amount=order.amount,
        currency=order.currency,
        kind=order.kind,
        recipient=vault.encrypt(recipient),
        recipient_masked=vault.masked(recipient),
        recipient_index=vault.blind_index(recipient),
        comment=order.comment,
        notes=order.notes,
    )


def _wrong_row(batch: Batch, number: int, given: Given, faults: list[Fault]) -> BatchRow:
    return BatchRow(
        batch=batch,
        number=number,
        is_valid=False,
        given=vault.encrypt(given.as_json()),
        errors=[list(fault) for fault in faults],
    )


COPIED = (
    "batch_id",
    "number",
    "is_valid",
    "user_id",
    "amount",
    "currency",
    "kind",
    "recipient",
    "recipient_masked",
    "recipient_index",
    "comment",
    "given",
    "errors",
    "notes",
    "row_seal",
)
AS_JSON = {"recipient_masked", "errors"}


def _copy(rows: list[BatchRow]) -> None:
    statement = f"COPY payouts_batchrow ({', '.join(COPIED)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            values = ((name, getattr(row, name)) for name in COPIED)
            copy.write_row([Jsonb(value) if name in AS_JSON else value for name, value in values])


def _mark_repeated(batch_id: int) -> None:
    """Of rows that pay the same to the same, each names the line of the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payouts_batchrow AS r SET same_as = f.first
            FROM (SELECT id, number, first_value(number) OVER same AS first FROM payouts_batchrow
                  WHERE batch_id = %s AND is_valid
                  WINDOW same AS (PARTITION BY recipient_index, currency, amount ORDER BY number)) AS f
            WHERE r.id = f.id AND f.first < f.number
            """,
            [batch_id],
        )


def _mark_paid_before(batch_id: int, after: int) -> int | None:
    """Of the next rows those that pay what a payout of the last days pays name it; the last one's number, if any."""
    following = BatchRow.objects.filter(batch=batch_id, number__gt=after).order_by("number")
    numbers = list(following.values_list("number", flat=True)[:CHECKED_AT_ONCE])
    if not numbers:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payouts_batchrow AS r SET earlier_id = e.payout_id
            FROM (SELECT b.id, max(p.id) AS payout_id
                  FROM payouts_batchrow b JOIN payouts_payout p ON p.recipient_index = b.recipient_index
                  WHERE b.batch_id = %s AND b.number BETWEEN %s AND %s AND b.is_valid
                    AND p.currency = b.currency AND p.amount = b.amount
                    AND p.created_at > now() - make_interval(days => %s) AND p.status <> ALL (%s)
                  GROUP BY b.id) AS e
            WHERE r.id = e.id
            """,
            [
                batch_id,
                numbers[0],
                numbers[-1],
                DUPLICATES_WITHIN_DAYS,
                [Status.REJECTED.value, Status.CANCELLED.value],
            ],
        )
    return numbers[-1]


def _finish_check(batch_id: int) -> None:
    with transaction.atomic():
        batch = (
            Batch.objects.select_for_update()
            .defer("content")
            .filter(pk=batch_id, checked_at=None, discarded_at=None)
            .first()
        )
        if batch is None:
            return
        batch.totals = _totals(batch.rows.filter(is_valid=True))
        Batch.objects.filter(pk=batch_id).update(content=None, checked_at=Now(), totals=batch.totals)


def _totals(rows: QuerySet[BatchRow]) -> list[list[Any]]:
    summed = rows.order_by("currency").values_list("currency").annotate(Count("pk"), Sum("amount"))
    return [[currency, count, money.plain(amount or Decimal(0))] for currency, count, amount in summed]


# People decide


def send(batch_id: int, *, by: User, note: str = "", leaves_errors_out: bool = False, revision: int) -> Batch:
    """Ask for another person's approval of all valid rows, whose terms are sealed from now on."""
    with _locked(batch_id, revision=revision) as batch:
        if batch.state != BatchState.PREVIEW:
            raise BatchError(_("Only a batch that was checked and not sent can be sent for approval."))
        _require_uploader(batch, by)
        if not batch.rows_valid:
            raise BatchError(_("The batch has no row without errors, so there is nothing to send."))
        if batch.rows_wrong and not leaves_errors_out:
            raise BatchError(_("Some rows have errors: confirm that they are left out."))
        seal, totals = _sealed(batch)
        if totals != batch.totals:
            raise BatchAlteredError
        batch.rows_seal, batch.sent_note = seal, _text(note)
        _move(batch, "sent_at")
    return batch


def discard(batch_id: int, *, by: User, revision: int) -> Batch:
    """Give up a batch that is not approved: nothing of it is paid, and its file may come again."""
    with _locked(batch_id, revision=revision) as batch:
        if batch.state not in (BatchState.CHECKING, BatchState.PREVIEW, BatchState.AWAITING_APPROVAL):
            raise BatchError(_("Only a batch that is not decided yet can be discarded."))
        _require_uploader(batch, by)
        batch.content = None
        _move(batch, "discarded_at", "content")
    return batch


def approve(batch_id: int, *, by: User, reason: str = "", revision: int) -> Batch:
    """Approve every valid row as it was sent; the worker then submits them, each with this person's approval.

    Raises FourEyesError for the person who uploaded it, BatchAlteredError when a row is not what was sent.
    """
    with _locked(batch_id, revision=revision) as batch:
        _check_awaits(batch, by)
        _check_rows(batch)
        batch.approved_by, batch.reason, batch.rung_at = by, _text(reason), Now()
        _move(batch, "approved_at")
        async_task(SUBMIT, batch.pk)
    return batch


def reject(batch_id: int, *, by: User, reason: str, revision: int) -> Batch:
    """Refuse the whole batch for good."""
    with _locked(batch_id, revision=revision) as batch:
        _check_awaits(batch, by)
        if not reason.strip():
            raise BatchError(_("Say why."))
        batch.rejected_by, batch.reason = by, _text(reason)
        _move(batch, "rejected_at")
    return batch


def _check_awaits(batch: Batch, by: User) -> None:
    """Raises BatchError, which says who was first, and FourEyesError."""
    if batch.approved_by:
        raise BatchError(_("It is already approved by %(who)s.") % {"who": batch.approved_by.get_username()})
    if batch.rejected_by:
        raise BatchError(_("It is already rejected by %(who)s.") % {"who": batch.rejected_by.get_username()})
    if batch.state != BatchState.AWAITING_APPROVAL:
        raise BatchError(_("This batch does not wait for approval."))
    if batch.uploaded_by_id == by.pk:
        raise FourEyesError(_("You uploaded this batch, so another person must decide on it."))


def _require_uploader(batch: Batch, by: User) -> None:
    """Raises FourEyesError."""
    if batch.uploaded_by_id != by.pk:
        who = batch.uploaded_by.get_username()
        raise FourEyesError(_("Only %(who)s, who uploaded the batch, can do this.") % {"who": who})


def _check_rows(batch: Batch) -> None:
    """Raises BatchAlteredError unless the valid rows are those that were sent."""
    seal, totals = _sealed(batch)
    if seal != bytes(batch.rows_seal or b"") or totals != batch.totals:
        raise BatchAlteredError


def _sealed(batch: Batch) -> tuple[bytes, list[list[Any]]]:
    """One seal over the terms of all valid rows, and their totals, from the rows as they are.

    Raises BatchAlteredError when a row's own seal does not fit.
    """
    together = sha256()
    count = 0
    rows = batch.rows.filter(is_valid=True).order_by("number").defer("given", "errors", "notes", "refusal")
    for row in rows.iterator(chunk_size=SEALS_AT_ONCE):
        if bytes(row.row_seal) != row.expected_row_seal():
            raise BatchAlteredError
        together.update(row.row_seal)
        count += 1
    return vault.seal("batch-rows", batch.pk, count, together.hexdigest()), _totals(batch.rows.filter(is_valid=True))


@contextmanager
def _locked(batch_id: int, *, revision: int) -> Iterator[Batch]:
    """The batch under its row lock, inside a transaction. Raises NotFoundError, BatchVersionError, BatchAlteredError.

    Its own state explains a refusal better than its revision, so who decides on one that is decided already learns by
    whom.
    """
    with transaction.atomic():
        batch = (
            Batch.objects.select_for_update(of=("self",))
            .select_related("uploaded_by", "approved_by", "rejected_by")
            .defer("content")
            .filter(pk=batch_id)
            .first()
        )
        if batch is None:
            raise NotFoundError
        if bytes(batch.facts_seal) != batch.expected_facts_seal():
            raise BatchAlteredError
        if batch.revision != revision and not (batch.approved_by or batch.rejected_by):
            raise BatchVersionError
        yield batch


def _move(batch: Batch, moment: str, *fields: str) -> None:
    """Record what a person did, at the database's time, sealed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        setattr(batch, moment, cursor.fetchone()[0])
    batch.revision += 1
    decided = ("rows_seal", "sent_note", "approved_by", "rejected_by", "reason", "rung_at", "revision")
    batch.save(update_fields=[moment, *decided, *fields])
    _seal_facts(batch)


def _seal_facts(batch: Batch) -> None:
    Batch.objects.filter(pk=batch.pk).update(facts_seal=batch.expected_facts_seal())


def _text(text: str) -> str:
    """Raises BatchError."""
    text = text.strip()
    if len(text) > TEXT_LIMIT or not is_storable(text):
        raise BatchError(_("Give at most 1000 characters, all of them printable."))
    return text


# Submitted


def submit(batch_id: int, *, must_stop: Stop = lambda: False) -> bool:
    """Make a payout of each valid row, made by the uploader and approved by the batch's approver.

    Returns False if stopped before the end. If the batch or a row is not what was approved, nothing is submitted, or
    nothing more. A row that another run has in hand is left to it.
    """
    batch = (
        Batch.objects.defer("content")
        .select_related("uploaded_by", "approved_by")
        .filter(pk=batch_id, approved_at__isnull=False, finished_at=None, altered_at=None)
        .first()
    )
    if batch is None:
        return True
    try:
        if bytes(batch.facts_seal) != batch.expected_facts_seal():
            raise BatchAlteredError
        _check_rows(batch)
        after = 0
        while rows := list(_waiting(batch).filter(number__gt=after).values_list("pk", "number")[:SUBMITTED_AT_ONCE]):
            for row_id, after in rows:  # noqa: B007 (the last one is where to go on)
                _submit_one(batch, row_id)
            _give_sign(batch_id)
            if must_stop():
                return False
    except BatchAlteredError:
        log.error("batch_altered_outside", batch=batch_id)
        Batch.objects.filter(pk=batch_id).update(altered_at=Now())
        return True
    if not _waiting(batch).exists():
        Batch.objects.filter(pk=batch_id, finished_at=None).update(finished_at=Now())
    return True


def _waiting(batch: Batch) -> QuerySet[BatchRow]:
    """The rows that are neither a payout yet nor refused."""
    return batch.rows.filter(is_valid=True, payout=None, refusal__isnull=True).order_by("number")


def _submit_one(batch: Batch, row_id: int) -> None:
    """The row's payout and that the row has it, in one transaction of its own, which holds up no other submission.

    What fails takes no other row with it: the row says why.
    """
    try:
        with transaction.atomic():
            row = _waiting(batch).select_for_update(skip_locked=True).filter(pk=row_id).first()
            if row is None:
                return
            if bytes(row.row_seal) != row.expected_row_seal():
                raise BatchAlteredError
            row.payout = _payout(batch, row)
            row.save(update_fields=["payout"])
    except (OperationalError, InterfaceError, BatchAlteredError):
        raise
    except vault.UnreadableError:
        _refuse_row(batch, row_id, "unreadable")
    except PayoutError as error:
        _refuse_row(batch, row_id, "refused", text=str(error))
    except Exception:
        log.exception("batch_row_not_submitted", batch=batch.pk, row=row_id)
        _refuse_row(batch, row_id, "row_failed")


def _payout(batch: Batch, row: BatchRow) -> Payout:
    assert batch.approved_by is not None
    assert row.user_id is not None
    assert row.amount is not None
    return actions.submit_approved(
        reference=_reference(batch, row),
        user_id=row.user_id,
        amount=row.amount,
        currency=row.currency,
        recipient=vault.decrypt(row.recipient),
        comment=row.comment,
        maker=batch.uploaded_by,
        checker=batch.approved_by,
        reason=_("batch %(name)s") % {"name": batch.name},
    )


def _refuse_row(batch: Batch, row_id: int, code: str, **parameters: str) -> None:
    _waiting(batch).filter(pk=row_id).update(refusal=[code, parameters])


def _reference(batch: Batch, row: BatchRow) -> uuid.UUID:
    """The same for a row for ever, and one payout alone can have it."""
    return uuid.UUID(bytes=vault.seal("batch-payout", batch.pk, row.number)[:16], version=4)


def _give_sign(batch_id: int) -> None:
    Batch.objects.filter(pk=batch_id).update(rung_at=Now())


def ring_for_forgotten() -> None:
    """Enqueue a task for each batch that waits for the worker and whose own gives no sign: it died or was lost."""
    silent = Batch.objects.filter(rung_at__lt=Now() - FORGOTTEN_AFTER)
    unchecked = silent.filter(checked_at=None, discarded_at=None)
    unsubmitted = silent.filter(approved_at__isnull=False, finished_at=None, altered_at=None)
    for task, forgotten in ((CHECK, unchecked), (SUBMIT, unsubmitted)):
        for batch_id in forgotten.values_list("pk", flat=True):
            with transaction.atomic():
                if forgotten.filter(pk=batch_id).update(rung_at=Now()):
                    async_task(task, batch_id)
