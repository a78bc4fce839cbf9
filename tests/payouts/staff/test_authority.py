"""SQL alone makes nobody a person of the back office, and gives nobody a right."""

from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import reverse

from payouts import vault
from payouts.models import AccessEvent, Authenticator, AuthoritySeal, Passkey, SingleSignOn
from payouts.staff import authority
from payouts.staff.authority import SealedBackend
from tests import recipes
from tests.databases import as_owner
from tests.payouts.observe import audit_of, by_hand, is_clean

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
APPROVE = "payouts.approve_payout"


def permission(name: str) -> Permission:
    app, _dot, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


@pytest.fixture
def person() -> User:
    made: User = recipes.person.make(username="ivan")
    made.set_password(PASSWORD)
    made.save()
    return made


def logged_in(username: str, password: str = PASSWORD) -> Any:
    return authenticate(RequestFactory().post("/"), username=username, password=password)


def test_a_person_whom_sql_made_cannot_log_in_and_is_named(person: User) -> None:
    by_hand(
        "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email,"
        " date_joined) SELECT 'thief', password, true, true, true, '', '', '', now() FROM auth_user WHERE id = %s",
        person.pk,
    )

    assert logged_in("ivan") == person
    assert logged_in("thief") is None
    assert audit_of(None) == {"person_sealed"}


@pytest.mark.parametrize(
    "change",
    [
        "is_superuser = true",
        "is_staff = false",
        "username = 'ivan2'",
        "password = (SELECT password FROM auth_user WHERE username = 'thief')",
    ],
)
def test_a_person_whom_sql_changed_is_logged_out_and_named(person: User, change: str) -> None:
    User.objects.create_user("thief", password="another long password")
    browser = Client()
    browser.force_login(person)

    by_hand(f"UPDATE auth_user SET {change} WHERE id = %s", person.pk)

    assert SealedBackend().get_user(person.pk) is None
    assert browser.get(reverse("admin:index")).status_code == 302
    assert not authority.is_genuine(person)
    assert audit_of(None) == {"person_sealed"}


def test_a_closed_account_that_sql_opened_stays_closed(person: User) -> None:
    assert authority.close(person.pk)
    assert is_clean()

    by_hand("UPDATE auth_user SET is_active = true WHERE id = %s", person.pk)

    assert logged_in("ivan") is None


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = 'Approver'",
        "INSERT INTO auth_user_user_permissions (user_id, permission_id)"
        " SELECT %s, id FROM auth_permission WHERE codename = 'approve_payout'",
    ],
)
def test_a_right_that_sql_gave_a_person_is_none_and_is_named(person: User, insert: str) -> None:
    by_hand(insert, person.pk)

    assert not User.objects.get(pk=person.pk).has_perm(APPROVE)
    assert SealedBackend().get_user(person.pk) is None
    assert audit_of(None) == {"person_sealed"}


def test_a_permission_that_sql_gave_a_group_is_none_and_the_group_gives_no_other(person: User) -> None:
    person.groups.add(Group.objects.get(name="Operator"))
    by_hand(
        "INSERT INTO auth_group_permissions (group_id, permission_id)"
        " SELECT g.id, p.id FROM auth_group g, auth_permission p"
        " WHERE g.name = 'Operator' AND p.codename = 'approve_payout'"
    )

    found = SealedBackend().get_user(person.pk)

    assert found is not None
    assert found.get_all_permissions() == set()
    assert audit_of(None) == {"group_sealed"}


def test_a_permission_that_sql_renamed_gives_nobody_anything(person: User) -> None:
    person.groups.add(Group.objects.get(name="Operator"))
    by_hand("UPDATE auth_permission SET codename = 'no_payout' WHERE codename = 'approve_payout'")
    by_hand("UPDATE auth_permission SET codename = 'approve_payout' WHERE codename = 'hold_payout'")

    assert not User.objects.get(pk=person.pk).has_perm(APPROVE)
    assert audit_of(None) == {"group_sealed"}


