"""Exports: the payouts that a filter of the list gives, written to a file by the worker and kept for a week.

The filter is read by the list itself, so that a file holds what the list shows; one that cannot be read exports
nothing. A CSV grows by parts that are committed one by one, so that a worker that dies costs its last part; an XLSX
is one archive, which is begun again. Nobody is given a file before it is whole. One export is written at a time,
however many workers there are, so that the others pay.
"""

import csv
import io
import re
import tempfile
import time
import unicodedata
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import IO, Any, cast

import structlog
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.tasks import async_task
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from payouts import money
from payouts.actions import PayoutError
from payouts.models import Export, ExportChunk, Payout
from payouts.recipients import name_and_account

log = structlog.get_logger(__name__)

WRITE = "payouts.tasks.write_exports"
NEEDED = ("payouts.view_payout", "payouts.export_payout")
COLUMNS = (
    "id",
    "reference",
    "created_at",
    "status",
    "stage",
    "amount",
    "currency",
    "recipient_name",
    "recipient_account",
    "user_id",
    "client",
    "maker",
    "provider",
    "approvals_given",
    "approvals_required",
    "held_at",
    "attention",
    "failure_code",
    "failure_message",
    "processed_at",
    "comment",
    "idempotency_key",
)
# Columns of a payout, and of its maker, that an export does not read.
UNREAD = (
    *("recipient", "recipient_index", "terms_hash", "request_hash", "event_head", "seal", "review_flags"),
    *("trace_id", "maker__password"),
)
QUERY_LIMIT = 1000
OPEN_LIMIT = 3
# The archive is written in one go, which takes about ten seconds and must be over long before q2's time limit.
XLSX_LIMIT = 50_000
BATCH = 5_000
PART_BYTES = 1024 * 1024
FORMULA_SIGNS = ("=", "+", "-", "@", "\N{MINUS SIGN}")
EXACT_DIGITS = 15  # a spreadsheet's numbers have no more
KEPT_FOR = timedelta(days=7)
# A download that began in time may end.
PRUNED_AFTER = timedelta(hours=6)
ASKED_TWICE_WITHIN = timedelta(seconds=10)
# Longer than q2 lets a task run: who holds it then is dead.
LEASE = timedelta(seconds=90)
SLICE_SECONDS = 10
LOST_LEASES_LIMIT = 3
FORGOTTEN_AFTER = timedelta(minutes=2)
OPEN = Q(finished_at=None, failed_at=None, cancelled_at=None)

Failure = Export.Failure
type Cell = str | int | Decimal | None


class ExportError(PayoutError):
    """The export cannot be asked for or cancelled."""


# Asking


def selected(query: str, by: User) -> QuerySet[Payout]:
    """What the list shows this person under the filter, read by the list itself. Raises ExportError."""
    # The list stands in a layer above, so it is found where Django keeps it.
    return cast(QuerySet[Payout], cast(Any, admin.site.get_model_admin(Payout)).rows_of(query, by=by))


def ask(query: str, *, format: str, by: User) -> Export:
    """Have the worker write the payouts of the filter; asked twice in a moment, or while it waits, it is one export.

    Raises ExportError.
    """
    if format not in Export.Format.values:
        raise ExportError(_("Choose CSV or XLSX."))
    if len(query) > QUERY_LIMIT:
        raise ExportError(_("The filter is too long to export: choose fewer values."))
    if not selected(query, by).exists():
        raise ExportError(_("No payout matches the filter: there is nothing to export."))
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=by.pk)  # a person asks for one at a time
        own = Export.objects.filter(asked_by=by)
        moment_ago = own.filter(failed_at=None, cancelled_at=None, asked_at__gt=Now() - ASKED_TWICE_WITHIN)
        same = (own.filter(OPEN) | moment_ago).filter(query=query, format=format).order_by("pk").last()
        if same:
            return same
        if own.filter(OPEN).count() >= OPEN_LIMIT:
            sentence = ngettext(
                "%(count)s export of yours is being written: wait for it, or cancel it.",
                "%(count)s exports of yours are being written: wait for one, or cancel it.",
                OPEN_LIMIT,
            )
            raise ExportError(sentence % {"count": OPEN_LIMIT})
        newest = Payout.objects.aggregate(newest=Max("pk"))["newest"]
        export = Export.objects.create(asked_by=by, query=query, format=format, up_to_id=newest or 0)
        export.refresh_from_db()
        _record(export, by, ADDITION)
        async_task(WRITE)
    return export


