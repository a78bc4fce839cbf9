"""Batches in the back office: who may do what, what the page says, and that a file and its accounts stay hidden."""

import csv
import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from openpyxl import load_workbook

from payouts.batches import check, decide, submit, upload
from payouts.models import Batch, BatchState, Payout
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.recipes import BATCH_ROW, checked_batch, sent_batch, submitted_batch

pytestmark = pytest.mark.django_db

BATCHES = "/admin/payouts/batch/"
ADD = f"{BATCHES}add/"
WRONG_ROW = "7;x;RUB;card;4929 1111 2222 3339;=cmd();;4929111122223339"
CANARIES = ("4929111122223339", "4111111111111111")


def address(batch: Batch, name: str = "change") -> str:
    return f"{BATCHES}{batch.pk}/{name}/"


def post_file(browser: Client, content: bytes, name: str = "march.csv") -> Any:
    return browser.post(ADD, {"file": SimpleUploadedFile(name, content)})


def page(browser: Client, batch: Batch, query: str = "") -> str:
    return str(browser.get(f"{address(batch)}{query}").content.decode())


def act(browser: Client, batch: Batch, name: str, **given: Any) -> str:
    batch.refresh_from_db()
    answer = browser.post(address(batch, name), {"version": batch.revision, **given}, follow=True)
    return str(answer.content.decode())