CHANGES: dict[str, Callable[[User, Group], object]] = {
    "a password": lambda person, group: _with_password(person),
    "a switch": lambda person, group: _saved(person, is_superuser=True),
    "one column": lambda person, group: _saved(person, update_fields=["is_staff"], is_staff=False),
    "a group": lambda person, group: person.groups.add(group),
    "a group, from the group": lambda person, group: group.user_set.add(person),
    "no group": lambda person, group: person.groups.clear(),
    "no person, from the group": lambda person, group: group.user_set.clear(),
    "other groups": lambda person, group: person.groups.set([group]),
    "a permission": lambda person, group: person.user_permissions.add(permission(APPROVE)),
    "a permission, from the permission": lambda person, group: permission(APPROVE).user_set.add(person),
    "no permission": lambda person, group: person.user_permissions.clear(),
    "a group's permission": lambda person, group: group.permissions.add(permission(APPROVE)),
    "a group's permission, from the permission": lambda person, group: permission(APPROVE).group_set.add(group),
    "other permissions of a group": lambda person, group: group.permissions.set([permission(APPROVE)]),
    "no permissions of a group": lambda person, group: group.permissions.clear(),
    "no group of a permission": lambda person, group: permission("payouts.hold_payout").group_set.clear(),
    "a group's name": lambda person, group: _saved(group, name="Others"),
    "one group fewer": lambda person, group: group.delete(),
    "the groups of a migrate": lambda person, group: _migrated(),
}


def _migrated() -> None:
    with as_owner():
        call_command("migrate", verbosity=0)


def _with_password(person: User) -> None:
    person.set_password("another long password")
    person.save()


def _saved(row: Any, *, update_fields: list[str] | None = None, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=update_fields)


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_back_office_changes_is_sealed_with_it(person: User, change: str) -> None:
    group = Group.objects.create(name="Others before")
    group.permissions.add(permission("payouts.hold_payout"))
    person.groups.add(group)
    person.user_permissions.add(permission("payouts.cancel_payout"))

    CHANGES[change](person, group)

    assert is_clean()


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_that_sql_did_is_sealed_with_a_later_change(person: User, change: str) -> None:
    group = Group.objects.create(name="Others before")
    person.groups.add(group)
    by_hand("UPDATE auth_user SET email = '', is_superuser = true WHERE id = %s", person.pk)
    by_hand(
        "INSERT INTO auth_group_permissions (group_id, permission_id)"
        " SELECT %s, id FROM auth_permission WHERE codename = 'settle_payout'",
        group.pk,
    )

    CHANGES[change](User.objects.get(pk=person.pk), group)

    assert not authority.is_genuine(person)
    group_is_mended = change in ("one group fewer", "other permissions of a group", "no permissions of a group")
    assert {found.name for found in authority.unfit()} == ({"ivan"} if group_is_mended else {"ivan", group.name})


def test_what_sql_did_in_the_middle_of_a_change_is_not_sealed_with_it(person: User) -> None:
    authority._hold(person, AuthoritySeal.Kind.PERSON, [person.pk])
    by_hand(
        "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = 'Admin'",
        person.pk,
    )
    for held in authority._held(person, AuthoritySeal.Kind.PERSON):
        authority._reseal(held, username="ivan3")

    assert not authority.is_genuine(person)


def test_two_changes_of_one_person_at_once_are_both_sealed(person: User) -> None:
    """The first is outside a transaction, as the page for one's own password is: its lock is gone when it saves."""
    authority._hold(person, AuthoritySeal.Kind.PERSON, [person.pk])
    User.objects.get(pk=person.pk).groups.add(Group.objects.get(name="Operator"))
    User.objects.filter(pk=person.pk).update(password="a new hash")
    for held in authority._held(person, AuthoritySeal.Kind.PERSON):
        authority._reseal(held, password="a new hash")

    assert is_clean()


def test_a_login_writes_no_seal(person: User) -> None:
    before = AuthoritySeal.objects.get(kind="person", object_id=person.pk).version

    person.save(update_fields=["last_login"])

    assert AuthoritySeal.objects.get(kind="person", object_id=person.pk).version == before


