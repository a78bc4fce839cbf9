"""What the rows of a batch say, and what is wrong with them, in words."""

import re

import pytest
from django.utils import translation

from payouts import plain_text
from payouts.batches import columns
from payouts.batches.columns import Given

pytestmark = pytest.mark.django_db


GOOD = {
    "user_id": "7",
    "amount": "250000.00",
    "currency": "RUB",
    "kind": "card",
    "account": "4111 1111 1111 1111",
    "name": "Иван Петров",
}


def _faults(marks: dict[str, str] | None = None, **texts: str) -> list[tuple[str, str]]:
    order, faults = columns.read(Given(GOOD | texts, marks or {}))
    assert (order is None) == bool(faults)
    return [(column, code) for column, code, _parameters in faults]


def _sentences(**texts: str) -> list[str]:
    given = Given(GOOD | texts)
    return [text for _column, text in columns.sentences(given, columns.read(given)[1])]


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("1000", "RUB", "1000.00"),
        ("1000.5", "RUB", "1000.50"),
        ("1 000,50", "RUB", "1000.50"),
        ("1,000.50", "RUB", "1000.50"),
        ("1\u00a0000\u202f000,50", "rub", "1000000.50"),
        ("1000.00", "JPY", "1000"),
        ("1.125", "KWD", "1.125"),
    ],
)
def test_an_amount_is_read_exactly(text: str, currency: str, amount: str) -> None:
    order, faults = columns.read(Given(GOOD | {"amount": text, "currency": currency}))

    assert faults == []
    assert order is not None
    assert (str(order.amount), order.currency) == (amount, currency.upper())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing"),
        ("1,000", "amount_ambiguous"),
        ("12.345", "amount_ambiguous"),
        ("1'000", "amount"),
        ("1e3", "amount"),
        ("NaN", "amount"),
        ("١٠٠", "amount"),
        ("0", "amount_exact"),
        ("-5", "amount_exact"),
        ("1.0001", "amount_exact"),
        ("1" * 15, "amount_exact"),
    ],
)
def test_an_amount_that_is_none_is_told(text: str, code: str) -> None:
    assert _faults(amount=text) == [("amount", code)]


def test_a_number_of_a_spreadsheet_is_never_ambiguous_and_never_rounded() -> None:
    marks = {"amount": "number"}

    assert _faults(marks, amount="12.345") == [("amount", "amount_exact")]
    assert _faults(marks, amount="1.125", currency="KWD") == []


@pytest.mark.parametrize(
    ("column", "number"),
    [
        ("amount", "70368744177664.02"),  # 70368744177664.01 in the file
        ("amount", "0.30000000000000004"),
        ("user_id", "1234567890123456"),
        ("bank", "1234567890123450"),
    ],
)
def test_a_number_of_a_spreadsheet_with_more_digits_than_it_keeps_is_refused(column: str, number: str) -> None:
    assert _faults({column: "number"}, **{column: number}) == [(column, "number_digits")]


@pytest.mark.parametrize("number", ["10000000000.55", "-0.001", "99999999999999"])
def test_a_number_of_a_spreadsheet_with_as_many_digits_as_it_keeps_is_read(number: str) -> None:
    assert "number_digits" not in [code for _column, code in _faults({"amount": "number"}, amount=number)]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"user_id": "0"}, ("user_id", "user_id")),
        ({"user_id": "12.5"}, ("user_id", "user_id")),
        ({"user_id": str(2**63)}, ("user_id", "user_id")),
        ({"currency": "RUR"}, ("currency", "currency")),
        ({"kind": "cash"}, ("kind", "kind")),
        ({"account": "4111"}, ("account", "recipient")),
        ({"kind": "phone", "account": "+79123456789"}, ("bank", "recipient")),
        ({"kind": "phone", "account": "+79123456789", "bank": "Т", "currency": "USD"}, ("account", "recipient")),
        ({"comment": "x" * 1001}, ("comment", "too_long")),
        ({"name": "a\0b"}, ("name", "too_long")),
    ],
)
def test_what_is_wrong_with_a_row_is_told_by_its_column(given: dict[str, str], fault: tuple[str, str]) -> None:
    assert _faults(**given) == [fault]


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    assert _faults(user_id="", amount="x", currency="", account="1") == [
        ("user_id", "missing"),
        ("amount", "amount"),
        ("currency", "missing"),
        ("account", "recipient"),
    ]


def test_cells_of_a_spreadsheet_that_are_no_values_are_told() -> None:
    assert _faults({"amount": "formula"}, amount="=A1*2") == [("amount", "formula")]
    assert _faults({"name": "error"}, name="#REF!") == [("name", "cell_error")]
    assert _faults({"account": "number"}, account="4111111111111111") == [("account", "account_digits")]
    assert _faults({"account": "number"}, kind="phone", account="79123456789", bank="Т-Банк") == []


def test_the_same_fault_is_told_to_each_reader_in_their_language() -> None:
    with translation.override("en"):
        english = _sentences(account="4111", amount="0")
    with translation.override("ru"):
        russian = _sentences(account="4111", amount="0")

    assert english == ["The amount must be greater than zero.", "A card number has 13 to 19 digits."]
    assert russian[0] == "Сумма должна быть больше нуля."


@pytest.mark.parametrize("refused", ["4111111111111111", "4111 1111 1111 1111"])
def test_an_account_is_masked_in_whatever_column_it_was_put(refused: str) -> None:
    masked = columns.masked(Given(dict.fromkeys(columns.COLUMNS, refused)))

    assert not any("111111111" in text.replace(" ", "") for text in masked.values())
    assert all(text.endswith("1111") for text in masked.values())


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u202f1111\u202f1111\u202f1111",
        "4111.1111.1111.1111",
        "4111\u20131111\u20131111\u20131111",
    ],
)
def test_a_long_number_is_hidden_however_it_is_spaced(number: str) -> None:
    shown = plain_text.without_cards(f"card {number} of Anna")

    assert number not in shown
    assert sum(character.isdigit() for character in shown) <= 10


def test_the_first_screen_names_every_column() -> None:
    assert re.findall(r"^\| `(\w+)`", columns.__doc__ or "", re.M) == list(columns.COLUMNS)
    assert {len(example) for example in columns.EXAMPLES} == {len(columns.COLUMNS)}
