"""The files that a person takes away, and that an account stands nowhere in clear."""

import csv
import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from openpyxl import load_workbook

from payouts.batches import check, decide, submit, upload
from payouts.models import Batch
from tests import recipes
from tests.payouts.admin.batches.acts import BATCHES, WRONG_ROW, page, post_file
from tests.recipes import BATCH_ROW, checked_batch

pytestmark = pytest.mark.django_db

CANARIES = ("4929111122223339", "4111111111111111")


def downloaded(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_the_templates_can_be_filled_in_and_never_paid_as_they_are(as_group: Any) -> None:
    browser = as_group("Operator")

    for kind in ("csv", "xlsx"):
        content = browser.get(f"{BATCHES}template.{kind}").content
        batch = upload.store(content, name=kind, by=recipes.person.make())
        check.run(batch.pk)
        batch.refresh_from_db()
        codes = {(column, code) for row in batch.rows.all() for column, code, _given in row.errors}
        assert (batch.refusal, batch.rows_valid, codes) == (None, 0, {("amount", "amount_exact")})

    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert sheet["E2"].number_format == "@"


def test_to_a_russian_excel_a_csv_is_separated_by_semicolons(as_group: Any) -> None:
    batch, browser, russian = checked_batch(WRONG_ROW), as_group("Operator"), {"accept-language": "ru"}

    template = browser.get(f"{BATCHES}template.csv", headers=russian).content
    errors = b"".join(browser.get(f"{BATCHES}{batch.pk}/errors.csv", headers=russian).streaming_content)

    assert template.startswith(b"\xef\xbb\xbfuser_id;amount;currency;kind;")
    assert errors.startswith(b"\xef\xbb\xbfline;user_id;amount;")
    assert upload.store(template, name="template.csv", by=recipes.person.make())


def test_the_error_file_has_what_was_given_and_what_is_wrong_and_no_formula(as_group: Any) -> None:
    batch = checked_batch(BATCH_ROW, WRONG_ROW)

    header, row = downloaded(as_group("Auditor").get(f"{BATCHES}{batch.pk}/errors.csv"))

    assert header == ["line", "user_id", "amount", "currency", "kind", "account", "name", "bank", "comment", "errors"]
    assert row[:5] == ["3", "7", "x", "RUB", "card"]
    assert row[5:9] == ["4929 11•• •••• 3339", "'=cmd()", "", "492911••••••3339"]
    assert row[9].startswith("amount: Give digits")


def test_an_account_is_found_nowhere_in_clear(as_group: Any) -> None:
    browser = as_group("Operator")
    post_file(browser, recipes.batch_csv(BATCH_ROW, WRONG_ROW))
    batch = Batch.objects.get()
    before = _tables()
    check.run(batch.pk)
    decide.send(batch.pk, by=batch.uploaded_by, leaves_errors_out=True, revision=1)
    decide.approve(batch.pk, by=recipes.person.make(), revision=2)
    submit.run(batch.pk)

    pages = page(browser, batch, "?show=all") + page(browser, batch, "?show=errors")
    places = before + _tables() + pages + str(downloaded(browser.get(f"{BATCHES}{batch.pk}/errors.csv")))

    assert "3339" in places
    assert [card for card in CANARIES if card in places.replace(" ", "").replace("-", "")] == []
    assert not LogEntry.objects.exists()


def _tables() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        lines = []
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            lines += [row for (row,) in cursor.fetchall()]
    return "\n".join(lines)