def test_a_request_reads_its_person_and_all_their_rights_in_one_statement(
    person: User, django_assert_num_queries: Callable[[int], Any]
) -> None:
    person.groups.add(Group.objects.get(name="Approver"))

    with django_assert_num_queries(1):
        found = SealedBackend().get_user(person.pk)
        assert found is not None
        assert found.has_perm(APPROVE)
        assert not found.has_perm("payouts.settle_payout")


def test_a_superuser_has_every_permission(person: User) -> None:
    _saved(person, is_superuser=True)

    found = SealedBackend().get_user(person.pk)

    assert found is not None
    assert APPROVE in found.get_all_permissions()


def test_the_server_makes_what_is_there_the_truth_and_says_what(
    person: User, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand("UPDATE auth_user SET is_superuser = true WHERE id = %s", person.pk)
    out = StringIO()

    call_command("seal_people", "--yes", stdout=out)

    assert "person ivan: " in out.getvalue()
    assert "is_superuser True" in out.getvalue()
    assert person.password not in out.getvalue()
    assert "shell:" in caplog.text
    assert AccessEvent.objects.get(kind="on_server").user is None
    assert is_clean()


def test_the_server_seals_nothing_without_the_typed_word(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand("UPDATE auth_user SET is_superuser = true WHERE id = %s", person.pk)
    monkeypatch.setattr("builtins.input", lambda _question: "yes")

    with pytest.raises(CommandError):
        call_command("seal_people", stdout=StringIO())

    assert not authority.is_genuine(person)


def test_a_rotation_renews_what_fits_and_leaves_what_does_not(person: User, settings: Any) -> None:
    other = recipes.person.make(username="other")
    by_hand("UPDATE auth_user SET is_superuser = true WHERE id = %s", other.pk)
    settings.EVENT_HMAC_KEYS = ["a new key that signs from now on, long enough", *settings.EVENT_HMAC_KEYS]

    left = authority.renew_seals()

    assert [found.name for found in left] == ["other"]
    assert vault.is_by_first_key(AuthoritySeal.objects.get(kind="person", object_id=person.pk).seal)
    assert authority.is_genuine(person)


def a_passkey(person: User) -> Any:
    made = Passkey(user=person, name="laptop", credential_id=b"c", public_key=b"k")
    made.save(force_insert=True)
    made.refresh_from_db(fields=["created_at"])
    made.seal_anew()
    return made


def an_app(person: User) -> Any:
    return Authenticator.objects.create(user=person, name="authenticator", confirmed=True)


def a_link(person: User) -> Any:
    made = SingleSignOn(user=person, name="single sign-on", issuer="https://id.example", subject="anna")
    made.save(force_insert=True)
    made.seal_anew()
    return made


@pytest.mark.parametrize("make", [a_passkey, an_app, a_link])
def test_a_login_that_was_taken_away_and_that_sql_puts_back_opens_nothing(
    person: User, make: Callable[[User], Any]
) -> None:
    row = make(person)
    assert authority.is_genuine(person)
    table = row._meta.db_table
    by_hand(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {table} WHERE id = %s", row.pk)
    row.delete()
    assert authority.is_genuine(person)

    by_hand(f"INSERT INTO {table} SELECT * FROM kept WHERE id >= %s", 0)

    assert logged_in("ivan") is None
    assert audit_of(None) == {"person_sealed"}


def test_an_app_that_sql_gives_an_earlier_key_opens_nothing(person: User) -> None:
    present = an_app(person)

    by_hand("UPDATE otp_totp_totpdevice SET key = %s WHERE id = %s", "00" * 20, present.pk)

    assert not authority.is_genuine(person)


def test_a_person_sealed_before_logins_were_is_sealed_with_them_by_the_migration(person: User) -> None:
    an_app(person)
    sealed = AuthoritySeal.objects.get(kind="person", object_id=person.pk)
    content = next(found.content for found in authority.everybody() if found.content.pk == person.pk)
    parts = [
        sorted(value) if isinstance(value, frozenset) else value for value in list(asdict(content).values())[:-1]
    ]
    sealed.seal = vault.seal("authority", "person", sealed.version, *parts)
    sealed.save()
    assert not authority.is_genuine(person)

    import_module("payouts.migrations.0038_logins_sealed").seal_logins(apps, None)

    assert authority.is_genuine(person)
    assert is_clean()
