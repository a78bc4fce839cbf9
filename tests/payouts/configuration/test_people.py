"""What people and groups may do, their passwords and second factors: never by one person alone."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User

from payouts import configuration
from payouts.configuration import Act, ConfigurationError
from payouts.configuration.people_subjects import LINK
from payouts.models import Authenticator, Proposal
from payouts.staff import authority, password_links
from tests.recipes import allowed_to, person, superuser

pytestmark = pytest.mark.django_db

PEOPLE = ("add_user", "change_user", "view_group")


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


@pytest.fixture
def boss(db: None) -> User:
    return superuser.make(username="boss")


@pytest.fixture
def second(db: None) -> User:
    return allowed_to(*PEOPLE, username="second")


def as_it_is(who: User, **changes: Any) -> dict[str, Any]:
    return configuration.subject("person").snapshot(who) | changes


def proposed(subject: str, who: User | None, after: dict[str, Any], by: User, act: str = Act.CHANGE) -> Proposal:
    return configuration.propose(subject, who.pk if who else "", after, by=by, reason="They asked.", act=act)


def test_a_person_becomes_an_approver_when_another_confirms(boss: User, second: User) -> None:
    somebody = person.make()

    proposal = proposed("person", somebody, as_it_is(somebody, groups=["Approver"]), boss)
    assert not User.objects.get(pk=somebody.pk).has_perm("payouts.approve_payout")
    configuration.confirm(proposal.pk, by=second)

    assert User.objects.get(pk=somebody.pk).has_perm("payouts.approve_payout")
    assert authority.unfit() == []
    lines = configuration.subject("person").lines(proposal.before, proposal.after)
    assert [tuple(line) for line in lines] == [("Groups", "–", "Approver")]


def test_a_new_person_has_no_password_and_the_proposer_takes_a_link_to_choose_it_by(second: User) -> None:
    proposer = allowed_to(*PEOPLE)
    after = {
        "username": "new",
        "first_name": "",
        "last_name": "",
        "email": "",
        "is_active": True,
        "is_staff": True,
        "is_superuser": False,
        "groups": [],
        "permissions": [],
    }

    proposal = proposed("person", None, after, proposer, Act.ADD)
    confirmed = configuration.confirm(proposal.pk, by=second)
    with pytest.raises(ConfigurationError, match="Only the person who proposed the link"):
        configuration.take_key(proposal.pk, by=second)
    code = configuration.take_key(proposal.pk, by=proposer)

    made = User.objects.get(username="new")
    assert confirmed.is_to_be_taken
    assert not made.has_usable_password()
    assert password_links.whose(code) == made
    assert authority.unfit() == []
    with pytest.raises(ConfigurationError, match="taken already"):
        configuration.take_key(proposal.pk, by=proposer)


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": ["Approver"]},
        {"groups": ["Operator"]},
        {"is_superuser": True},
        {"permissions": ["payouts.add_payout"]},
    ],
)
def test_who_is_no_superuser_proposes_no_rights_over_money(changes: dict[str, Any], second: User) -> None:
    somebody = person.make()

    with pytest.raises(ConfigurationError, match="superuser"):
        proposed("person", somebody, as_it_is(somebody, **changes), second)


@pytest.mark.parametrize(
    "codename",
    [
        *("add_apiclient", "change_apiclient", "add_apikey", "change_apikey"),
        *("hold_payout", "cancel_payout", "retry_payout", "export_payout", "pause_providerpause", "end_recovery"),
        *("change_approvalband", "change_reviewrule", "add_velocitylimit", "change_user", "change_schedule"),
    ],
)
def test_who_is_no_superuser_gives_nobody_more_than_to_look(codename: str, second: User) -> None:
    """Shown before: an account that an Admin added to a group for keys made a key, paid, and was approved by them."""
    keys = Group.objects.create(name="Keys")
    keys.permissions.set(Permission.objects.filter(codename=codename))
    somebody, holder = person.make(), person.make()
    holder.groups.add(keys)

    with pytest.raises(ConfigurationError, match="superuser"):
        proposed("person", somebody, as_it_is(somebody, groups=["Keys"]), second)
    with pytest.raises(ConfigurationError, match="superuser"):
        proposed("password", holder, LINK, second, Act.ADD)


def test_who_is_no_superuser_lets_people_look(second: User) -> None:
    readers = Group.objects.create(name="Readers")
    readers.permissions.set(Permission.objects.filter(codename__startswith="view_"))
    somebody = person.make()

    assert proposed("person", somebody, as_it_is(somebody, groups=["Readers"]), second)


def test_nobody_proposes_or_confirms_anything_about_themself(boss: User) -> None:
    other = superuser.make()
    for subject, after, act in (
        ("person", as_it_is(boss, first_name="B"), Act.CHANGE),
        ("password", LINK, Act.ADD),
    ):
        with pytest.raises(ConfigurationError, match="your own account"):
            proposed(subject, boss, after, boss, act)
        proposal = proposed(subject, boss, after, other, act)
        with pytest.raises(ConfigurationError, match="about you"):
            configuration.confirm(proposal.pk, by=boss)


def test_a_closed_account_is_opened_by_two_and_closed_by_one(boss: User, second: User) -> None:
    somebody = person.make(is_active=False)

    configuration.confirm(proposed("person", somebody, as_it_is(somebody, is_active=True), boss).pk, by=second)

    somebody.refresh_from_db()
    assert somebody.is_active
    with pytest.raises(ConfigurationError, match="Close the account instead"):
        proposed("person", somebody, as_it_is(somebody, is_active=False), boss)


def test_a_link_to_a_new_password_takes_two(boss: User, second: User) -> None:
    somebody = person.make()

    proposal = proposed("password", somebody, LINK, boss, Act.ADD)
    with pytest.raises(ConfigurationError, match="There is no key to take"):
        configuration.take_key(proposal.pk, by=boss)
    configuration.confirm(proposal.pk, by=second)
    code = configuration.take_key(proposal.pk, by=boss)

    assert password_links.whose(code) == somebody


def test_a_password_that_was_typed_before_there_were_links_is_no_way(boss: User, second: User) -> None:
    somebody = person.make()
    before = somebody.password

    with pytest.raises(ConfigurationError, match="permission"):
        proposed("password", somebody, {"password": make_password("another long word")}, boss)

    somebody.refresh_from_db()
    assert somebody.password == before


def test_a_second_factor_is_removed_by_two(boss: User, second: User) -> None:
    somebody = person.make()
    Authenticator.objects.create(user=somebody, name="authenticator", key="a" * 40, confirmed=True)
    with pytest.raises(ConfigurationError, match="superuser"):
        proposed("second_factor", somebody, {}, second, Act.DELETE)

    proposal = proposed("second_factor", somebody, {}, boss, Act.DELETE)
    assert Authenticator.objects.exists()
    configuration.confirm(proposal.pk, by=second)

    assert not Authenticator.objects.exists()


def test_what_a_group_may_do_is_changed_by_two_superusers_who_are_not_in_it(boss: User) -> None:
    member, other = superuser.make(), superuser.make()
    group = Group.objects.create(name="Treasury")
    member.groups.add(group)
    after = {"name": "Treasury", "permissions": ["payouts.approve_payout"]}

    proposal = configuration.propose("group", group.pk, after, by=boss, reason="They asked.")
    with pytest.raises(ConfigurationError, match="about you"):
        configuration.confirm(proposal.pk, by=member)
    configuration.confirm(proposal.pk, by=other)

    assert [each.codename for each in group.permissions.all()] == ["approve_payout"]
    assert authority.unfit() == []
    admins = Group.objects.get(name="Admin")
    with pytest.raises(ConfigurationError, match="stay as they are"):
        configuration.propose("group", admins.pk, {"name": "Admin", "permissions": []}, by=boss, reason="Why")
