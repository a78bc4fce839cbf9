"""Amounts: exact in the currency's minor units (ISO 4217, published list A.1), or refused."""

from decimal import Decimal
from functools import cache

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from iso4217 import Currency

AMOUNT_LIMIT = Decimal(10) ** 14
NO_BREAK_SPACE = "\u00a0"


class AmountError(ValueError):
    """The amount or its currency cannot be paid; the text is a sentence for the caller."""


@cache
def minor_units(currency: str) -> int:
    """Decimals of a currency: JPY 0, RUB 2, KWD 3.

    Raises AmountError for a code that is not in the standard's list or has no minor unit (gold, test codes).
    """
    try:
        exponent = Currency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise AmountError(_("“%(code)s” is not a currency code of ISO 4217.") % {"code": currency[:8]})
    return int(exponent)


def codes() -> list[str]:
    """The currencies that can be paid."""
    return sorted(currency.code for currency in Currency if currency.exponent is not None)


def exact(amount: Decimal, currency: str) -> Decimal:
    """The same amount with exactly the currency's decimals.

    Raises AmountError when it is not a number, not positive, too large, or finer than the currency: it never rounds.
    """
    units = minor_units(currency)
    if not amount.is_finite():
        raise AmountError(_("The amount must be a number."))
    if amount <= 0:
        raise AmountError(_("The amount must be greater than zero."))
    if amount >= AMOUNT_LIMIT:
        raise AmountError(_("The amount must be less than 100,000,000,000,000."))
    # Counted as digits: normalize() and quantize() would first round to the context's 28.
    _sign, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    decimals = -exponent - (len(digits) - len("".join(map(str, digits)).rstrip("0")))
    if decimals > units:
        raise AmountError(
            _("An amount in %(currency)s has at most %(units)s decimals.") % {"currency": currency, "units": units}
        )
    return amount.quantize(Decimal(1).scaleb(-units))


def plain(amount: Decimal) -> str:
    """Digits and a point, never an exponent: "100.50"."""
    return format(amount, "f")


def bare(amount: Decimal) -> str:
    """One spelling for equal amounts, whatever their decimals: "100.5", "100"."""
    text = plain(amount)
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown(amount: Decimal, currency: str) -> str:
    """For people, in their language: "1 234,50 RUB", with no-break spaces."""
    try:
        decimals: int | None = minor_units(currency)
    except AmountError:  # a currency that the standard has given up since
        decimals = None
    digits = number_format(amount, decimal_pos=decimals, use_l10n=True, force_grouping=True)
    return f"{digits}{NO_BREAK_SPACE}{currency}"
