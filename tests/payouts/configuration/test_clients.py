"""A client, its owner and its keys: proposed by one person, confirmed by another, and the key taken by the first."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import clients, configuration, rules
from payouts.configuration import Act, ConfigurationError
from payouts.models import ApiClient, ApiKey, Proposal
from tests.recipes import allowed_to, awaiting_payout, person
from tests.recipes import client as client_recipe

pytestmark = pytest.mark.django_db

CLIENTS = ("add_apiclient", "change_apiclient", "add_apikey")
READ = {"scopes": ["payouts:read"], "expires_at": None}


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


@pytest.fixture
def proposer() -> User:
    return allowed_to(*CLIENTS, username="proposer")


@pytest.fixture
def second() -> User:
    return allowed_to(*CLIENTS, username="second")


def key_proposed(client: ApiClient, by: User, **given: Any) -> Proposal:
    return configuration.propose("api_key", client.pk, READ | given, by=by, reason="The shop asked.", act=Act.ADD)


def test_a_client_is_made_when_another_confirms_and_its_proposer_takes_the_key(proposer: User, second: User) -> None:
    owner = person.make()
    after = {"name": "shop", "owner": owner.pk, **READ}

    proposal = configuration.propose("api_client", "", after, by=proposer, reason="A new shop.", act=Act.ADD)
    assert not ApiClient.objects.exists()
    confirmed = configuration.confirm(proposal.pk, by=second)
    made = ApiClient.objects.get()
    assert (made.name, made.owner, made.keys.count()) == ("shop", owner, 0)
    assert confirmed.is_to_be_taken
    key = configuration.take_key(proposal.pk, by=proposer)

    found = clients.find_key(key)
    assert found is not None
    assert (found.client, found.scopes) == (made, ["payouts:read"])
    taken = Proposal.objects.get()
    assert taken.is_sealed
    assert taken.applied_at is not None
    assert key not in str(list(Proposal.objects.values()))
    payout = awaiting_payout(client=made)
    assert rules.standing(payout, proposer).handled_keys
    assert not rules.standing(payout, second).is_close


def test_a_key_is_taken_once_by_its_proposer_in_time(proposer: User, second: User) -> None:
    client = client_recipe.make()
    proposal = key_proposed(client, proposer)
    with pytest.raises(ConfigurationError, match="no key to take"):
        configuration.take_key(proposal.pk, by=proposer)
    configuration.confirm(proposal.pk, by=second)
    with pytest.raises(ConfigurationError, match="Only the person who proposed the key"):
        configuration.take_key(proposal.pk, by=second)
    assert not ApiKey.objects.exists()

    configuration.take_key(proposal.pk, by=proposer)

    with pytest.raises(ConfigurationError, match="taken already"):
        configuration.take_key(proposal.pk, by=proposer)
    assert ApiKey.objects.count() == 1


def test_whoever_is_close_to_a_client_confirms_nothing_about_it(proposer: User, second: User) -> None:
    client = client_recipe.make(owner=second)

    proposal = key_proposed(client, proposer)

    assert "about you" in configuration.why_not_confirm(proposal, second)
    with pytest.raises(ConfigurationError, match="about you"):
        configuration.confirm(proposal.pk, by=second)
    configuration.confirm(proposal.pk, by=allowed_to(*CLIENTS))


def test_neither_the_owner_before_nor_the_one_to_be_confirms_a_change_of_the_owner(
    proposer: User, second: User
) -> None:
    client = client_recipe.make(owner=second)
    heir = allowed_to(*CLIENTS)
    after = {"name": client.name, "owner": heir.pk}
    proposal = configuration.propose("api_client", client.pk, after, by=proposer, reason="They have left.")

    for somebody in (proposer, second, heir):
        with pytest.raises(ConfigurationError):
            configuration.confirm(proposal.pk, by=somebody)
    configuration.confirm(proposal.pk, by=allowed_to(*CLIENTS))

    client.refresh_from_db()
    assert client.owner == heir


@pytest.mark.parametrize(
    "given",
    [
        {"scopes": []},
        {"scopes": ["payouts:everything"]},
        {"expires_at": (timezone.now() - timedelta(days=1)).isoformat()},
    ],
    ids=["no scope", "no such scope", "over"],
)
def test_a_key_that_could_not_be_made_is_not_proposed(given: dict[str, Any], proposer: User) -> None:
    client = client_recipe.make()

    with pytest.raises(ConfigurationError):
        key_proposed(client, proposer, **given)


def test_a_clients_name_stays(proposer: User) -> None:
    client = client_recipe.make()

    with pytest.raises(ConfigurationError, match="name of an API client stays"):
        configuration.propose("api_client", client.pk, {"name": "b", "owner": None}, by=proposer, reason="Why")


def test_without_dual_control_a_key_is_made_at_once(proposer: User, settings: Any) -> None:
    settings.DUAL_CONTROL = False

    changed = configuration.change(
        "api_client", "", {"name": "shop", "owner": None, **READ}, by=proposer, act=Act.ADD
    )

    assert changed.proposal is None
    found = clients.find_key(changed.key)
    assert found is not None
    assert found.client == changed.instance


def test_whoever_proposes_a_key_is_close_to_the_client_from_then_on(proposer: User) -> None:
    client = client_recipe.make()
    payout = awaiting_payout(client=client)

    key_proposed(client, proposer)

    assert rules.standing(payout, proposer).handled_keys
