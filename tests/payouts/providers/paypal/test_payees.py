"""A recipient is read as exactly one of PayPal's ways, and an amount as PayPal takes it."""

from decimal import Decimal
from typing import Any

import pytest

from payouts.providers.paypal import payees
from payouts.providers.paypal.payees import RECIPIENTS, sent_amount


@pytest.mark.parametrize(
    ("recipient", "kind", "name"),
    [
        ({"email": " Petrov@example.com "}, "EMAIL", "Petrov@example.com"),
        ({"email": "petrov@example.com", "name": "Иван Петров"}, "EMAIL", "petrov@example.com"),
        ({"phone": "+1 (408) 555-12-34"}, "PHONE", "14085551234"),
        ({"paypal_id": "YH4ZYQ9QJGWQC"}, "PAYPAL_ID", "YH4ZYQ9QJGWQC"),
    ],
)
def test_each_way_is_sent_as_paypal_names_it(recipient: dict[str, object], kind: str, name: str) -> None:
    payee = payees.read(recipient)

    assert payee is not None
    assert (payee.kind, payee.name) == (kind, name)
    assert name not in repr(payee)


@pytest.mark.parametrize(
    "recipient",
    [
        {},
        {"name": "Иван Петров"},
        {"email": "petrov@example.com", "phone": "+14085551234"},
        {"email": "petrov"},
        {"email": "a@b@c"},
        {"email": "пётр@example.com"},
        {"email": "a b@example.com"},
        {"email": f"{'a' * 120}@example.com"},
        {"email": "a@b\r\nX: 1"},
        {"email": 37},
        {"phone": "8"},
        {"phone": "call me"},
        {"paypal_id": "yh4zyq9qjgwqc"},
        {"paypal_id": "YH4ZYQ9QJGWQ"},
    ],
)
def test_what_is_no_way_or_two_is_not_read(recipient: dict[str, object]) -> None:
    assert payees.read(recipient) is None


@pytest.mark.parametrize(
    ("recipient", "told", "is_told"),
    [
        ({"email": "Petrov@example.com"}, "petrov@EXAMPLE.com", True),
        ({"email": "petrov@example.com"}, "ivanov@example.com", False),
        ({"phone": "+14085551234"}, "1-408-555-1234", True),
        ({"phone": "+14085551234"}, "4085551234", False),
        ({"paypal_id": "YH4ZYQ9QJGWQC"}, "YH4ZYQ9QJGWQD", False),
    ],
)
def test_a_receiver_is_known_again(recipient: dict[str, object], told: str, is_told: bool) -> None:
    payee = payees.read(recipient)

    assert payee is not None
    assert payee.is_told(told) is is_told


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [
        ("100.50", "USD", "100.50"),
        ("100.5", "USD", "100.50"),
        ("1000", "JPY", "1000"),
        ("100.00", "HUF", "100"),
        ("100.00", "TWD", "100"),
        ("1E+3", "JPY", "1000"),
        ("100.50", "HUF", None),
        ("100.50", "TWD", None),
        ("100.505", "USD", None),
        ("0", "USD", None),
        ("-1", "USD", None),
        ("NaN", "USD", None),
        ("1", "XXX", None),
    ],
)
def test_an_amount_is_exact_or_not_sent(amount: str, currency: str, sent: str | None) -> None:
    assert sent_amount(Decimal(amount), currency) == sent


def test_every_way_takes_the_same_currencies_and_no_more_than_20_000_dollars() -> None:
    currencies: list[Any] = [dict(kind.currencies) for kind in RECIPIENTS]

    assert currencies[0] == currencies[1] == currencies[2]
    assert currencies[0]["USD"] == (Decimal("0.01"), Decimal("20000.00"))
    assert currencies[0]["JPY"][0] == 1
    assert "RUB" not in currencies[0]
