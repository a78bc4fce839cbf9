"""People ask for an export, cancel it and take its file."""

import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Protocol

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.actions import PayoutError
from payouts.jobs import FILES, Job
from payouts.models import Export, ExportChunk, Payout

NEEDED = ("payouts.view_payout", "payouts.export_payout")
QUERY_LIMIT = 1000
OPEN_LIMIT = 3
# So that a download that began in time can finish.
PRUNED_AFTER = timedelta(hours=6)
ASKED_TWICE_WITHIN = timedelta(seconds=10)
OPEN = Q(finished_at=None, failed_at=None, cancelled_at=None)
WRITE = Job("payouts.tasks.write_exports", Export, OPEN, one_ring_for_all=True, queue=FILES)


class ExportError(PayoutError):
    """The export cannot be asked for or cancelled."""


class Rows(Protocol):
    """How the payouts list reads a filter. It stands in a layer above, so whoever calls us hands it in."""

    def __call__(self, query: str, *, by: User) -> QuerySet[Payout]:
        """What the list shows this person under the filter. Raises ExportError."""


def ask(query: str, *, format: str, by: User, rows_of: Rows) -> Export:
    """Have the worker write the payouts of the filter; asked twice in a moment, or while it waits, it is one export.

    Raises ExportError.
    """
    if format not in Export.Format.values:
        raise ExportError(_("Choose CSV or XLSX."))
    if len(query) > QUERY_LIMIT:
        raise ExportError(_("The filter is too long to export: choose fewer values."))
    if not rows_of(query, by=by).exists():
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
        record(export, by, ADDITION)
        WRITE.ring()
    return export


def cancel(export_id: int, *, by: User) -> Export:
    """Stop writing it, and drop what is written. Raises ExportError for another person's, and when it has ended."""
    with transaction.atomic():
        export = Export.objects.select_for_update().get(pk=export_id)
        if export.asked_by_id != by.pk:
            raise ExportError(_("Only the person who requested the export can cancel it."))
        if not export.is_open:
            raise ExportError(_("The export has ended already."))
        ExportChunk.objects.filter(export=export).delete()
        Export.objects.filter(pk=export_id).update(
            cancelled_at=Now(), cancelled_by=by, lease_token=None, lease_until=None
        )
        record(export, by, CHANGE, "cancelled")
    return Export.objects.get(pk=export_id)


def content(export: Export) -> Iterator[bytes]:
    """The parts of a finished export's file, in order."""
    numbers = ExportChunk.objects.filter(export=export).order_by("number").values_list("number", flat=True)
    for number in list(numbers):
        chunk = ExportChunk.objects.get(export=export, number=number)
        yield zlib.decompress(chunk.content)


def prune() -> None:
    """Delete the files that are kept no longer; the exports stay as a record."""
    ExportChunk.objects.filter(export__expires_at__lt=Now() - PRUNED_AFTER).delete()


def record(export: Export, by: User, flag: int, what: str = "") -> None:
    """Note in Django's log of what staff do who took which rows."""
    words = (f"format={export.format}", what, f"filter={export.query or '*'}")
    LogEntry.objects.log_actions(
        user_id=by.pk,
        queryset=[export],
        action_flag=flag,
        change_message=" ".join(word for word in words if word),
        single_object=True,
    )