def cancel(export_id: int, *, by: User) -> Export:
    """Stop writing it, and drop what is written. Raises ExportError when it has ended."""
    with transaction.atomic():
        export = Export.objects.select_for_update().get(pk=export_id)
        if not export.is_open:
            raise ExportError(_("The export has ended already."))
        ExportChunk.objects.filter(export=export).delete()
        Export.objects.filter(pk=export_id).update(
            cancelled_at=Now(), cancelled_by=by, lease_token=None, lease_until=None
        )
        _record(export, by, CHANGE, "cancelled")
    return Export.objects.get(pk=export_id)


def content(export: Export) -> Iterator[bytes]:
    """The file of an export that is kept, part by part."""
    numbers = ExportChunk.objects.filter(export=export).order_by("number").values_list("number", flat=True)
    for number in list(numbers):
        chunk = ExportChunk.objects.get(export=export, number=number)
        yield zlib.decompress(chunk.content)


def prune() -> None:
    """Delete the files that are kept no longer; the exports stay as a record."""
    ExportChunk.objects.filter(export__expires_at__lt=Now() - PRUNED_AFTER).delete()


# Writing


def write(*, must_stop: Callable[[], bool] = lambda: False) -> bool:
    """Give the export that has waited longest its turn; returns False if some are left for another task.

    A turn is SLICE_SECONDS of a CSV, which goes on in its next, or a whole XLSX. While another worker writes there is
    nothing to do here: it rings for what is left.
    """
    export = _taken()
    if export is None:
        return True
    turn_ends = time.monotonic() + SLICE_SECONDS
    try:
        _write(export, turn_ends, must_stop)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("export_not_written", export=export.pk)
        _fail(export, Failure.UNWORKABLE)
    Export.objects.filter(pk=export.pk, lease_token=export.lease_token).update(
        lease_token=None, lease_until=None, rung_at=Now()
    )
    return not Export.objects.filter(OPEN).exists()


def ring_for_forgotten() -> None:
    """Enqueue a task when an export gives no sign: its own died or was lost."""
    with transaction.atomic():
        if Export.objects.filter(OPEN, rung_at__lt=Now() - FORGOTTEN_AFTER).update(rung_at=Now()):
            async_task(WRITE)


def _taken() -> Export | None:
    """The export that has waited longest, under a new lease; None while another is written or nothing is open."""
    with transaction.atomic():
        # All of them: two workers that look at once see one another. A person has OPEN_LIMIT of them at most.
        waiting = list(
            Export.objects.select_for_update(of=("self",))
            .filter(OPEN)
            .annotate(is_leased=Q(lease_until__gt=Now()))
            .select_related("asked_by")
            .order_by("pk")
        )
        if not waiting or any(cast(Any, export).is_leased for export in waiting):
            return None
        export = min(waiting, key=lambda export: (export.rung_at, export.pk))
        lost = export.lost_leases + 1 if export.lease_token else export.lost_leases
        export.lease_token, export.lost_leases = uuid.uuid4(), lost
        Export.objects.filter(pk=export.pk).update(
            lease_token=export.lease_token, lease_until=Now() + LEASE, lost_leases=lost, rung_at=Now()
        )
    return export


def _write(export: Export, turn_ends: float, must_stop: Callable[[], bool]) -> None:
    if export.lost_leases >= LOST_LEASES_LIMIT:
        _fail(export, Failure.UNWORKABLE)
        return
    if not (export.asked_by.is_active and export.asked_by.has_perms(NEEDED)):
        _fail(export, Failure.NOT_ALLOWED)
        return
    try:
        rows = selected(export.query, export.asked_by)
    except ExportError:
        _fail(export, Failure.FILTER)
        return
    rows = rows.filter(pk__lte=export.up_to_id).order_by()
    if export.rows_total is None and not _begin(export, rows.count()):
        return
    rows = rows.select_related(None).select_related("client", "maker").defer(None).defer(*UNREAD)
    if export.format == Export.Format.CSV:
        _write_csv(export, rows, lambda: time.monotonic() > turn_ends or must_stop())
    else:
        _write_xlsx(export, rows, must_stop)


