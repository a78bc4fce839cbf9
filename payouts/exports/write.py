"""The worker writes the exports, one at a time, however many workers there are, so that the others pay.

A CSV grows by parts that are committed one by one, so that a worker that dies costs its last part; an XLSX is one
archive in memory, which is begun again. Nobody is given a file before it is whole.

The rows come from the standby, where there is one that has all that was written before the turn began.
"""

import time
import uuid
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import structlog
from django.contrib.admin.models import CHANGE
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from payouts.database.replica import Moment
from payouts.exports.cells import COLUMNS, as_csv, cells, texts
from payouts.exports.request import NEEDED, OPEN, ExportError, Rows, record
from payouts.exports.workbook import Book
from payouts.jobs import Stop, never
from payouts.models import Attempt, Export, ExportChunk, Payout
from payouts.staff import authority

log = structlog.get_logger(__name__)

# Columns of a payout, and of its maker, that an export does not read.
UNREAD = (
    *("recipient", "recipient_index", "terms_hash", "request_hash", "event_head", "seal", "review_flags"),
    *("trace_id", "maker__password"),
)
PAID_WITH = Attempt.objects.filter(payout=OuterRef("pk"), outcome=Attempt.Outcome.SUCCEEDED)
# The archive is written in one go, which takes about ten seconds and must be over long before q2's time limit.
XLSX_LIMIT = 50_000
BATCH = 5_000
PART_BYTES = 1024 * 1024
KEPT_FOR = timedelta(days=7)
# Longer than q2 lets a task run: a worker that still holds it then is dead.
LEASE = timedelta(seconds=90)
SLICE_SECONDS = 10
LOST_LEASES_LIMIT = 3
Failure = Export.Failure


def run(*, rows_of: Rows, must_stop: Stop = never) -> bool:
    """Give the export that has waited longest its turn; returns False if some are left for another task.

    A turn is SLICE_SECONDS of a CSV, which goes on in its next, or a whole XLSX. While another worker writes there is
    nothing to do here: it rings for what is left.
    """
    export = _taken()
    if export is None:
        return True
    turn_ends = time.monotonic() + SLICE_SECONDS
    try:
        _write(export, rows_of, turn_ends, must_stop)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("export_not_written", export=export.pk)
        _fail(export, Failure.UNWORKABLE)
    Export.objects.filter(pk=export.pk, lease_token=export.lease_token).update(
        lease_token=None, lease_until=None, seen_at=Now()
    )
    return not Export.objects.filter(OPEN).exists()


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
        export = min(waiting, key=lambda export: (export.seen_at, export.pk))
        lost = export.lost_leases + 1 if export.lease_token else export.lost_leases
        export.lease_token, export.lost_leases = uuid.uuid4(), lost
        Export.objects.filter(pk=export.pk).update(
            lease_token=export.lease_token, lease_until=Now() + LEASE, lost_leases=lost, seen_at=Now()
        )
    return export


def _write(export: Export, rows_of: Rows, turn_ends: float, must_stop: Stop) -> None:
    if export.lost_leases >= LOST_LEASES_LIMIT:
        _fail(export, Failure.UNWORKABLE)
        return
    by = authority.genuine(export.asked_by_id)
    if by is None or not (by.is_active and by.has_perms(NEEDED)):
        _fail(export, Failure.NOT_ALLOWED)
        return
    try:
        rows = rows_of(export.query, by=by)
    except ExportError:
        _fail(export, Failure.FILTER)
        return
    rows = rows.filter(pk__lte=export.up_to_id).order_by()
    since = Moment.present()
    if export.rows_total is None and not _begin(export, since.read(lambda alias: rows.using(alias).count())):
        return
    rows = rows.select_related(None).select_related("client", "maker").defer(None).defer(*UNREAD)
    rows = rows.annotate(fee=Subquery(PAID_WITH.values("fee")[:1]))
    if export.format == Export.Format.CSV:
        _write_csv(export, rows, since, lambda: time.monotonic() > turn_ends or must_stop())
    else:
        _write_xlsx(export, rows, since, must_stop)


def _begin(export: Export, total: int) -> bool:
    """Note how many rows there are. Returns False if the export has ended with that."""
    if export.format == Export.Format.XLSX and total > XLSX_LIMIT:
        _fail(export, Failure.TOO_LONG)
        return False
    is_csv = export.format == Export.Format.CSV
    # Its byte order mark tells spreadsheets that it is UTF-8.
    header = as_csv([COLUMNS]).encode("utf-8-sig") if is_csv else b""
    with transaction.atomic():
        is_ours = _advance(export, rows_total=total, size_bytes=len(header))
        if is_ours and header:
            _keep(export, 0, header)
    return is_ours


def _write_csv(export: Export, rows: QuerySet[Payout], since: Moment, must_stop: Stop) -> None:
    for batch, last_id in _batches(export, rows, since):
        part = as_csv([texts(cells(payout)) for payout in batch]).encode()
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


def _write_xlsx(export: Export, rows: QuerySet[Payout], since: Moment, must_stop: Stop) -> None:
    book = Book(list(COLUMNS))
    done = 0
    for batch, _last_id in _batches(export, rows, since):
        for payout in batch:
            book.append(cells(payout))
        done += len(batch)
        if done > XLSX_LIMIT:  # more have come under the filter since they were counted
            _fail(export, Failure.TOO_LONG)
            return
        if not _advance(export, rows_done=done):
            return
        if must_stop():  # what is written is lost, as when a worker dies: counted, or it could go on for ever
            _advance(export, lost_leases=export.lost_leases + 1)
            return
    content = book.content()
    with transaction.atomic():
        if _advance(export, size_bytes=len(content)):
            for number, start in enumerate(range(0, len(content), PART_BYTES)):
                _keep(export, number, content[start : start + PART_BYTES])
            _finish(export)


def _batches(export: Export, rows: QuerySet[Payout], since: Moment) -> Iterator[tuple[list[Payout], int]]:
    """BATCH payouts at most at a time, each time with the id up to which all were looked at.

    They are read by ranges of ids, so that a query costs the same whatever the filter; few are read by one query.
    """
    last_id = export.last_id
    span = BATCH if (export.rows_total or 0) > BATCH else export.up_to_id
    while last_id < export.up_to_id:
        end = min(last_id + span, export.up_to_id)
        found = rows.filter(pk__gt=last_id, pk__lte=end).order_by("pk")[:BATCH]
        batch = since.read(lambda alias, found=found: list(found.using(alias)))  # type: ignore[misc]
        last_id = batch[-1].pk if len(batch) == BATCH else end
        yield batch, last_id


def _advance(export: Export, **facts: Any) -> bool:
    """Write these facts and renew the lease; False if it is another's by now, or the export has ended."""
    ours = Export.objects.filter(OPEN, pk=export.pk, lease_token=export.lease_token)
    if not ours.update(lease_until=Now() + LEASE, seen_at=Now(), **facts):
        return False
    for name, fact in facts.items():
        setattr(export, name, fact)
    return True


def _keep(export: Export, number: int, part: bytes) -> None:
    ExportChunk.objects.create(export=export, number=number, content=zlib.compress(part, 1))


def _finish(export: Export) -> None:
    with transaction.atomic():
        if _advance(export, finished_at=Now(), expires_at=Now() + KEPT_FOR):
            record(export, export.asked_by, CHANGE, f"rows={export.rows_done}")


def _fail(export: Export, failure: Failure) -> None:
    with transaction.atomic():
        if _advance(export, failed_at=Now(), failure=failure):
            ExportChunk.objects.filter(export=export).delete()
