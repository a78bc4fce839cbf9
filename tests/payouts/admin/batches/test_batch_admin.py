"""Batches in the back office: who may do what."""

from typing import Any

import pytest

from payouts.models import Batch
from tests import recipes
from tests.payouts.admin.batches.acts import ADD, BATCHES, address, post_file
from tests.payouts.admin.conftest import as_user
from tests.recipes import BATCH_ROW, checked_batch, sent_batch

pytestmark = pytest.mark.django_db


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


def test_a_member_of_staff_without_a_group_sees_no_batch() -> None:
    batch = checked_batch()
    browser = as_user(recipes.person.make())

    paths = (BATCHES, ADD, address(batch), f"{BATCHES}{batch.pk}/errors.csv", f"{BATCHES}template.csv")

    assert [browser.get(path).status_code for path in paths] == [403] * 5
    assert "Batches" not in browser.get("/admin/").content.decode()


def test_nobody_changes_or_deletes_a_batch_by_hand() -> None:
    batch = checked_batch()
    browser = as_user(recipes.superuser.make())

    assert browser.post(address(batch), {"name": "x"}).status_code == 403
    assert browser.post(address(batch, "delete"), {"post": "yes"}).status_code == 403
    assert Batch.objects.get().name == "march.csv"
