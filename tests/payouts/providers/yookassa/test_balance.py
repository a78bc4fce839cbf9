"""What YooKassa tells of the gateway's balance, and what is not believed."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from payouts.providers import Answer, Balance, Verdict
from payouts.providers.yookassa import KIND
from payouts.providers.yookassa.answers import read_gateway
from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.providers.programs import instruction, soon
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, body, me
from tests.payouts.providers.yookassa.stub import Stub
from tests.payouts.sandbox import yookassa as sandbox

type Adapter = Callable[..., YooKassaProvider]


def _read(told: bytes, status: int = 200, *, is_test: bool = False) -> list[Balance] | Answer:
    return read_gateway(status, told, gateway_id=GATEWAY_ID, is_test=is_test)


def _code(told: list[Balance] | Answer) -> str:
    assert isinstance(told, Answer)
    assert told.verdict is Verdict.UNKNOWN
    assert not told.excerpt
    return told.code


@pytest.mark.parametrize("value", ["0.00", "1500.25", "-12.00"])
def test_the_balance_is_told_in_its_currency(value: str) -> None:
    assert _read(body(me(value))) == [Balance("RUB", Decimal(value))]


@pytest.mark.parametrize("value", ["0.00", "-1500.25"])
def test_a_gateway_for_tests_tells_no_balance_that_is_used_up(value: str) -> None:
    """It pays all the same."""
    assert _read(body(me(value, test=True)), is_test=True) == []
    assert _read(body(me("10.00", test=True)), is_test=True) == [Balance("RUB", Decimal(10))]


def test_a_gateway_without_a_balance_tells_none() -> None:
    told = me("1.00")
    del told["payout_balance"]

    assert _read(body(told)) == []


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        (me("1.00", account_id="another"), 200, "mismatch"),
        (me("1.00", test=True), 200, "test_mismatch"),
        (me("1.00") | {"payout_balance": {"value": "1e3", "currency": "RUB"}}, 200, "unparsable"),
        (me("1.00") | {"payout_balance": {"value": 1, "currency": "RUB"}}, 200, "unparsable"),
        ([], 200, "unparsable"),
        (me("1.00"), 401, "http_401"),
        (me("1.00"), 202, "http_202"),
    ],
)
def test_nothing_else_is_believed(told: Any, status: int, code: str) -> None:
    assert _code(_read(body(told), status)) == code


def test_it_is_asked_by_one_get(stub: Stub, adapter: Adapter) -> None:
    stub.balance = "99.50"

    assert adapter(stub.url).balances(deadline=soon()) == [Balance("RUB", Decimal("99.50"))]

    assert [(each.method, each.target) for each in stub.requests] == [("GET", "/v3/me")]
    assert KIND.tells_balance


def test_silence_and_a_deadline_are_an_answer(adapter: Adapter, stub: Stub) -> None:
    assert _code(adapter("http://127.0.0.1:1/v3").balances(deadline=soon())) == "unreachable"
    assert _code(adapter(stub.url).balances(deadline=soon(0))) == "timeout"


def test_the_sandbox_tells_what_is_left(tmp_path: Path, adapter: Adapter) -> None:
    with sandbox.gateway(tmp_path, SANDBOX_BALANCE="1000") as program:
        given = {"gateway_id": sandbox.GATEWAY_ID, "secret": sandbox.SECRET, "is_test": True}
        provider = adapter(f"{program.url}/v3", **given)
        wallet = {"wallet": sandbox.WALLET}

        paid = provider.pay(instruction("400.00", recipient=wallet), deadline=soon())
        refused = provider.pay(instruction("600.01", recipient=wallet), deadline=soon())

        assert (paid.verdict, refused.verdict, refused.lacks_funds) == (Verdict.SUCCEEDED, Verdict.REFUSED, True)
        assert provider.balances(deadline=soon()) == [Balance("RUB", Decimal("600.00"))]
