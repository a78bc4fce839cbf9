"""Approval bands, review rules and limits."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from payouts.models import ApprovalBand

pytestmark = pytest.mark.django_db

BANDS = "/admin/payouts/approvalband/"


def test_an_admin_adds_a_band_and_the_log_keeps_who(as_group: Any) -> None:
    as_group("Admin").post(f"{BANDS}add/", {"currency": "JPY", "from_amount": "0", "approvals_required": "1"})

    band = ApprovalBand.objects.get(currency="JPY")
    assert LogEntry.objects.get().object_id == str(band.pk)


def test_a_band_in_a_currency_that_does_not_exist_is_refused(as_group: Any) -> None:
    answer = as_group("Admin").post(
        f"{BANDS}add/", {"currency": "XQQ", "from_amount": "0", "approvals_required": "1"}
    )

    assert "not a currency code" in answer.content.decode()
    assert not ApprovalBand.objects.filter(currency="XQQ").exists()


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor"])
def test_others_see_bands_and_change_none(group: str, as_group: Any) -> None:
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    browser = as_group(group)
    fields = {"currency": "RUB", "from_amount": "0", "approvals_required": "5"}

    assert "RUB" in browser.get(BANDS).content.decode()
    assert browser.post(f"{BANDS}{band.pk}/change/", fields).status_code == 403
    assert browser.post(f"{BANDS}add/", fields).status_code == 403
    assert browser.post(f"{BANDS}{band.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_admin_deletes_a_band(as_group: Any) -> None:
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)

    as_group("Admin").post(f"{BANDS}{band.pk}/delete/", {"post": "yes"})

    assert not ApprovalBand.objects.filter(pk=band.pk).exists()
