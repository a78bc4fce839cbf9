"""Closing an account stops its clients' keys and leaves what it approved to be looked at."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from payouts import accounts, actions, clients
from payouts.accounts import AccountError
from payouts.models import ApiKey
from tests import recipes
from tests.recipes import approved_batch, awaiting_payout, checked_batch, pending_payout, processed_payout

pytestmark = pytest.mark.django_db


def made_by(user: User, key_of: str) -> str:
    """A key of that client, which is made if it is not there; this person made the key."""
    client = recipes.client.make(name=key_of)
    return clients.create_key(client, scopes=["payouts:read"], by=user)


def test_the_keys_of_its_clients_stop_with_the_account_and_no_others(maker: User, operator: User) -> None:
    owned, key = clients.create_client("shop", scopes=["payouts:write"], owner_id=maker.pk)
    _other, others_key = clients.create_client("stranger", scopes=["payouts:write"])

    revoked = accounts.close(maker.pk, by=operator, reason="Left the company.")

    maker.refresh_from_db()
    assert not maker.is_active
    assert [each.client for each in revoked] == [owned]
    assert clients.find_key(key) is None
    assert clients.find_key(others_key) is not None


def test_a_request_with_such_a_key_is_refused_from_then_on(maker: User, operator: User) -> None:
    _client, key = clients.create_client("shop", scopes=["payouts:read"], owner_id=maker.pk)
    asks = {"path": "/api/payouts/?user_id=1", "headers": {"authorization": f"Bearer {key}"}}

    before = Client().get(**asks).status_code
    accounts.close(maker.pk, by=operator, reason="Left the company.")

    assert (before, Client().get(**asks).status_code) == (200, 401)


def test_what_a_person_leaves_behind_is_what_still_moves_money(checker: User, operator: User) -> None:
    approved = actions.approve(awaiting_payout(amount=recipes.TWO_APPROVALS).pk, by=checker)
    withdrawn = actions.approve(awaiting_payout().pk, by=checker)
    actions.withdraw_approval(withdrawn.pk, by=checker, reason="No.")
    pending_payout(), processed_payout(), checked_batch(recipes.BATCH_ROW, recipes.BATCH_ROW)
    going_on = approved_batch(checker=checker)
    made_by(checker, "shop")
    expired = ApiKey.objects.get()

    left = accounts.left_by(checker)

    assert left.payouts == [approved]
    assert left.batches == [going_on]
    assert (left.keys, left.made_keys) == ([], [expired])


def test_keys_of_other_clients_that_a_person_made_are_named_and_keep_working(maker: User, operator: User) -> None:
    key = made_by(maker, "shop")

    accounts.close(maker.pk, by=operator, reason="Left the company.")

    assert [each.client.name for each in accounts.left_by(maker).made_keys] == ["shop"]
    assert clients.find_key(key) is not None


@pytest.mark.parametrize("case", ["own", "superuser", "closed", "by a closed account"])
def test_who_may_not_be_closed_or_close_stays(case: str, maker: User, operator: User) -> None:
    person: Any = maker
    match case:
        case "own":
            person = operator
        case "superuser":
            User.objects.filter(pk=maker.pk).update(is_superuser=True)
        case "closed":
            User.objects.filter(pk=maker.pk).update(is_active=False)
        case "by a closed account":
            User.objects.filter(pk=operator.pk).update(is_active=False)
    before = list(User.objects.order_by("pk").values())

    with pytest.raises(AccountError):
        accounts.close(person.pk, by=operator, reason="No.")

    assert list(User.objects.order_by("pk").values()) == before
