"""Approval bands, people, groups and clusters."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import RequestFactory

from payouts.admin.configuration import PayoutLimitAdmin
from payouts.models import ApprovalBand, Heartbeat, PayoutLimit
from payouts.staff import groups
from tests import recipes
from tests.payouts.admin.conftest import as_user

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


def change_fields(user: User, **changed: Any) -> dict[str, Any]:
    return {"username": user.username, "is_active": "on", "is_staff": "on"} | changed


def test_an_admin_makes_nobody_a_superuser(as_group: Any) -> None:
    person = recipes.person.make()

    as_group("Admin").post(
        f"/admin/auth/user/{person.pk}/change/",
        change_fields(person, is_superuser="on", user_permissions=["1", "2"], first_name="Ann"),
    )

    person.refresh_from_db()
    assert person.first_name == "Ann"
    assert not person.is_superuser
    assert not person.user_permissions.exists()


def test_an_admin_changes_neither_themselves_nor_a_superuser(in_group: Any) -> None:
    admin, superuser = in_group("Admin"), recipes.superuser.make()
    browser = as_user(admin)

    for person in (admin, superuser):
        path = f"/admin/auth/user/{person.pk}"
        assert browser.post(f"{path}/change/", change_fields(person, first_name="Ann")).status_code == 403
        new = {"password1": "a-long-new-password-1", "password2": "a-long-new-password-1", "usable_password": "true"}
        assert browser.post(f"{path}/password/", new).status_code == 403


def test_an_admin_puts_a_person_into_a_group_that_moves_no_money_and_no_other(as_group: Any) -> None:
    person = recipes.person.make()
    browser = as_group("Admin")
    readers = Group.objects.create(name="Readers")
    path = f"/admin/auth/user/{person.pk}/change/"

    browser.post(path, change_fields(person, groups=[str(readers.pk)]))
    refused = browser.post(path, change_fields(person, groups=[str(Group.objects.get(name="Operator").pk)]))

    assert refused.status_code == 200
    assert [group.name for group in person.groups.all()] == ["Readers"]


def test_a_superuser_puts_a_person_into_any_group(db: None) -> None:
    groups.make_groups()
    person, browser = recipes.person.make(), as_user(recipes.superuser.make())

    browser.post(
        f"/admin/auth/user/{person.pk}/change/",
        change_fields(person, groups=[str(Group.objects.get(name="Operator").pk)]),
    )

    assert [group.name for group in person.groups.all()] == ["Operator"]


def test_only_a_superuser_makes_and_changes_groups(as_group: Any) -> None:
    """A group can hold every permission, so who could change one could do anything."""
    own = Group.objects.create(name="Own")
    admin = recipes.person.make()
    admin.user_permissions.set(Permission.objects.filter(codename__in=["view_group", "add_group", "change_group"]))
    browser = as_user(admin)

    assert browser.get("/admin/auth/group/add/").status_code == 403
    assert browser.post(f"/admin/auth/group/{own.pk}/change/", {"name": "Mine"}).status_code == 403
    own.refresh_from_db()
    assert own.name == "Own"


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor"])
def test_others_see_no_people(group: str, as_group: Any) -> None:
    browser = as_group(group)

    assert browser.get("/admin/auth/user/").status_code == 403
    assert "/admin/auth/user/" not in browser.get("/admin/").content.decode()


def test_clusters_are_listed_with_their_last_sign_of_life(as_group: Any) -> None:
    Heartbeat.objects.create(cluster="alpha")

    text = as_group("Operator").get("/admin/payouts/heartbeat/").content.decode()

    assert "alpha" in text
    assert "Alive" in text


def test_a_limit_that_is_changed_keeps_what_was_used_of_it_meanwhile(db: None) -> None:
    PayoutLimit.objects.create(currency="RUB", day_amount=Decimal(1000))
    opened = PayoutLimit.objects.get()
    recipes.pending_payout(amount=Decimal("600.00"))
    opened.day_amount = Decimal(2000)

    PayoutLimitAdmin(PayoutLimit, site).save_model(RequestFactory().post("/"), opened, form=None, change=True)

    stored = PayoutLimit.objects.get()
    assert (stored.day_amount, stored.used_amount) == (Decimal(2000), Decimal("600.00"))
    assert [each.day_amount for each in stored.history.order_by("history_id")] == [Decimal(1000), Decimal(2000)]
