"""Amounts are exact in the currency's minor units, or refused: never rounded."""

from contextlib import suppress
from decimal import Context, Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from payouts import money
from payouts.money import AmountError

UNITS = {"JPY": 0, "RUB": 2, "USD": 2, "EUR": 2, "KWD": 3, "CLF": 4}


@pytest.mark.parametrize(("currency", "units"), UNITS.items())
def test_a_currency_has_the_decimals_of_the_standard(currency: str, units: int) -> None:
    assert money.minor_units(currency) == units


@pytest.mark.parametrize(
    "currency",
    ["", "rub", "Rub", "RU", "RUBL", " RUB", "RUB ", "RUB\n", "643", "XAU", "XAG", "XTS", "XXX", "ZZZ", "РУБ"],
)
def test_what_is_no_currency_or_has_no_minor_unit_is_refused(currency: str) -> None:
    with pytest.raises(AmountError):
        money.minor_units(currency)


@pytest.mark.parametrize(
    ("given_amount", "currency", "exact"),
    [
        ("1", "JPY", "1"),
        ("1.0", "JPY", "1"),
        ("1E+3", "JPY", "1000"),
        ("100.5", "RUB", "100.50"),
        ("100.50", "RUB", "100.50"),
        ("100.500000", "RUB", "100.50"),
        ("0.01", "RUB", "0.01"),
        ("1E-2", "RUB", "0.01"),
        ("1.234", "KWD", "1.234"),
        ("1.2345", "CLF", "1.2345"),
        ("99999999999999.99", "RUB", "99999999999999.99"),
        ("99999999999999.9999", "CLF", "99999999999999.9999"),
        ("1." + "0" * 60, "RUB", "1.00"),
        ("9E+13", "RUB", "90000000000000.00"),
    ],
)
def test_an_exact_amount_gets_its_currencys_decimals(given_amount: str, currency: str, exact: str) -> None:
    assert str(money.exact(Decimal(given_amount), currency)) == exact


@pytest.mark.parametrize(
    ("given_amount", "currency"),
    [
        ("0.5", "JPY"),
        ("1.005", "RUB"),
        ("0.001", "RUB"),
        ("1.2345", "KWD"),
        ("1.23456", "CLF"),
        ("1E-7", "RUB"),
        ("1E-400", "RUB"),
        ("1." + "0" * 31 + "1", "RUB"),
        ("12345678901.123456789012345678901", "RUB"),
        ("99999999999999.999", "RUB"),
        ("99999999999999.99999999999999999999", "RUB"),
        ("0", "RUB"),
        ("0.00", "RUB"),
        ("-0", "RUB"),
        ("0E+400", "RUB"),
        ("-0.01", "RUB"),
        ("-1E+400", "RUB"),
        ("100000000000000", "RUB"),
        ("100000000000000", "JPY"),
        ("1E+14", "JPY"),
        ("1e400", "RUB"),
        ("9" * 32, "RUB"),
        ("NaN", "RUB"),
        ("-NaN", "RUB"),
        ("sNaN", "RUB"),
        ("Infinity", "RUB"),
        ("-Infinity", "RUB"),
        ("1", "XAU"),
        ("1", "rub"),
    ],
)
def test_any_other_amount_is_refused_with_a_sentence(given_amount: str, currency: str) -> None:
    with pytest.raises(AmountError) as refusal:
        money.exact(Decimal(given_amount), currency)

    assert str(refusal.value).endswith(".")


@given(
    amount=st.decimals(min_value=Decimal("0.0001"), max_value=money.AMOUNT_LIMIT, places=None, allow_nan=False),
    currency=st.sampled_from(sorted(UNITS)),
)
def test_exact_never_changes_a_value(amount: Decimal, currency: str) -> None:
    try:
        exact = money.exact(amount, currency)
    except AmountError:
        whole = Context(prec=200).scaleb(amount, UNITS[currency])
        assert whole != whole.to_integral_value() or not 0 < amount < money.AMOUNT_LIMIT
    else:
        assert exact == amount
        assert exact.as_tuple().exponent == -UNITS[currency]


@given(units=st.integers(min_value=1, max_value=10**18 - 1), currency=st.sampled_from(sorted(UNITS)))
def test_every_whole_number_of_minor_units_below_the_limit_is_taken_as_it_is(units: int, currency: str) -> None:
    amount = Decimal(units).scaleb(-UNITS[currency])

    if amount < money.AMOUNT_LIMIT:
        assert money.exact(amount, currency) == amount
        assert Decimal(money.plain(money.exact(amount, currency))) == amount
    else:
        with pytest.raises(AmountError):
            money.exact(amount, currency)


@given(st.decimals(allow_nan=True, allow_infinity=True), st.text(max_size=5))
def test_no_number_and_no_currency_make_it_crash(amount: Decimal, currency: str) -> None:
    with suppress(AmountError):
        money.exact(amount, currency)


@pytest.mark.parametrize(("amount", "plain"), [("1E+3", "1000"), ("100.50", "100.50"), ("1E-4", "0.0001")])
def test_plain_has_no_exponent(amount: str, plain: str) -> None:
    assert money.plain(Decimal(amount)) == plain


@pytest.mark.parametrize(
    ("language", "shown"), [("ru", "1\u00a0234\u00a0567,50\u00a0RUB"), ("en", "1,234,567.50\u00a0RUB")]
)
def test_people_see_an_amount_in_their_language(language: str, shown: str) -> None:
    with translation.override(language):
        assert money.shown(Decimal("1234567.5"), "RUB") == shown


def test_people_see_all_digits_of_the_largest_amount() -> None:
    with translation.override("en"):
        assert money.shown(Decimal("99999999999999.99"), "RUB") == "99,999,999,999,999.99\u00a0RUB"


def test_an_amount_in_a_currency_that_the_standard_gave_up_is_shown_all_the_same() -> None:
    with translation.override("en"):
        assert money.shown(Decimal("1234.5"), "ZZZ") == "1,234.5\u00a0ZZZ"
