"""Groups: who may do what, and who may change it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User

from tests import recipes
from tests.payouts.admin.conftest import as_user

pytestmark = pytest.mark.django_db


def test_the_table_of_groups_says_who_may_do_what(as_group: Any) -> None:
    answer = as_group("Admin").get("/admin/auth/group/")

    rows = {str(verb): dict(cells) for verb, cells in answer.context["matrix_rows"]}
    assert rows["Approve and reject"] == {"Operator": False, "Approver": True, "Auditor": False, "Admin": True}
    assert rows["Make a payout by hand"] == {"Operator": True, "Approver": False, "Auditor": False, "Admin": True}
    assert rows["Read the access log"] == {"Operator": False, "Approver": False, "Auditor": True, "Admin": True}
    assert rows["Add and change people"] == {"Operator": False, "Approver": False, "Auditor": False, "Admin": True}


def test_permissions_are_offered_in_words() -> None:
    text = as_user(recipes.superuser.make()).get("/admin/auth/group/add/").content.decode()

    assert "See: API clients" in text
    assert "Can approve and reject payouts" in text
    assert "payouts | payout" not in text
    assert "TOTP" not in text


def test_a_shipped_group_is_shown_and_not_changed(in_group: Callable[[str], User]) -> None:
    in_group("Operator")
    group = Group.objects.get(name="Operator")
    held = set(group.permissions.values_list("codename", flat=True))
    browser = as_user(recipes.superuser.make())

    answer = browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Operator", "permissions": []})
    page = browser.get(f"/admin/auth/group/{group.pk}/change/").content.decode()

    assert answer.status_code == 403
    assert set(group.permissions.values_list("codename", flat=True)) == held
    assert "Can hold and release payouts" in page


def test_given_permissions_of_a_group_are_told() -> None:
    from django.contrib.auth.models import Permission

    group = Group.objects.create(name="Treasury")
    permission = Permission.objects.get(codename="hold_payout")
    browser = as_user(recipes.superuser.make())

    browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Treasury", "permissions": [permission.pk]})

    lists = json.loads(LogEntry.objects.get().change_message)[-1]["lists"]
    assert lists == {"Permissions": {"given": ["Can hold and release payouts"], "taken": []}}


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
