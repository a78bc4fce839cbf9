"""The accounts are asked for their balances by a schedule; nobody's silence stops the others."""

from decimal import Decimal
from typing import Any

import pytest

from payouts import tasks
from payouts.actions import pauses
from payouts.models import AccountBalance
from tests import recipes
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET
from tests.payouts.providers.yookassa.stub import Stub, running

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _accounts(settings: Any) -> None:
    settings.PROVIDER_URL = "http://127.0.0.1:1/v1"
    settings.PROVIDERS = {"first": "yookassa", "main": "yookassa", "wrong": "yookassa"}
    values = {"GATEWAY_ID": GATEWAY_ID, "SECRET": SECRET}
    unreachable = values | {"API_URL": "http://127.0.0.1:1/v3"}
    settings.PROVIDER_VALUES = {"first": unreachable, "main": values, "wrong": {}}


@pytest.fixture
def stub(settings: Any) -> Any:
    with running() as stub:
        settings.PROVIDER_VALUES["main"] |= {"API_URL": stub.url}
        yield stub


def _told() -> dict[str, Decimal]:
    return dict(AccountBalance.objects.values_list("account", "amount"))


def test_each_account_that_tells_its_balance_is_asked(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    stub.balance = "1500.25"

    tasks.ask_for_balances()

    assert _told() == {"main": Decimal("1500.25")}
    assert [request.target for request in stub.requests] == ["/v3/me"]
    assert caplog.text.count("balance_not_told") == 2  # one is not reached, the other's settings make no provider


def test_a_paused_account_is_not_called(stub: Stub) -> None:
    pauses.pause("main", by=recipes.person.make(), reason="Wrong accounts.")

    tasks.ask_for_balances()

    assert stub.requests == []
    assert _told() == {}


def test_a_balance_stays_as_it_was_told_while_nobody_answers(stub: Stub) -> None:
    stub.balance = "20.00"
    tasks.ask_for_balances()
    stub.balance = None

    tasks.ask_for_balances()

    assert _told() == {"main": Decimal("20.00")}
