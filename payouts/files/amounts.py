"""Amounts as people write them, in a form, a filter or a cell: read exactly, or refused if they mean two things."""

import re
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payouts import money

SPACES = re.compile(r"\s")
PLAIN = re.compile(r"-?[0-9]{1,20}(?:[.,][0-9]{1,20})?")
# 1,234,567 or 1.234.567,89: separators of groups are told by there being two, or by another one for the decimals. No
# number of thousands begins with a zero: 0,500.00 is a slip of the finger.
GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+(?:\.[0-9]{1,20})?|(?:\.[0-9]{3})+(?:,[0-9]{1,20})?)")
# 1,000 is a thousand to some and one to others.
TWO_MEANINGS = re.compile(r"[0-9]{1,3}([.,])[0-9]{3}")


class TextError(ValueError):
    """The text is no amount that we can read; the error is a sentence for whoever wrote it."""

    sentence: Promise = _("Give digits, with a point or a comma before decimals, as in 1234.50.")

    def __init__(self) -> None:
        super().__init__(self.sentence)


class AmbiguousError(TextError):
    sentence = _("This could mean a thousand or one. Write 1000 or 1000.00, without a thousands separator.")


def read(text: str, currency: str = "") -> Decimal:
    """1000, 1 000,50, 1,000.50 or 1.000.000; in a currency, with exactly its decimals.

    1,000 and 1.000 are refused, but for the point in a currency of three decimals: 1.000 KWD is one dinar.

    Raises TextError, and with a currency money.AmountError. Without one it is any amount from zero to the limit.
    """
    digits = _ungrouped(SPACES.sub("", text))
    if not PLAIN.fullmatch(digits):
        raise TextError
    if (match := TWO_MEANINGS.fullmatch(digits)) and not (match[1] == "." and _has_three_decimals(currency)):
        raise AmbiguousError
    amount = Decimal(digits.replace(",", "."))
    if currency:
        return money.exact(amount, currency)
    if not 0 <= amount < money.AMOUNT_LIMIT:
        raise TextError
    return amount


def _ungrouped(digits: str) -> str:
    """The digits without separators of thousands, where they can be nothing else; otherwise unchanged."""
    if not GROUPED.fullmatch(digits):
        return digits
    commas, points = digits.count(","), digits.count(".")
    if commas and points:
        group = "," if digits.index(",") < digits.index(".") else "."
        return digits.replace(group, "")
    return digits.replace(",", "").replace(".", "") if commas + points > 1 else digits


def _has_three_decimals(currency: str) -> bool:
    return bool(currency) and money.minor_units(currency) >= 3
