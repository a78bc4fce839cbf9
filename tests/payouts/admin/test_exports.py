"""Exports in the back office: who may ask for one, who may take it, and what its page says."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone
from django_q.models import OrmQ

from payouts.models import Export, ExportChunk
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db

EXPORTS = "/admin/payouts/export/"
ASK = f"{LIST}export/"


def address(export: Export, name: str = "change") -> str:
    return f"{EXPORTS}{export.pk}/{name}/"


def asked(by: User, query: str = "") -> Export:
    recipes.pending_payout()
    return recipes.asked_export(query, format="csv", by=by)


def written(by: User, query: str = "") -> Export:
    export = asked(by, query)
    recipes.write_exports()
    return Export.objects.get(pk=export.pk)


@pytest.mark.parametrize(
    ("group", "may"), [("Operator", False), ("Approver", True), ("Auditor", True), ("Admin", True)]
)
def test_exports_are_for_those_who_may(group: str, may: bool, as_group: Any) -> None:
    recipes.pending_payout()
    browser = as_group(group)
    listed = browser.get(LIST).content.decode()

    answer = browser.post(ASK, {"query": "", "format": "csv"})

    assert answer.status_code == (302 if may else 403)
    assert Export.objects.count() == may
    assert browser.get(EXPORTS).status_code == (200 if may else 403)
    assert (f'action="{ASK}"' in listed, f'href="{EXPORTS}"' in listed) == (may, may)


def test_the_present_filter_is_exported_and_the_page_looks_again_until_the_file_is_there(in_group: Any) -> None:
    failed = recipes.failed_payout()
    recipes.pending_payout()
    approver = in_group("Approver")
    browser = as_user(approver)
    listed = browser.get(LIST, {"stage": "failed", "p": "1"}).content.decode()
    assert 'name="query" value="stage=failed&amp;p=1"' in listed

    answer = browser.post(ASK, {"query": "stage=failed&p=1&created_from=", "format": "csv"})
    export = Export.objects.get()
    before = browser.get(answer.headers["Location"]).content.decode()
    recipes.write_exports()
    after = browser.get(address(export)).content.decode()
    file = browser.get(address(export, "file"))

    assert (answer.headers["Location"], export.query, export.asked_by) == (address(export), "stage=failed", approver)
    assert ("data-about-to-change" in before, "Download" in before) == (True, False)
    assert ("data-about-to-change" in after, f'href="{address(export, "file")}"' in after) == (False, True)
    content = b"".join(file.streaming_content)
    assert f"\n{failed.pk},".encode() in content
    assert content.count(b"\n") == 2
    assert file.headers["Content-Disposition"] == f'attachment; filename="{Export.objects.get().name}"'
    assert int(file.headers["Content-Length"]) == len(content)
    assert "no-store" in file.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("query", "format", "words"),
    [
        ("stage=nonsense", "csv", "cannot be read"),
        ("stage=returned", "csv", "nothing to export"),
        ("", "pdf", "Choose CSV or XLSX"),
        ("q=" + "9" * 1500, "csv", "too long"),
    ],
)
def test_a_refusal_is_told_on_the_list_and_nothing_is_asked_for(
    query: str, format: str, words: str, as_group: Any
) -> None:
    recipes.pending_payout()
    browser = as_group("Approver")

    answer = browser.post(ASK, {"query": query, "format": format})

    assert answer.headers["Location"].startswith(LIST)
    assert words in browser.get("/admin/").content.decode()
    assert not Export.objects.exists()
    assert not OrmQ.objects.filter(payload__contains="write_exports").exists()
    assert not LogEntry.objects.exists()


def test_asking_and_cancelling_take_a_post(as_group: Any, in_group: Any) -> None:
    approver = in_group("Approver")
    export = asked(approver)
    browser = as_user(approver)

    assert browser.get(ASK, {"query": "", "format": "csv"}).status_code == 405
    assert browser.get(address(export, "cancel")).status_code == 405
    assert Export.objects.filter(cancelled_at=None).count() == 1


def test_an_export_is_its_owners_and_the_auditor_sees_all(in_group: Any) -> None:
    owner = in_group("Approver")
    export = written(owner)
    other, auditor = as_user(in_group("Approver")), as_user(in_group("Auditor"))

    assert other.get(address(export, "file")).status_code == 404
    assert other.get(address(export)).status_code in (302, 403)
    assert export.name not in other.get(EXPORTS).content.decode()
    assert [auditor.get(address(export, name)).status_code for name in ("change", "file")] == [200, 200]
    assert export.name in auditor.get(EXPORTS).content.decode()


def test_who_may_no_longer_export_takes_no_file(in_group: Any) -> None:
    owner = in_group("Approver")
    export = written(owner)
    owner.groups.clear()

    assert as_user(owner).get(address(export, "file")).status_code == 403


def test_only_the_owner_cancels_and_a_stale_page_is_told(in_group: Any) -> None:
    owner = in_group("Approver")
    export = asked(owner)
    auditor, browser = as_user(in_group("Auditor")), as_user(owner)

    assert "Cancel the export" not in auditor.get(address(export)).content.decode()
    assert auditor.post(address(export, "cancel")).status_code == 403
    assert Export.objects.get().is_open
    browser.post(address(export, "cancel"))
    again = browser.post(address(export, "cancel"), follow=True).content.decode()

    export.refresh_from_db()
    assert export.cancelled_by == owner
    assert ("ended already" in again, "There is no file" in again) == (True, True)


def test_an_expired_file_is_gone_though_it_is_not_deleted_yet(in_group: Any) -> None:
    owner = in_group("Approver")
    export = written(owner)
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    browser = as_user(owner)

    assert browser.get(address(export, "file")).status_code == 404
    assert "was deleted" in browser.get(address(export)).content.decode()
    assert ExportChunk.objects.exists()


def test_an_export_that_is_not_whole_has_no_file(in_group: Any) -> None:
    owner = in_group("Approver")
    export = asked(owner)
    Export.objects.update(rows_total=2, rows_done=1)
    ExportChunk.objects.create(export=export, number=0, content=b"x")
    browser = as_user(owner)

    assert browser.get(address(export, "file")).status_code == 404
    assert "1 of 2" in browser.get(address(export)).content.decode()


def test_an_export_that_failed_says_why(in_group: Any) -> None:
    owner = in_group("Approver")
    export = asked(owner)
    Export.objects.update(query="stage=renamed")
    recipes.write_exports()

    text = as_user(owner).get(address(export)).content.decode()

    assert "No file was made: its filter can no longer be read." in text


def test_the_list_of_exports_tells_filters_in_words(in_group: Any) -> None:
    owner = in_group("Approver")
    asked(owner, "")
    Export.objects.update(query="created_from=2026-01-14&stage=failed&attention=any&q=x")

    english = as_user(owner).get(EXPORTS).content.decode()
    russian = as_user(owner).get(EXPORTS, headers={"accept-language": "ru"}).content.decode()

    assert "Created from 2026-01-14, Stage: Failed, Needs attention: Any, Search: x" in english
    assert "Создана: от 2026-01-14, Этап: Отказ, Требует внимания: Любое значение, Поиск: x" in russian


def test_the_filter_is_told_in_the_lists_words(in_group: Any) -> None:
    owner = in_group("Approver")
    export = asked(owner, "stage=ready&amount_from=1")
    browser = as_user(owner)

    text = browser.get(address(export)).content.decode()
    Export.objects.update(query="stage=renamed")
    other = browser.get(address(export)).content.decode()

    assert ("<li>Stage: ready</li>" in text, "<li>Amount from 1</li>" in text) == (True, True)
    assert "<li>Stage: renamed</li>" in other


def test_nobody_changes_or_deletes_an_export(in_group: Any) -> None:
    export = written(in_group("Approver"))
    browser = as_user(recipes.superuser.make())

    assert browser.post(address(export), {"query": ""}).status_code == 403
    assert browser.post(f"{EXPORTS}{export.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Export.objects.get().is_kept
