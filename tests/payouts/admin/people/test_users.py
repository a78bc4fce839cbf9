"""People: who may change whom."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client

from payouts.models import PasswordLink
from payouts.staff import groups, password_links
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.people.sign_in import PASSWORD

pytestmark = pytest.mark.django_db


def change_fields(user: User, **changed: Any) -> dict[str, Any]:
    return {"username": user.username, "is_active": "on", "is_staff": "on"} | changed


def link_made(browser: Client, person: User) -> str:
    """The code of the link that this browser's person makes for another's password; empty where it is refused."""
    path = f"/admin/auth/user/{person.pk}/make-link/"
    text = browser.post(path, {"version": 0, "reason": "They forgot it."}).content.decode()
    found = re.search(r"/password-link/#([^<\"]+)", text)
    return found[1] if found else ""


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
        assert link_made(browser, person) == ""


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


@pytest.mark.parametrize("group", ["Operator", "Approver", "Auditor"])
def test_others_see_no_people(group: str, as_group: Any) -> None:
    browser = as_group(group)

    assert browser.get("/admin/auth/user/").status_code == 403
    assert "/admin/auth/user/" not in browser.get("/admin/").content.decode()


@pytest.mark.parametrize("group", ["Approver", "Auditor", "Admin"])
def test_an_admin_sets_no_password_and_no_group_of_who_decides(group: str, in_group: Callable[[str], User]) -> None:
    person, browser = in_group(group), as_user(in_group("Admin"))
    path = f"/admin/auth/user/{person.pk}"

    assert link_made(browser, person) == ""
    assert browser.post(f"{path}/change/", {"username": person.username, "is_active": "on"}).status_code == 403
    page = browser.get(f"{path}/change/").content.decode()

    person.refresh_from_db()
    assert person.groups.count() == 1
    assert "Only a superuser can change the account" in page


def test_a_closed_account_has_no_link(in_group: Callable[[str], User]) -> None:
    decided, other = in_group("Approver"), recipes.person.make()
    for person in (decided, other):
        person.is_active = False
        person.save()

    assert link_made(as_user(in_group("Admin")), decided) == ""
    assert link_made(as_user(recipes.superuser.make()), other) == ""


def test_an_admin_gives_nobody_a_group_that_decides(in_group: Callable[[str], User]) -> None:
    person, browser = recipes.person.make(), as_user(in_group("Admin"))
    approvers = str(Group.objects.get(name="Approver").pk)
    form = {"username": person.username, "is_active": "on", "is_staff": "on", "groups": [approvers]}

    answer = browser.post(f"/admin/auth/user/{person.pk}/change/", form)

    assert "groups" in answer.context["adminform"].form.errors
    assert not person.groups.exists()


def test_an_admin_makes_a_link_for_who_makes_and_decides_nothing(in_group: Callable[[str], User]) -> None:
    person, browser = recipes.person.make(), as_user(in_group("Admin"))

    assert password_links.whose(link_made(browser, person)) == person


def test_an_admin_cannot_become_an_operator_too(in_group: Callable[[str], User]) -> None:
    """Who made payouts as another could approve them."""
    assert link_made(as_user(in_group("Admin")), in_group("Operator")) == ""
    assert not PasswordLink.objects.exists()


def test_where_one_person_is_enough_a_new_one_comes_with_a_link(in_group: Callable[[str], User]) -> None:
    fields = {"username": "anna", "is_staff": "on", "password1": PASSWORD, "password2": PASSWORD}

    page = as_user(in_group("Admin")).post("/admin/auth/user/add/", fields).content.decode()

    found = re.search(r"/password-link/#([^<\"]+)", page)
    assert found is not None
    anna = password_links.whose(found[1])
    assert (anna.username, anna.has_usable_password()) == ("anna", False)


def test_an_admin_closes_an_account_and_its_sessions_end(in_group: Callable[[str], User]) -> None:
    person, admin = in_group("Approver"), in_group("Admin")
    session, browser = as_user(person), as_user(admin)

    browser.post(f"/admin/auth/user/{person.pk}/close-account/", {"version": 0, "reason": "Left the company."})

    person.refresh_from_db()
    assert not person.is_active
    assert session.get("/admin/")["Location"].startswith("/admin/login/")
    assert json.loads(LogEntry.objects.get().change_message)[0]["act"]["name"] == "account_closed"


def test_an_admin_closes_neither_their_own_account_nor_a_superusers(in_group: Callable[[str], User]) -> None:
    admin, superuser = in_group("Admin"), recipes.superuser.make()
    browser = as_user(admin)

    for person in (admin, superuser):
        answer = browser.post(f"/admin/auth/user/{person.pk}/close-account/", {"version": 0, "reason": "No."})
        assert "You cannot close your own account." in answer.content.decode()
        person.refresh_from_db()
        assert person.is_active


def test_a_superuser_is_warned_when_somebody_begins_to_need_a_second_factor() -> None:
    groups.make_groups()
    person, browser = recipes.person.make(), as_user(recipes.superuser.make())
    person.groups.add(Group.objects.create(name="Guests"))
    approvers = Group.objects.get(name="Approver")
    form = {"username": person.username, "is_active": "on", "is_staff": "on", "groups": [str(approvers.pk)]}

    text = browser.post(f"/admin/auth/user/{person.pk}/change/", form, follow=True).content.decode()

    assert "now needs a second factor" in text
    lists = json.loads(LogEntry.objects.get().change_message)[-1]["lists"]
    assert lists == {"Groups": {"given": ["Approver"], "taken": ["Guests"]}}
