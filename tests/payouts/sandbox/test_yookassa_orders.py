"""What the sandbox refuses in the body of POST /v3/payouts, and which parameter it blames."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.payouts.providers.programs import SandboxProgram
from tests.payouts.sandbox.yookassa import CARD, SBP, ask, gateway, hold, of_amount, order, pay, payouts, to_wallet


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


def _without(name: str) -> dict[str, Any]:
    return {other: value for other, value in order().items() if other != name}


def _card(**card: Any) -> dict[str, Any]:
    return order(payout_destination_data={"type": "bank_card", "card": card})


def _sbp(**changes: Any) -> dict[str, Any]:
    return order(payout_destination_data=SBP | changes)


@pytest.mark.parametrize("amount", ["0.99", "500000.01", "0.00"])
def test_an_amount_past_the_limits_is_refused(program: SandboxProgram, amount: str) -> None:
    status, error = pay(program, of_amount(amount))

    assert (status, error["parameter"]) == (400, "amount.value")


@pytest.mark.parametrize("amount", ["1.00", "500000.00"])
def test_an_amount_at_a_limit_is_paid(program: SandboxProgram, amount: str) -> None:
    status, payout = pay(program, of_amount(amount))

    assert (status, payout["amount"]["value"]) == (200, amount)


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: _without("amount"), "amount"),
        (lambda: order(amount="100.50"), "amount"),
        (lambda: order(amount={"value": "100.50"}), "amount.currency"),
        (lambda: order(amount={"currency": "RUB"}), "amount.value"),
        (lambda: order(amount={"value": 100.5, "currency": "RUB"}), "amount.value"),
        (lambda: of_amount("100"), "amount.value"),
        (lambda: of_amount("100.5"), "amount.value"),
        (lambda: of_amount("100.500"), "amount.value"),
        (lambda: of_amount("1e2"), "amount.value"),
        (lambda: of_amount("-1.00"), "amount.value"),
        (lambda: of_amount("0100.00"), "amount.value"),
        (lambda: of_amount("٣.00"), "amount.value"),
        (lambda: of_amount("100.50\n"), "amount.value"),
        (lambda: order(amount={"value": "100.50", "currency": "USD"}), "amount.currency"),
        (lambda: order(amount={"value": "100.50", "currency": "RUB", "extra": "1"}), "amount"),
        (lambda: _without("payout_destination_data"), "payout_destination_data"),
        (lambda: order(payout_token="t"), "payout_token"),
        (lambda: _without("payout_destination_data") | {"payout_token": ""}, "payout_token"),
        (lambda: _without("payout_destination_data") | {"payment_method_id": "1"}, "payment_method_id"),
        (lambda: order(payout_destination_data="sbp"), "payout_destination_data.type"),
        (lambda: order(payout_destination_data={}), "payout_destination_data.type"),
        (lambda: order(payout_destination_data={"type": []}), "payout_destination_data.type"),
        (lambda: order(payout_destination_data={"type": "iban"}), "payout_destination_data.type"),
        (lambda: _sbp(phone="+79000000000"), "payout_destination_data.phone"),
        (lambda: _sbp(phone="123"), "payout_destination_data.phone"),
        (lambda: _sbp(bank_id="1"), "payout_destination_data.bank_id"),
        (lambda: _sbp(bank_id="100000009999"), "payout_destination_data.bank_id"),
        (lambda: _sbp(name="Иван"), "payout_destination_data"),
        (
            lambda: order(payout_destination_data={"type": "sbp", "phone": "79000000000"}),
            "payout_destination_data.bank_id",
        ),
        (lambda: _card(), "payout_destination_data.card.number"),
        (lambda: _card(number="5555 5555 5555 4477"), "payout_destination_data.card.number"),
        (lambda: _card(number=int(CARD)), "payout_destination_data.card.number"),
        (lambda: _card(number=CARD, cvc="000"), "payout_destination_data.card"),
        (lambda: to_wallet("4100161457"), "payout_destination_data.account_number"),
        (lambda: to_wallet("4" * 34), "payout_destination_data.account_number"),
        (lambda: order(description="о" * 129), "description"),
        (lambda: order(description=None), "description"),
        (lambda: order(metadata=[]), "metadata"),
        (lambda: order(metadata={"a": 1}), "metadata"),
        (lambda: order(metadata={"": "1"}), "metadata"),
        (lambda: order(metadata={"a" * 33: "1"}), "metadata"),
        (lambda: order(metadata={"a": "1" * 513}), "metadata"),
        (lambda: order(metadata={str(number): "" for number in range(17)}), "metadata"),
        (lambda: order(deal={"id": "dl-1"}), "deal"),
        (lambda: order(personal_data=[]), "personal_data"),
        (lambda: order(extra=1), None),
        (lambda: b"", None),
        (lambda: b"{", None),
        (lambda: b"[]", None),
        (lambda: b"[" * 50_000, None),
        (lambda: b"\xff", None),
        (lambda: b'{"amount": 1, "amount": 1}', None),
        (lambda: b'{"description": "\\ud800"}', None),
        (lambda: b'{"description": "\\u0000"}', None),
        (lambda: b'{"amount": NaN}', None),
    ],
)
def test_a_body_that_is_not_as_documented_is_refused_and_pays_nothing(
    program: SandboxProgram, make: Callable[[], dict[str, Any] | bytes], parameter: str | None
) -> None:
    before = payouts(program)

    status, error = ask(program, "POST", "/v3/payouts", make())

    assert (status, error.get("parameter")) == (400, parameter)
    assert payouts(program) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"description": ""},
        {"description": "о" * 128},
        {"metadata": {}},
        {"metadata": {"a" * 32: "1" * 512, "b": None}},
        {"metadata": {str(number): "" for number in range(16)}},
    ],
)
def test_what_is_given_to_be_shown_again_is_shown_again(program: SandboxProgram, changes: dict[str, Any]) -> None:
    body = hold("request", order(**changes))

    status, payout = pay(program, body)

    assert (status, payout["description"], payout["metadata"]) == (200, body["description"], body["metadata"])


def test_a_payout_without_a_description_and_metadata_is_paid(program: SandboxProgram) -> None:
    body = {name: value for name, value in order().items() if name in {"amount", "payout_destination_data"}}

    _, payout = pay(program, body)

    assert (payout["status"], payout["metadata"]) == ("succeeded", {})
    assert "description" not in payout
