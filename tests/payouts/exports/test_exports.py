"""Exports: what stands in the file, that no text in it is a formula, and what a worker that dies leaves."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from openpyxl import load_workbook

from payouts import tasks
from payouts.exports import cells, write
from payouts.exports.request import WRITE, ExportError, cancel, content
from payouts.models import Export, Payout
from payouts.staff import groups
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import queued

pytestmark = pytest.mark.django_db

HOSTILE = (
    "=1+1",
    "+7 999 123-45-67",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "   =HYPERLINK(A1)",
    "\u3000\uff1d1+1",  # full-width
    "\u200b=1+1",
    "\ufe621+1",
    "\u22122+3",
    "paid;=1+1;",  # of a program that separates by semicolons
    "two lines\n=1+1",
)
HARMLESS = ("Bonus", "a=b", "1-2", 'О\'Нил, "Рога"', "#N/A", "mail@example.com", "", "'=1")


@pytest.fixture
def approver(db: None) -> User:
    return member("Approver")


def member(group: str) -> User:
    groups.make_groups()
    user: User = recipes.person.make()
    user.groups.add(Group.objects.get(name=group))
    return user


def written(by: User, query: str = "", format: str = "csv") -> Export:
    export = recipes.asked_export(query, format=format, by=by)
    assert recipes.write_exports()
    return Export.objects.get(pk=export.pk)


def file(export: Export) -> bytes:
    return b"".join(content(export))


def from_csv(export: Export) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file(export).decode("utf-8-sig"), newline="")))


def from_xlsx(export: Export) -> list[dict[str, Any]]:
    sheet = load_workbook(io.BytesIO(file(export)))["payouts"]
    header, *rows = list(sheet.iter_rows())
    return [dict(zip([cell.value for cell in header], row, strict=True)) for row in rows]


def commented(text: str) -> Payout:
    return recipes.pending_payout(comment=text, recipient={"card": "4111 1111 1111 1111", "name": text or "Anna"})


# What stands in the file


def test_a_csv_says_of_each_payout_what_machines_read(approver: User) -> None:
    payout = recipes.processed_payout(amount=Decimal("1234.5"), idempotency_key=None)
    yen = recipes.pending_payout(amount=Decimal(7000), currency="JPY")

    export = written(approver)

    first, second = from_csv(export)
    assert tuple(first) == cells.COLUMNS
    assert first == {
        "id": str(payout.pk),
        "reference": str(payout.reference),
        "created_at": payout.created_at.isoformat().replace("+00:00", "Z"),
        "status": "processed",
        "stage": "processed",
        "amount": "1234.50",
        "currency": "RUB",
        "recipient_name": payout.recipient_masked["name"],
        "recipient_account": payout.recipient_masked["card"],
        "user_id": "123",
        "client": payout.client.name,
        "maker": "",
        "provider": "http",
        "approvals_given": "0",
        "approvals_required": "0",
        "held_at": "",
        "attention": "",
        "failure_code": "",
        "failure_message": "",
        "processed_at": payout.processed_at.isoformat().replace("+00:00", "Z"),
        "comment": "Оплата бонуса",
        "idempotency_key": "",
    }
    assert (second["id"], second["amount"], second["stage"]) == (str(yen.pk), "7000", "awaiting_approval")
    assert (export.rows_done, export.rows_total, export.size_bytes) == (2, 2, len(file(export)))
    assert b"4111 1111 1111 1111" not in file(export)


def test_an_xlsx_has_numbers_where_they_are_exact_and_texts_elsewhere(approver: User) -> None:
    recipes.awaiting_payout(amount=Decimal("1234.50"))
    recipes.awaiting_payout(amount=Decimal("99999999999999.99"))  # of 16 digits

    exact, long = from_xlsx(written(approver, format="xlsx"))

    assert (exact["amount"].value, exact["amount"].data_type, exact["amount"].number_format) == (1234.5, "n", "0.00")
    assert (long["amount"].value, long["amount"].data_type) == ("99999999999999.99", "s")
    assert (exact["id"].data_type, exact["created_at"].data_type) == ("n", "s")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_is_a_formula_in_either_format(text: str, approver: User) -> None:
    commented(text)

    (in_csv,) = from_csv(written(approver))
    (in_xlsx,) = from_xlsx(written(approver, format="xlsx"))

    for name in ("comment", "recipient_name"):
        for cell in in_csv[name].replace("\n", ";").split(";"):
            assert cell.strip()[:1] not in ("=", "+", "-", "@", "\uff1d", "\ufe62", "\u2212")
        assert not in_csv[name].startswith(("\t", "\u200b", "\u3000"))
        assert "'" in in_csv[name]
        assert in_xlsx[name].data_type == "s"
        assert in_xlsx[name].value.replace("\r\n", "\n") == in_csv[name].replace("\r\n", "\n")


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_that_is_no_formula_stays_as_it_is(text: str, approver: User) -> None:
    commented(text)

    (in_csv,) = from_csv(written(approver))
    (in_xlsx,) = from_xlsx(written(approver, format="xlsx"))

    assert in_csv["comment"] == text
    assert (in_xlsx["comment"].value or "", in_xlsx["comment"].data_type) == (text, "s" if text else "n")


def test_every_state_can_be_exported(approver: User) -> None:
    made = {name: make() for name, make in recipes.PAYOUTS.items()}

    rows = {int(row["id"]): row for row in from_csv(written(approver))}

    assert rows.keys() == {payout.pk for payout in made.values()}
    assert {row["stage"] for row in rows.values()} == {str(payout.stage) for payout in made.values()}


# The filter


def test_a_file_holds_what_the_list_shows(approver: User) -> None:
    recipes.pending_payout()
    failed, held = recipes.failed_payout(), recipes.held_payout()

    by_stage = written(approver, "stage=failed")
    by_search = written(approver, f"q={held.pk}")

    assert [row["id"] for row in from_csv(by_stage)] == [str(failed.pk)]
    assert [row["id"] for row in from_csv(by_search)] == [str(held.pk)]


@pytest.mark.parametrize(
    "query",
    ["stage=nonsense", "created_from=yesterday", "amount_to=1,000", "no_such_filter=1", "q=%00", "amount__gt=x"],
)
def test_a_filter_that_cannot_be_read_exports_nothing(query: str, approver: User) -> None:
    recipes.pending_payout()

    with pytest.raises(ExportError, match=r"cannot be read|Null characters"):
        recipes.asked_export(query, format="csv", by=approver)

    assert not Export.objects.exists()
    assert len(queued(WRITE.task)) == 0


def test_nothing_to_export_is_told(approver: User) -> None:
    recipes.pending_payout()

    with pytest.raises(ExportError, match="nothing to export"):
        recipes.asked_export("stage=returned", format="csv", by=approver)

    assert not Export.objects.exists()


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


# Asking


def test_an_export_is_queued_once_and_stands_in_the_log(approver: User) -> None:
    recipes.pending_payout()

    first = recipes.asked_export("currency=RUB", format="csv", by=approver)
    again = recipes.asked_export("currency=RUB", format="csv", by=approver)
    recipes.write_exports()
    a_moment_later = recipes.asked_export("currency=RUB", format="csv", by=approver)

    assert first == again == a_moment_later
    assert len(queued(WRITE.task)) == 1
    assert list(LogEntry.objects.order_by("pk").values_list("user", "object_id", "change_message")) == [
        (approver.pk, str(first.pk), "format=csv filter=currency=RUB"),
        (approver.pk, str(first.pk), "format=csv rows=1 filter=currency=RUB"),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_export() -> None:
    approver = member("Approver")
    recipes.pending_payout()

    at_once(*[lambda: recipes.asked_export("", format="csv", by=approver)] * 4)

    assert Export.objects.count() == 1


def test_a_person_has_three_open_exports_at_most(approver: User) -> None:
    recipes.pending_payout()
    for query in ("", "stage=ready", "currency=RUB"):
        recipes.asked_export(query, format="csv", by=approver)

    with pytest.raises(ExportError, match="3 exports of yours"):
        recipes.asked_export("", format="xlsx", by=approver)

    assert Export.objects.count() == 3


def test_an_xlsx_that_would_be_too_long_is_refused_in_words(approver: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(write, "XLSX_LIMIT", 1)
    recipes.pending_payout()
    recipes.pending_payout()

    export = written(approver, format="xlsx")

    assert (export.failure, export.finished_at) == ("too_long", None)
    assert "CSV" in export.get_failure_display()


def test_a_cancelled_export_leaves_no_part(approver: User) -> None:
    recipes.pending_payout()
    export = recipes.asked_export("", format="csv", by=approver)
    recipes.write_exports()

    with pytest.raises(ExportError, match="ended already"):
        cancel(export.pk, by=approver)
    other = recipes.asked_export("stage=ready", format="csv", by=approver)
    cancel(other.pk, by=approver)
    recipes.write_exports()

    other.refresh_from_db()
    assert (other.cancelled_by, other.finished_at, other.chunks.count()) == (approver, None, 0)


# Workers that stop and die


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


def test_an_export_whose_task_was_lost_is_rung_for_once(approver: User) -> None:
    recipes.pending_payout()
    recipes.asked_export("", format="csv", by=approver)
    OrmQ.objects.all().delete()
    Export.objects.update(rung_at=timezone.now() - timedelta(minutes=3))

    tasks.sweep()
    tasks.sweep()

    assert len(queued(WRITE.task)) == 1
    tasks.write_exports()
    assert Export.objects.get().is_kept


def test_files_are_deleted_a_while_after_they_expire_and_the_record_stays(approver: User) -> None:
    recipes.pending_payout()
    export = written(approver)
    tasks.prune()
    assert export.chunks.exists()

    Export.objects.update(expires_at=timezone.now() - timedelta(days=1))
    tasks.prune()

    export.refresh_from_db()
    assert (export.chunks.count(), export.is_kept, export.rows_done) == (0, False, 1)


def test_a_batch_is_read_by_the_ids_whatever_the_filter(approver: User) -> None:
    recipes.pending_payout()
    rows = recipes.listed("stage=processed", by=approver).filter(pk__gt=10, pk__lte=20).order_by("pk")[:10]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "Seq Scan on payouts_payout" not in rows.explain()
