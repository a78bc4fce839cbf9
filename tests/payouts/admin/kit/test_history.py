"""The history of what is configured, on its own pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import clients
from payouts.models import ApiKey, ApprovalBand
from tests.payouts.admin.conftest import as_user

pytestmark = pytest.mark.django_db


def sections(answer: Any) -> dict[str, Any]:
    return dict(answer.context["history_sections"])


def test_a_changed_band_shows_who_changed_it_from_what_to_what(in_group: Callable[[str], User]) -> None:
    admin = in_group("Admin")
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    browser, path = as_user(admin), f"/admin/payouts/approvalband/{band.pk}/change/"

    browser.post(path, {"currency": "RUB", "from_amount": "0", "approvals_required": "3"})

    newest, oldest = sections(browser.get(path))["History"]
    assert (newest.who, newest.what, newest.fields) == (
        admin.username,
        "Changed",
        [("Approvals required", str(band.approvals_required), "3")],
    )
    assert oldest.what == "Created"


def test_a_deleted_band_keeps_its_history(in_group: Callable[[str], User]) -> None:
    admin = in_group("Admin")
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    browser = as_user(admin)

    browser.post(f"/admin/payouts/approvalband/{band.pk}/delete/", {"post": "yes"})

    newest = sections(browser.get("/admin/payouts/approvalband/"))["Last changes"][0]
    assert (newest.who, newest.what, newest.subject) == (admin.username, "Deleted", str(band))
    assert ApprovalBand.history.filter(id=band.pk).count() == 2


def test_a_keys_making_and_end_are_history_but_not_its_use_nor_its_secret(in_group: Callable[[str], User]) -> None:
    client, secret = clients.create_client("shop", scopes=["payouts:read"])
    admin, key = in_group("Admin"), ApiKey.objects.get()
    browser = as_user(admin)

    clients.find_key(secret)
    browser.post(f"/admin/payouts/apiclient/{client.pk}/revoke-key/", {"version": 0, "key": key.pk})

    newest, oldest = sections(browser.get(f"/admin/payouts/apiclient/{client.pk}/change/"))["History of the keys"]
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert (newest.who, [label for label, _then, _now in newest.fields]) == (admin.username, ["Revoked at"])
    assert oldest.what == "Created"
    columns = {field.name for field in ApiKey.history.model._meta.fields}
    assert not {"secret_hash", "last_used_at"} & columns


def test_a_key_that_is_revoked_again_changes_nothing() -> None:
    _client, _secret = clients.create_client("shop", scopes=["payouts:read"])
    key = ApiKey.objects.get()
    clients.revoke_key(key.pk)
    key.refresh_from_db()
    revoked_at = key.revoked_at

    clients.revoke_key(key.pk)

    key.refresh_from_db()
    assert key.revoked_at == revoked_at
    assert ApiKey.history.count() == 2


def test_who_may_only_look_can_put_nothing_back(as_group: Any) -> None:
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    record = ApprovalBand.history.filter(id=band.pk)[0]
    fields = {"currency": "RUB", "from_amount": "0", "approvals_required": "5"}

    answer = as_group("Auditor").post(f"/admin/payouts/approvalband/{band.pk}/history/{record.pk}/", fields)

    band.refresh_from_db()
    assert answer.status_code in (302, 403, 404)
    assert band.approvals_required != 5


def test_history_costs_the_same_for_many_changes(
    in_group: Callable[[str], User], django_assert_num_queries: Any
) -> None:
    browser = as_user(in_group("Admin"))
    band = ApprovalBand.objects.get(currency="RUB", from_amount=0)
    band.save()
    browser.get("/admin/payouts/approvalband/")
    with django_assert_num_queries(60, exact=False) as few:
        browser.get("/admin/payouts/approvalband/")
    for _number in range(8):
        band.save()

    with django_assert_num_queries(len(few)):
        browser.get("/admin/payouts/approvalband/")
