"""An attempt stays with the account that it was sent to: at another it is neither looked up nor sent."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.models import Attention, Payout
from payouts.providers.http.client import HttpProvider
from payouts.providers.registry import fingerprint_of
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import is_clean
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db

HERE = "https://provider.test/base"


@pytest.fixture(autouse=True)
def _at_home(settings: Any) -> None:
    settings.PROVIDER_URL, settings.PROVIDER_ACCOUNT = HERE, ""


def _run(provider: DoubleProvider, payout: Payout) -> Payout:
    make_due(payout)
    pump.run(provider=provider)
    return Payout.objects.get(pk=payout.pk)


def _sent_and_not_answered(provider: DoubleProvider) -> Payout:
    payout = pending_payout()
    provider.script(Fault.TIMEOUT_AFTER)
    return _run(provider, payout)


def test_what_was_paid_at_one_account_is_not_paid_at_another(provider: DoubleProvider, settings: Any) -> None:
    """After a time-out the other account's look-up found nothing, and it was paid at both."""
    payout, elsewhere = _sent_and_not_answered(provider), DoubleProvider()
    settings.PROVIDER_URL = "https://provider.test/other"

    payout = _run(elsewhere, payout)

    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.OTHER_ACCOUNT, None)
    assert elsewhere.calls == []
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


@pytest.mark.parametrize("again", [actions.release, actions.ask_now])
def test_it_is_asked_about_again_when_the_settings_are_right_again(
    again: Any, provider: DoubleProvider, settings: Any, operator: User
) -> None:
    payout = _sent_and_not_answered(provider)
    settings.PROVIDER_ACCOUNT = "another"
    payout = _run(DoubleProvider(), payout)
    settings.PROVIDER_ACCOUNT = ""

    again(payout.pk, by=operator, reason="The settings are right again.")

    assert _run(provider, payout).status == "processed"
    assert is_clean()


def test_a_new_attempt_is_not_sent_where_the_earlier_ones_cannot_be_looked_up(
    provider: DoubleProvider, settings: Any
) -> None:
    payout = recipes.retried_payout()
    settings.PROVIDER_URL = "https://provider.test/other"

    payout = _run(provider, payout)

    assert (payout.status, payout.attention, provider.calls) == ("pending", Attention.OTHER_ACCOUNT, [])


def test_a_new_payout_goes_to_the_present_account_and_remembers_it(provider: DoubleProvider, settings: Any) -> None:
    settings.PROVIDER_URL = "https://provider.test/other"

    payout = _run(provider, pending_payout())

    assert payout.status == "processed"
    assert payout.attempts.get().account == fingerprint_of("http")


def test_an_attempt_of_before_accounts_were_remembered_is_looked_up_as_ever(provider: DoubleProvider) -> None:
    with DoubleProvider().registered():  # it tells no account
        payout = _sent_and_not_answered(provider)

    assert payout.attempts.get().account == ""
    assert _run(provider, payout).status == "processed"


@pytest.mark.parametrize(
    ("url", "token", "name", "is_same"),
    [
        (HERE, "rotated", "", True),
        ("https://PROVIDER.test:443/base/", "t", "", True),
        ("http://provider.test/base", "t", "", False),
        ("https://provider.test:8443/base", "t", "", False),
        ("https://provider.test/", "t", "", False),
        (HERE, "t", "shop", False),
    ],
)
def test_an_account_is_its_address_unless_it_has_a_name(url: str, token: str, name: str, is_same: bool) -> None:
    here = HttpProvider(HERE, "t").account

    assert (HttpProvider(url, token, account=name).account == here) == is_same
    assert len(here) == 16


def test_a_named_account_may_move() -> None:
    assert HttpProvider(HERE, "t", account="shop").account == HttpProvider("http://a", "u", account="shop").account


def test_settings_that_make_no_provider_name_no_account(settings: Any) -> None:
    settings.PROVIDER_TOKEN = ""

    assert fingerprint_of("http") == fingerprint_of("nobody") == ""
