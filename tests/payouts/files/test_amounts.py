"""Amounts as people write them: one answer, whether typed by hand, put into a filter or uploaded in a batch."""

from decimal import Decimal

import pytest

from payouts.admin.payouts.entry import EntryForm
from payouts.batches import columns
from payouts.batches.columns import Given
from payouts.files import amounts
from payouts.files.amounts import AmbiguousError, TextError

DIGITS = "Give digits, with a point or a comma before decimals, as in 1234.50."
TWO_MEANINGS = "This could mean a thousand or one. Write 1000 or 1000.00, without a thousands separator."


def _of_decimals(currency: str, units: int) -> str:
    return f"An amount in {currency} has at most {units} decimals."


def _by_hand(text: str, currency: str) -> str:
    form = EntryForm({"amount": text, "currency": currency})
    if "amount" in form.errors:
        return " ".join(map(str, form.errors["amount"]))
    return str(form.cleaned_data["amount"])


def _in_a_batch(text: str, currency: str) -> str:
    given = Given(
        {"user_id": "7", "amount": text, "currency": currency, "kind": "card", "account": "4111111111111111"}
    )
    order, faults = columns.read(given)
    if order is None:
        return " ".join(sentence for _column, sentence in columns.sentences(given, faults))
    return str(order.amount)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "roubles", "yen", "dinars"),
    [
        ("1000", "1000.00", "1000", "1000.000"),
        ("1000.5", "1000.50", _of_decimals("JPY", 0), "1000.500"),
        ("1000,5", "1000.50", _of_decimals("JPY", 0), "1000.500"),
        ("1000.00", "1000.00", "1000", "1000.000"),
        ("0.5", "0.50", _of_decimals("JPY", 0), "0.500"),
        # Three decimals, or a thousand
        ("1.000", TWO_MEANINGS, TWO_MEANINGS, "1.000"),
        ("12.345", TWO_MEANINGS, TWO_MEANINGS, "12.345"),
        ("1,000", TWO_MEANINGS, TWO_MEANINGS, TWO_MEANINGS),
        ("1234.567", _of_decimals("RUB", 2), _of_decimals("JPY", 0), "1234.567"),
        # Groups
        ("1 000", "1000.00", "1000", "1000.000"),
        ("1\u00a0000\u202f000,50", "1000000.50", _of_decimals("JPY", 0), "1000000.500"),
        ("1,000.50", "1000.50", _of_decimals("JPY", 0), "1000.500"),
        ("1.000,50", "1000.50", _of_decimals("JPY", 0), "1000.500"),
        ("1,234,567", "1234567.00", "1234567", "1234567.000"),
        ("1.234.567", "1234567.00", "1234567", "1234567.000"),
        ("1,234.567", _of_decimals("RUB", 2), _of_decimals("JPY", 0), "1234.567"),
        ("1'000", DIGITS, DIGITS, DIGITS),
        ("1\u2019000.50", DIGITS, DIGITS, DIGITS),
        ("1,000,50", DIGITS, DIGITS, DIGITS),
        ("1,00,000", DIGITS, DIGITS, DIGITS),
        # What is no amount
        ("ten", DIGITS, DIGITS, DIGITS),
        ("1e3", DIGITS, DIGITS, DIGITS),
        ("NaN", DIGITS, DIGITS, DIGITS),
        ("\u0661\u0660\u0660", DIGITS, DIGITS, DIGITS),
        ("+5", DIGITS, DIGITS, DIGITS),
        *[(text, *["The amount must be greater than zero."] * 3) for text in ("0", "0,00", "-5")],
        ("1" * 15, *["The amount must be less than 100,000,000,000,000."] * 3),
    ],
)
def test_by_hand_and_in_a_batch_an_amount_is_read_alike(text: str, roubles: str, yen: str, dinars: str) -> None:
    for currency, answer in (("RUB", roubles), ("JPY", yen), ("KWD", dinars)):
        assert (_by_hand(text, currency), _in_a_batch(text, currency)) == (answer, answer)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0"),
        ("0,5", "0.5"),
        ("1000,5", "1000.5"),
        ("1 000,50", "1000.50"),
        ("1\u00a0000\u202f000.50", "1000000.50"),
        ("1,000.50", "1000.50"),
        ("1.000,50", "1000.50"),
        ("1,234,567", "1234567"),
        ("1.234.567,89", "1234567.89"),
        ("1,234,567.8", "1234567.8"),
    ],
)
def test_without_a_currency_an_amount_with_one_meaning_is_read(text: str, amount: str) -> None:
    assert amounts.read(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["1,000", "1.000", "12.345", "123,456"])
def test_without_a_currency_an_amount_with_two_meanings_is_refused(text: str) -> None:
    with pytest.raises(AmbiguousError):
        amounts.read(text)


@pytest.mark.parametrize(
    "text", ["", " ", "1,00,000", "1,000,50", "1.000.50", "1,000.000,5", ",5", "1,,000", "-1", "1" * 15, "1" * 21]
)
def test_without_a_currency_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(TextError):
        amounts.read(text)


@pytest.mark.parametrize("text", ["0,500.00", "0.500,00", "0.500.000", "00,500.00", "0,059,0"])
def test_thousands_that_begin_with_a_zero_are_refused(text: str) -> None:
    for currency in ("RUB", "JPY", "KWD", ""):
        with pytest.raises(ValueError):
            amounts.read(text, currency)
