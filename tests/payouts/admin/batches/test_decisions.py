"""What two people do with a batch by its dialogs, from the upload to the payouts."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from payouts.batches import check, submit
from payouts.models import Batch, BatchState, Payout
from tests import recipes
from tests.payouts.admin.batches.acts import WRONG_ROW, act, address, page, post_file
from tests.payouts.admin.conftest import as_user
from tests.recipes import BATCH_ROW, sent_batch

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["send", "approve", "reject", "discard", "stop"])
def test_without_the_permission_a_post_changes_nothing(name: str, as_group: Any) -> None:
    batch = sent_batch()
    given = {"version": batch.revision, "reason": "x", "note": ""}

    answer = as_group("Auditor").post(address(batch, name), given)

    assert answer.status_code == 403
    assert Batch.objects.values().get() == Batch.objects.filter(pk=batch.pk).values().get()
    assert Batch.objects.get().state == BatchState.AWAITING_APPROVAL


def test_the_right_to_approve_payouts_alone_opens_no_batch(in_group: Any) -> None:
    from django.contrib.auth.models import Permission

    batch = sent_batch()
    person: User = recipes.person.make()
    person.user_permissions.set(Permission.objects.filter(codename="approve_payout"))

    answer = as_user(person).post(address(batch, "approve"), {"version": batch.revision})

    assert answer.status_code == 403
    assert Batch.objects.get().approved_at is None


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


def test_a_batch_is_stopped_by_whoever_may_hold_and_its_page_says_what_was_made_before(
    in_group: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payouts.batches.submit.SUBMITTED_AT_ONCE", 2)
    batch = recipes.approved_batch(*recipes.batch_rows(5))
    submit.run(batch.pk, must_stop=lambda: True)
    operator = in_group("Operator")

    offered = page(as_user(operator), batch)
    without = act(as_user(operator), batch, "stop", reason="")
    stopped = act(as_user(operator), batch, "stop", reason="Last month's rates.")
    left = page(as_user(operator), batch, "?show=left")
    file = b"".join(as_user(operator).get(address(batch, "errors.csv").rstrip("/")).streaming_content).decode()

    assert address(batch, "stop") in offered
    assert "This field is required" in without
    assert f"Stopped by {operator.username}: no further row becomes a payout." in stopped
    assert "2 payouts were made before." in stopped
    assert "Last month&#x27;s rates." in stopped
    assert address(batch, "stop") not in stopped.replace(f"{address(batch, 'stop')}?", "")
    assert left.count('class="po-row-found"') == 3
    assert file.count("The batch was stopped before this row.") == 3


def test_of_an_altered_batch_the_page_says_so_and_offers_nothing(as_group: Any) -> None:
    batch = recipes.approved_batch()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payouts_batchrow SET amount = 900000")
    submit.run(batch.pk)

    text = page(as_group("Admin"), batch)

    assert "changed outside the product" in text
    assert address(batch, "approve") not in text