def downloaded(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


# Who may do what


@pytest.mark.parametrize(
    ("group", "may_upload", "may_decide"),
    [("Operator", True, False), ("Approver", False, True), ("Auditor", False, False), ("Admin", True, True)],
)
def test_each_group_may_do_what_is_its_own(group: str, may_upload: bool, may_decide: bool, as_group: Any) -> None:
    batch = sent_batch()
    browser = as_group(group)

    paths = {
        "see": [BATCHES, address(batch), f"{BATCHES}{batch.pk}/errors.csv"],
        "upload": [
            ADD,
            f"{BATCHES}template.csv",
            f"{BATCHES}template.xlsx",
            address(batch, "send"),
            address(batch, "discard"),
        ],
        "decide": [address(batch, "approve"), address(batch, "reject")],
    }
    answers = {right: {browser.get(path).status_code for path in paths[right]} for right in paths}

    assert answers == {
        "see": {200},
        "upload": {200 if may_upload else 403},
        "decide": {200 if may_decide else 403},
    }
    assert post_file(browser, recipes.batch_csv(BATCH_ROW, BATCH_ROW)).status_code == (302 if may_upload else 403)
    assert Batch.objects.count() == 1 + may_upload


@pytest.mark.parametrize("name", ["send", "approve", "reject", "discard"])
def test_without_the_permission_a_post_changes_nothing(name: str, as_group: Any) -> None:
    batch = sent_batch()
    given = {"version": batch.revision, "reason": "x", "note": ""}

    answer = as_group("Auditor").post(address(batch, name), given)

    assert answer.status_code == 403
    assert Batch.objects.values().get() == Batch.objects.filter(pk=batch.pk).values().get()
    assert Batch.objects.get().state == BatchState.AWAITING_APPROVAL


def test_a_member_of_staff_without_a_group_sees_no_batch() -> None:
    batch = checked_batch()
    browser = as_user(recipes.person.make())

    paths = (BATCHES, ADD, address(batch), f"{BATCHES}{batch.pk}/errors.csv", f"{BATCHES}template.csv")

    assert [browser.get(path).status_code for path in paths] == [403] * 5
    assert "Batches" not in browser.get("/admin/").content.decode()


def test_the_right_to_approve_payouts_alone_opens_no_batch(in_group: Any) -> None:
    from django.contrib.auth.models import Permission

    batch = sent_batch()
    person: User = recipes.person.make()
    person.user_permissions.set(Permission.objects.filter(codename="approve_payout"))

    answer = as_user(person).post(address(batch, "approve"), {"version": batch.revision})

    assert answer.status_code == 403
    assert Batch.objects.get().approved_at is None


def test_nobody_changes_or_deletes_a_batch_by_hand() -> None:
    batch = checked_batch()
    browser = as_user(recipes.superuser.make())

    assert browser.post(address(batch), {"name": "x"}).status_code == 403
    assert browser.post(address(batch, "delete"), {"post": "yes"}).status_code == 403
    assert Batch.objects.get().name == "march.csv"


# The path of a batch


def test_a_batch_goes_from_the_upload_to_its_payouts_by_two_people(in_group: Any) -> None:
    operator, approver = as_user(in_group("Operator")), as_user(in_group("Approver"))

    answer = post_file(operator, recipes.batch_csv(BATCH_ROW, WRONG_ROW))
    batch = Batch.objects.get()
    checking = page(operator, batch)
    check.run(batch.pk)
    preview = page(operator, batch)
    not_confirmed = act(operator, batch, "send", note="")
    sent = act(operator, batch, "send", note="For March.", leaves_errors_out="on")
    dialog = approver.get(address(batch, "approve")).content.decode()
    approved = act(approver, batch, "approve", reason="As agreed.")
    submit.run(batch.pk)
    result = page(operator, batch)

    assert answer.headers["Location"] == address(batch)
    assert ("data-about-to-change" in checking, "data-about-to-change" in preview) == (True, False)
    assert "250,000.00\u00a0RUB" in preview
    assert "Give digits, with a point or a comma before decimals, as in 1234.50." in preview
    assert "This field is required" in not_confirmed
    assert "waits for another person" in sent
    assert all(
        text in dialog
        for text in (f"Batch {batch.pk}: march.csv", "250,000.00\u00a0RUB", "1 payout, 1 row with errors")
    )
    assert "is approved" in approved
    payout = Payout.objects.get()
    assert all(text in result for text in ("Submitted", "Ready", f"/admin/payouts/payout/{payout.pk}/change/"))


def test_the_uploader_is_offered_no_approval_and_refused_one(in_group: Any) -> None:
    admin = in_group("Admin")
    batch = sent_batch(by=admin)
    browser = as_user(admin)

    text = page(browser, batch)
    refused = act(browser, batch, "approve", reason="")

    assert address(batch, "approve") not in text
    assert "another person must decide on it" in refused
    assert Batch.objects.get().approved_at is None


def test_a_second_submit_of_the_same_dialog_changes_nothing(as_group: Any) -> None:
    batch = sent_batch()
    browser = as_group("Approver")
    given = {"version": batch.revision, "reason": ""}

    first = browser.post(address(batch, "approve"), given)
    after = Batch.objects.values().get()
    second = browser.post(address(batch, "approve"), given)

    assert (first.status_code, second.status_code) == (302, 200)
    assert "already approved by" in second.content.decode()
    assert Batch.objects.values().get() == after


def test_a_batch_is_rejected_with_a_reason_and_discarded_without(in_group: Any) -> None:
    rejected, operator = sent_batch(), in_group("Operator")
    discarded = sent_batch(BATCH_ROW, BATCH_ROW, by=operator)
    approver = as_user(in_group("Approver"))

    without = act(approver, rejected, "reject", reason="")
    text = act(approver, rejected, "reject", reason="Last month's file.")
    act(as_user(operator), discarded, "discard")

    assert "This field is required" in without
    assert "Last month&#x27;s file." in text
    assert [batch.state for batch in Batch.objects.order_by("pk")] == [BatchState.REJECTED, BatchState.DISCARDED]
    assert not Payout.objects.exists()


def test_the_same_file_is_refused_with_the_way_to_the_first(as_group: Any) -> None:
    batch = checked_batch()

    text = post_file(as_group("Operator"), recipes.batch_csv()).content.decode()

    assert "This file is a batch already" in text
    assert address(batch) in text
    assert Batch.objects.count() == 1


def test_a_file_that_cannot_be_read_says_why_and_leads_to_the_next_upload(as_group: Any) -> None:
    batch = upload.store(b"user_id;amount\n1;2\n", name="x.csv", by=recipes.person.make())
    check.run(batch.pk)

    text = page(as_group("Operator"), batch)

    assert "The header has no column “kind”." in text
    assert ADD in text


def test_rows_are_paged_and_chosen_by_what_was_found(as_group: Any) -> None:
    batch = checked_batch(*recipes.batch_rows(70), BATCH_ROW, BATCH_ROW, *[WRONG_ROW] * 60)
    browser = as_group("Auditor")

    errors, more = page(browser, batch), page(browser, batch, "?show=errors&page=2")
    repeated, every = page(browser, batch, "?show=repeated"), page(browser, batch, "?show=all&page=3")
    nothing = page(browser, batch, "?show=stage-lost")

    assert (errors.count('class="po-fault"'), more.count('class="po-fault"')) == (50, 10)
    assert "pays the same as line 72" in repeated
    assert "Page 3 of 3" in every
    assert "There is no such row." in nothing


def test_the_result_tells_sums_by_stage_and_leads_to_the_rows(as_group: Any) -> None:
    batch = submitted_batch(*recipes.batch_rows(3), "9;2000000;RUB;card;4111111111111111;;;")
    recipes.awaiting_payout()  # another's

    text = page(as_group("Auditor"), batch)
    ready = page(as_group("Auditor"), batch, "?show=stage-ready")

    assert "750,006.00\u00a0RUB" in text
    assert "2,000,000.00\u00a0RUB" in text
    assert ready.count('class="po-row-found"') == 3


def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(
    as_group: Any, django_assert_max_num_queries: Any
) -> None:
    batch = submitted_batch(*recipes.batch_rows(60), WRONG_ROW)
    browser = as_group("Approver")
    page(browser, batch)

    with django_assert_max_num_queries(30):
        page(browser, batch)


def test_of_an_altered_batch_the_page_says_so_and_offers_nothing(as_group: Any) -> None:
    batch = recipes.approved_batch()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payouts_batchrow SET amount = 900000")
    submit.run(batch.pk)

    text = page(as_group("Admin"), batch)

    assert "changed outside the product" in text
    assert address(batch, "approve") not in text


# Files


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
