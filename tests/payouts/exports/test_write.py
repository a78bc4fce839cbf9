"""Writing goes on whatever becomes of the worker, and nobody is given half a file."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from payouts import tasks
from payouts.actions import erasure
from payouts.exports import write
from payouts.exports.request import WRITE
from payouts.models import Export, Payout
from tests import recipes
from tests.payouts.exports.files import from_csv, from_xlsx, written
from tests.payouts.observe import queued

pytestmark = pytest.mark.django_db


def test_a_filter_that_a_later_release_cannot_read_fails_the_export(approver: User) -> None:
    recipes.pending_payout()
    export = recipes.asked_export("", format="csv", by=approver)
    Export.objects.update(query="stage=renamed")

    recipes.write_exports()

    export.refresh_from_db()
    assert (export.failure, export.chunks.count()) == ("filter", 0)


def test_a_person_who_may_no_longer_export_gets_nothing(approver: User) -> None:
    recipes.pending_payout()
    export = recipes.asked_export("", format="csv", by=approver)
    approver.groups.clear()

    recipes.write_exports()

    export.refresh_from_db()
    assert (export.failure, export.finished_at, export.chunks.count()) == ("not_allowed", None, 0)


def test_what_came_later_is_not_in_the_file(approver: User) -> None:
    early = recipes.pending_payout()
    export = recipes.asked_export("", format="csv", by=approver)
    recipes.pending_payout()

    recipes.write_exports()

    assert [row["id"] for row in from_csv(export)] == [str(early.pk)]


def test_an_xlsx_that_would_be_too_long_is_refused_in_words(approver: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(write, "XLSX_LIMIT", 1)
    recipes.pending_payout()
    recipes.pending_payout()

    export = written(approver, format="xlsx")

    assert (export.failure, export.finished_at) == ("too_long", None)
    assert "CSV" in export.get_failure_display()


def test_a_csv_that_was_stopped_goes_on_where_it_ended(approver: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(write, "BATCH", 2)
    payouts = [recipes.pending_payout() for _each in range(5)]
    export = recipes.asked_export("", format="csv", by=approver)
    done = [0]

    while not recipes.write_exports(must_stop=lambda: Export.objects.filter(rows_done__gt=done[-1]).exists()):
        export.refresh_from_db()
        assert not export.is_kept
        done.append(export.rows_done)

    assert len(done) > 2
    assert [row["id"] for row in from_csv(export)] == [str(payout.pk) for payout in payouts]


@pytest.mark.parametrize("format", Export.Format.values)
def test_an_export_whose_worker_died_is_taken_up_after_its_lease(
    format: str, approver: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr(write, "BATCH", 2)
    payouts = [recipes.pending_payout() for _each in range(5)]
    export = recipes.asked_export("", format=format, by=approver)
    _killed_in_the_middle(payouts[0])

    meanwhile = recipes.write_exports()
    export.refresh_from_db()
    assert (meanwhile, export.finished_at, export.is_kept) == (True, None, False)
    Export.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    recipes.write_exports()

    export.refresh_from_db()
    rows = from_csv(export) if format == "csv" else from_xlsx(export)
    ids = [int(row["id"] if format == "csv" else row["id"].value) for row in rows]
    assert ids == [payout.pk for payout in payouts]
    assert export.is_kept


class Killed(BaseException):
    """Passes every `except Exception`, as a kill does."""


def _killed_in_the_middle(first: Payout) -> None:
    """After the first batch, which begins with this payout."""
    Export.objects.update(last_id=first.pk - 1)

    def must_stop() -> bool:
        if Export.objects.filter(lease_until__gt=timezone.now(), rows_done=2).exists():
            raise Killed
        return False

    with pytest.raises(Killed):
        recipes.write_exports(must_stop=must_stop)


def test_an_export_that_kills_its_workers_is_given_up(approver: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(write, "BATCH", 2)
    payouts = [recipes.pending_payout() for _each in range(3)]
    export = recipes.asked_export("", format="xlsx", by=approver)
    for _each in range(3):
        _killed_in_the_middle(payouts[0])
        Export.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    recipes.write_exports()

    export.refresh_from_db()
    assert (export.failure, export.chunks.count()) == ("unworkable", 0)


def test_an_xlsx_that_is_broken_off_again_and_again_is_given_up(approver: User, monkeypatch: Any) -> None:
    recipes.pending_payout()
    export = recipes.asked_export("", format="xlsx", by=approver)

    turns = [recipes.write_exports(must_stop=lambda: True) for _each in range(4)]

    export.refresh_from_db()
    assert turns == [False, False, False, True]
    assert (export.failure, export.chunks.count()) == ("unworkable", 0)


def test_exports_take_turns(approver: User) -> None:
    recipes.pending_payout()
    first = recipes.asked_export("", format="csv", by=approver)
    second = recipes.asked_export("", format="xlsx", by=approver)

    assert recipes.write_exports() is False
    assert [each.is_open for each in Export.objects.order_by("pk")] == [False, True]
    tasks.write_exports()

    assert {first.pk, second.pk} == set(Export.objects.exclude(finished_at=None).values_list("pk", flat=True))
    assert len(queued(WRITE.task)) == 2


def test_a_worker_that_comes_back_late_writes_nothing(approver: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(write, "BATCH", 2)
    payouts = [recipes.pending_payout() for _each in range(5)]
    export = recipes.asked_export("", format="csv", by=approver)
    others = iter([True])

    def another_takes_it() -> bool:
        if Export.objects.filter(rows_done=2).exists() and next(others, False):
            Export.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
            assert recipes.write_exports()
        return False

    recipes.write_exports(must_stop=another_takes_it)

    assert [row["id"] for row in from_csv(export)] == [str(payout.pk) for payout in payouts]
    assert LogEntry.objects.filter(change_message__contains="rows=5").count() == 1


def test_a_batch_is_read_by_the_ids_whatever_the_filter(approver: User) -> None:
    recipes.pending_payout()
    rows = recipes.listed("stage=processed", by=approver).filter(pk__gt=10, pk__lte=20).order_by("pk")[:10]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "Seq Scan on payouts_payout" not in rows.explain()


def test_a_recipient_who_was_erased_is_a_day_in_the_file(approver: User) -> None:
    payout = recipes.processed_payout()
    key = payout.recipient_key
    assert key is not None
    erasure.erase(key, at=timezone.now(), proposed_by=None, confirmed_by=None, on_server="test", reason="Asked for.")

    (row,) = from_csv(written(approver))

    assert row["recipient_name"].startswith("erased on ")
    assert row["recipient_account"] == ""
