"""What the environment says of an account makes its adapter, or a sentence that says why not."""

from datetime import timedelta

import pytest

from payouts.providers import Account
from payouts.providers.paypal import KIND
from payouts.providers.paypal.api import LIVE_URL, TEST_URL, App
from payouts.providers.paypal.client import PayPalProvider
from tests.payouts.providers.paypal.objects import by_email
from tests.payouts.providers.paypal.stub import Stub
from tests.payouts.providers.programs import soon
from tests.payouts.sandbox.paypal import CLIENT_ID, SECRET, WEBHOOK_ID

VALUES = {"CLIENT_ID": CLIENT_ID, "SECRET": SECRET}


def test_two_values_are_enough() -> None:
    made = KIND.make(Account("main", KIND.name, VALUES))

    assert isinstance(made, PayPalProvider)
    assert made.name == "main"
    assert {each.name for each in KIND.settings if each.is_required} == VALUES.keys()
    assert KIND.key_life == timedelta(days=30)


def test_a_test_account_is_asked_where_no_money_moves() -> None:
    assert App.of(Account("main", KIND.name, VALUES)).url == LIVE_URL
    assert App.of(Account("main", KIND.name, VALUES | {"TEST": "off"})).url == LIVE_URL
    assert App.of(Account("main", KIND.name, VALUES | {"TEST": "on"})).url == TEST_URL


def test_every_setting_is_heeded(stub: Stub) -> None:
    more = {"API_URL": stub.url, "TEST": "on", "WEBHOOK_ID": WEBHOOK_ID}
    made = KIND.make(Account("main", KIND.name, VALUES | more))
    assert isinstance(made, PayPalProvider)

    paid = made.pay(by_email(), deadline=soon())
    made.close()

    assert paid.verdict == "pending"


@pytest.mark.parametrize(
    "wrong",
    [
        {"CLIENT_ID": ""},
        {"CLIENT_ID": "a:b"},
        {"SECRET": ""},
        {"SECRET": "a\r\nb"},
        {"API_URL": "api-m.paypal.com"},
        {"TEST": "yes"},
        {"WEBHOOK_ID": "WH-1"},
    ],
)
def test_what_cannot_work_is_an_error_that_names_its_setting_and_quotes_nothing(wrong: dict[str, str]) -> None:
    (name,) = wrong

    with pytest.raises(ValueError, match=name.removeprefix("API_")) as refused:
        KIND.make(Account("main", KIND.name, VALUES | wrong))

    assert SECRET not in str(refused.value)