def _begin(export: Export, total: int) -> bool:
    """Note how many rows there are; False if it ends with that."""
    if export.format == Export.Format.XLSX and total > XLSX_LIMIT:
        _fail(export, Failure.TOO_LONG)
        return False
    header = _csv([COLUMNS]).encode("utf-8-sig")  # by the mark a spreadsheet knows UTF-8
    with transaction.atomic():
        is_ours = _advance(export, rows_total=total)
        if is_ours and export.format == Export.Format.CSV:
            _keep(export, 0, header)
            is_ours = _advance(export, size_bytes=len(header))
    export.rows_total = total
    return is_ours


def _write_csv(export: Export, rows: QuerySet[Payout], must_stop: Callable[[], bool]) -> None:
    for batch, last_id in _batches(export, rows):
        part = _csv([_texts(cells(payout)) for payout in batch]).encode()
        with transaction.atomic():
            is_ours = _advance(
                export,
                last_id=last_id,
                rows_done=export.rows_done + len(batch),
                size_bytes=export.size_bytes + len(part),
                lost_leases=0,
            )
            if is_ours and batch:
                _keep(export, export.rows_done, part)
        if not is_ours:
            return
        if last_id < export.up_to_id and must_stop():
            return
    _finish(export)


def _write_xlsx(export: Export, rows: QuerySet[Payout], must_stop: Callable[[], bool]) -> None:
    with tempfile.TemporaryFile() as file, _workbook() as (book, sheet):
        sheet.append(COLUMNS)
        done = 0
        for batch, _last_id in _batches(export, rows):
            for payout in batch:
                sheet.append([_xlsx_cell(sheet, cell) for cell in cells(payout)])
            done += len(batch)
            if done > XLSX_LIMIT:  # more have come under the filter since they were counted
                _fail(export, Failure.TOO_LONG)
                return
            if not _advance(export, rows_done=done):
                return
            if must_stop():  # what is written is lost, as with a worker that dies: it must not go on so for ever
                _advance(export, lost_leases=export.lost_leases + 1)
                return
        book.save(file)
        size = file.tell()
        file.seek(0)
        with transaction.atomic():
            if _advance(export, size_bytes=size):
                _keep_file(export, file)
                _finish(export)


@contextmanager
def _workbook() -> Iterator[tuple[Workbook, Any]]:
    """With one sheet, kept row by row in a temporary file, which openpyxl itself leaves behind unless it is saved."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("payouts")
    sheet.freeze_panes = "A2"
    try:
        yield book, sheet
    finally:
        if not sheet.closed:
            sheet.close()
            sheet._writer.cleanup()


def _batches(export: Export, rows: QuerySet[Payout]) -> Iterator[tuple[list[Payout], int]]:
    """BATCH rows at most, each time with the id up to which all are looked at.

    By spans of ids, so that a look costs the same whatever the filter; few rows are found by one look.
    """
    last_id = export.last_id
    span = BATCH if (export.rows_total or 0) > BATCH else export.up_to_id
    while last_id < export.up_to_id:
        end = min(last_id + span, export.up_to_id)
        batch = list(rows.filter(pk__gt=last_id, pk__lte=end).order_by("pk")[:BATCH])
        last_id = batch[-1].pk if len(batch) == BATCH else end
        yield batch, last_id


def _advance(export: Export, **facts: Any) -> bool:
    """Write these facts and renew the lease; False if it is another's by now, or the export has ended."""
    ours = Export.objects.filter(OPEN, pk=export.pk, lease_token=export.lease_token)
    if not ours.update(lease_until=Now() + LEASE, rung_at=Now(), **facts):
        return False
    for name, fact in facts.items():
        setattr(export, name, fact)
    return True


def _keep(export: Export, number: int, part: bytes) -> None:
    ExportChunk.objects.create(export=export, number=number, content=zlib.compress(part, 1))


