"""Clients, keys, groups, people, passwords and second factors: proposed in their forms, confirmed by another."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User

from payouts import clients
from payouts.models import ApiClient, ApiKey, Authenticator, Proposal
from payouts.staff import password_links, second_factor
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.test_clients import key_in
from tests.payouts.admin.text import plain

pytestmark = pytest.mark.django_db

WHY = {"proposal_reason": "The shop asks for it."}


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


@pytest.fixture
def proposer(in_group: Callable[[str], User]) -> User:
    return in_group("Admin")


@pytest.fixture
def second(in_group: Callable[[str], User]) -> User:
    return in_group("Admin")


def link_in(text: str) -> str:
    found = re.search(r'<code id="po-key">([^<]+)</code>', text)
    assert found is not None
    return found[1]


def act(person: User, name: str, **given: Any) -> str:
    """On the only proposal that is there."""
    path = f"/admin/payouts/proposal/{Proposal.objects.get().pk}/{name}/"
    return str(as_user(person).post(path, {"version": 0, **given}, follow=True).content.decode())


def shown(person: User) -> str:
    path = f"/admin/payouts/proposal/{Proposal.objects.get().pk}/change/"
    return plain(as_user(person).get(path).content.decode())


def test_a_client_and_its_key_take_two_people_and_the_proposer_sees_the_key_once(
    proposer: User, second: User
) -> None:
    fields = {"name": "shop", "owner": str(proposer.pk), "scopes": ["payouts:read"], "expires_on": "", **WHY}

    as_user(proposer).post("/admin/payouts/apiclient/add/", fields)
    before = (ApiClient.objects.count(), ApiKey.objects.count())
    too_early = act(proposer, "take")
    act(second, "confirm")
    offered = shown(proposer)
    others = act(second, "take")
    key = key_in(act(proposer, "take"))
    again = act(proposer, "take")

    assert before == (0, 0)
    assert "There is no key to take." in too_early
    assert "Take the key: it is made then, and shown once." in offered
    assert "Only the person who proposed the key can take it." in others
    found = clients.find_key(key)
    assert found is not None
    assert (found.client.name, found.scopes) == ("shop", ["payouts:read"])
    assert ApiKey.objects.count() == 1
    assert "It is shown only once." in again
    assert key not in shown(proposer)


def test_a_further_key_takes_two_people(proposer: User, second: User) -> None:
    client = recipes.client.make(name="shop")
    path = f"/admin/payouts/apiclient/{client.pk}"

    asked = plain(as_user(proposer).get(f"{path}/add-key/").content.decode())
    as_user(proposer).post(f"{path}/add-key/", {"version": 0, "scopes": ["payouts:write"], "reason": "A second one."})
    told = plain(as_user(second).get(f"{path}/change/").content.decode())
    act(second, "confirm")
    before = ApiKey.objects.count()
    key = key_in(act(proposer, "take"))

    assert "Reason for the change" in asked
    assert "has proposed a change of this. It is not in force yet." in told
    assert before == 0
    assert clients.find_key(key) is not None


def test_a_new_owner_takes_two_people_and_the_owners_are_neither(proposer: User, second: User) -> None:
    client = recipes.client.make(name="shop", owner=recipes.person.make())

    as_user(proposer).post(f"/admin/payouts/apiclient/{client.pk}/change/", {"owner": str(second.pk), **WHY})
    refused = act(second, "confirm")
    client.refresh_from_db()

    assert "It is about you, so another person must confirm it." in refused
    assert client.owner != second


def test_a_key_is_revoked_by_one_person_at_once(proposer: User) -> None:
    client, key = clients.create_client("shop", scopes=["payouts:read"])

    path = f"/admin/payouts/apiclient/{client.pk}/revoke-key/"
    as_user(proposer).post(path, {"version": 0, "key": client.keys.get().pk})

    assert clients.find_key(key) is None


def test_a_new_person_with_a_group_takes_two_people(proposer: User, second: User) -> None:
    readers = Group.objects.create(name="Readers")
    fields = {
        "username": "anna",
        "is_staff": "on",
        "groups": [str(readers.pk)],
        **WHY,
    }

    as_user(proposer).post("/admin/auth/user/add/", fields)
    before = User.objects.filter(username="anna").exists()
    page = shown(second)
    act(second, "confirm")
    anna = User.objects.get(username="anna")
    offered = shown(proposer)
    as_a_key = act(proposer, "take")
    link = link_in(act(proposer, "take-link"))

    assert not before
    assert "Take the link: it is made then, and shown once." in offered
    assert "There is no key to take." in as_a_key
    assert link not in shown(proposer)
    assert "anna" in page
    assert "Readers" in page
    assert password_links.whose(link.partition("#")[2]) == anna
    assert not anna.has_usable_password()
    assert ([group.name for group in anna.groups.all()], anna.is_staff) == (["Readers"], True)


def test_rights_take_two_people_and_neither_is_the_one_whom_they_are_about(proposer: User, second: User) -> None:
    superuser: User = recipes.superuser.make()
    fields = {
        "username": second.username,
        "is_staff": "on",
        "groups": [str(Group.objects.get(name=name).pk) for name in ("Admin", "Approver")],
    }

    as_user(superuser).post(f"/admin/auth/user/{second.pk}/change/", fields | WHY)
    refused = act(second, "confirm")
    between = second.groups.count()
    act(proposer, "confirm")

    assert "It is about you, so another person must confirm it." in refused
    assert (between, second.groups.count()) == (1, 2)


def test_a_closed_account_is_opened_by_two_people_and_closed_by_one(proposer: User, second: User) -> None:
    person = recipes.person.make()
    path = f"/admin/auth/user/{person.pk}"

    as_user(proposer).post(f"{path}/close-account/", {"version": 0, "reason": "Left."})
    closed = User.objects.get(pk=person.pk).is_active
    as_user(proposer).post(
        f"{path}/change/", {"username": person.username, "is_active": "on", "is_staff": "on", **WHY}
    )
    between = User.objects.get(pk=person.pk).is_active
    act(second, "confirm")

    assert (closed, between, User.objects.get(pk=person.pk).is_active) == (False, False, True)


def test_a_link_to_anothers_password_takes_two_people_and_the_proposer_sees_it_once(
    proposer: User, second: User
) -> None:
    person = recipes.person.make()
    path = f"/admin/auth/user/{person.pk}/make-link/"

    as_user(proposer).post(path, {"version": 0, "reason": "Forgot it."})
    too_early = act(proposer, "take-link")
    act(second, "confirm")
    others = act(second, "take-link")
    link = link_in(act(proposer, "take-link"))

    assert "There is no key to take." in too_early
    assert "Only the person who proposed the link can take it." in others
    assert link.startswith("http://testserver/admin/password-link/#")
    assert password_links.whose(link.partition("#")[2]) == person
    assert "shown only once" in act(proposer, "take-link")
    told = LogEntry.objects.filter(change_message__contains="link_made").get()
    assert (told.user, link.partition("#")[2] in told.change_message) == (proposer, False)


def test_nobody_types_anothers_password(proposer: User) -> None:
    person = recipes.person.make()
    path = f"/admin/auth/user/{person.pk}"

    page = as_user(proposer).get(f"{path}/change/").content.decode()
    own = as_user(proposer).get(f"/admin/auth/user/{proposer.pk}/make-link/").content.decode()

    assert as_user(proposer).get(f"{path}/password/", follow=True).redirect_chain[-1][0] == "/admin/"
    assert "argon2" not in page
    assert f"{path}/make-link/" in page
    assert "Change your own password" in own


def test_a_second_factor_is_removed_by_two_people(second: User) -> None:
    superuser: User = recipes.superuser.make()
    person = recipes.person.make()
    Authenticator.objects.create(user=person, name="authenticator", key="00" * 20, confirmed=True)

    path = f"/admin/auth/user/{person.pk}/remove-second-factor/"
    as_user(superuser).post(path, {"version": 0, "reason": "Lost the phone."})
    between = second_factor.has_one(person)
    act(second, "confirm")

    assert (between, second_factor.has_one(person)) == (True, False)


def test_what_a_group_may_do_takes_two_people(second: User) -> None:
    superuser: User = recipes.superuser.make()

    as_user(superuser).post("/admin/auth/group/add/", {"name": "Readers", "permissions": [], **WHY})
    between = Group.objects.filter(name="Readers").exists()
    other: User = recipes.superuser.make()
    act(other, "confirm")

    assert (between, Group.objects.filter(name="Readers").exists()) == (False, True)