def _keep_file(export: Export, file: IO[bytes]) -> None:
    number = 0
    while part := file.read(PART_BYTES):
        _keep(export, number, part)
        number += 1


def _finish(export: Export) -> None:
    with transaction.atomic():
        if _advance(export, finished_at=Now(), expires_at=Now() + KEPT_FOR):
            _record(export, export.asked_by, CHANGE, f"rows={export.rows_done}")


def _fail(export: Export, failure: Failure) -> None:
    with transaction.atomic():
        if _advance(export, failed_at=Now(), failure=failure):
            ExportChunk.objects.filter(export=export).delete()


def _record(export: Export, by: User, flag: int, what: str = "") -> None:
    """In Django's log of what staff do: who took which rows."""
    words = (f"format={export.format}", what, f"filter={export.query or '*'}")
    LogEntry.objects.log_actions(
        user_id=by.pk,
        queryset=[export],
        action_flag=flag,
        change_message=" ".join(word for word in words if word),
        single_object=True,
    )


# What stands in the file


def cells(payout: Payout) -> list[Cell]:
    """In the order of COLUMNS. Texts that others chose are made safe; numbers and times are ours."""
    name, account = name_and_account(payout.recipient_masked)
    return [
        payout.pk,
        str(payout.reference),
        _time(payout.created_at),
        payout.status,
        payout.stage.value,
        _exact(payout),
        safe(payout.currency),
        safe(name),
        safe(account),
        payout.user_id,
        safe(payout.client.name if payout.client else ""),
        safe(payout.maker.get_username() if payout.maker else ""),
        safe(payout.provider),
        payout.approvals_given,
        payout.approvals_required,
        _time(payout.held_at),
        payout.attention,
        safe(payout.failure_code),
        safe(payout.failure_message),
        _time(payout.processed_at),
        safe(payout.comment),
        safe(payout.idempotency_key or ""),
    ]


# What a spreadsheet may take for a formula's beginning, where a cell begins: at the text's, and in the text where a
# program that separates by semicolons or tabs would begin another.
_CELL = re.compile(r"(^|[;\t\r\n])([^;\t\r\n]+)")


def safe(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet might run (OWASP, CSV Injection).

    Spaces, marks that are not seen and full-width signs before or as the first sign do not hide it.
    """
    if text[:1] in ("\t", "\r", "\n"):
        text = f"'{text}"
    return _CELL.sub(lambda found: found[1] + ("'" if _is_formula(found[2]) else "") + found[2], text)


def _is_formula(text: str) -> bool:
    for sign in text:
        if sign.isspace() or unicodedata.category(sign) in ("Cc", "Cf"):
            continue
        return unicodedata.normalize("NFKC", sign)[:1] in FORMULA_SIGNS
    return False


def _exact(payout: Payout) -> Decimal:
    """With the currency's own decimals, if it has no more."""
    try:
        return money.exact(payout.amount, payout.currency)
    except money.AmountError:  # a currency that the standard has given up since
        return payout.amount


def _time(moment: datetime | None) -> str:
    """ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else ""


def _texts(row: list[Cell]) -> list[str]:
    return [money.plain(cell) if isinstance(cell, Decimal) else str(cell) for cell in row]


def _csv(rows: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _xlsx_cell(sheet: Any, cell: Cell) -> Any:
    """A number where a spreadsheet keeps it exactly, else a text; never a formula, an error or a date."""
    if isinstance(cell, Decimal):
        _sign, digits, exponent = cell.as_tuple()
        if len(digits) > EXACT_DIGITS:
            return money.plain(cell)
        decimals = -exponent if isinstance(exponent, int) else 0
        number = WriteOnlyCell(sheet, cell)
        number.number_format = f"0.{'0' * decimals}" if decimals > 0 else "0"
        return number
    if isinstance(cell, int):
        return cell if cell < 10**EXACT_DIGITS else str(cell)
    return _xlsx_text(sheet, cell) if cell else None


def _xlsx_text(sheet: Any, text: str) -> Any:
    text = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", text)
    if text[0] not in "=#":
        return text
    # openpyxl takes a plain one for a formula or an error.
    written = WriteOnlyCell(sheet, text)
    written.data_type = "s"
    return written
