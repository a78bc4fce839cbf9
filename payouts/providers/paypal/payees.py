"""Whom the money goes to: a recipient's details, read as exactly one of the ways in which PayPal knows somebody.

| way       | details                                                       |
|-----------|---------------------------------------------------------------|
| email     | `email`, at most 127 characters of ASCII                       |
| phone     | `phone` with its country code; PayPal's sandbox knows no phone |
| paypal_id | `paypal_id`, the 13 characters of a PayPal account             |

Whatever else the details say (a name) is not sent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext_lazy

from payouts import money
from payouts.providers import RecipientKind

# https://developer.paypal.com/docs/reports/reference/paypal-supported-currencies/
_DECIMAL: Final = (
    *("AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD", "PHP"),
    *("PLN", "SEK", "SGD", "THB", "USD"),
)
WHOLE: Final = frozenset(("HUF", "JPY", "TWD"))
"""What PayPal takes no decimals of, whatever ISO 4217 says."""
# 20,000 USD in one payment, and in another currency what comes to that at PayPal's rate: there PayPal itself refuses.
_MOST: Final = {"USD": Decimal("20000.00")}
_CURRENCIES: Final = {
    code: (least, _MOST.get(code, money.AMOUNT_LIMIT - least))
    for codes, least in ((_DECIMAL, Decimal("0.01")), (sorted(WHOLE), Decimal(1)))
    for code in codes
}
RECIPIENTS: Final = (
    RecipientKind("email", ("email",), _CURRENCIES, WHOLE, gettext_lazy("Email address")),
    RecipientKind("phone", ("phone",), _CURRENCIES, WHOLE, gettext_lazy("Phone")),
    RecipientKind("paypal_id", ("paypal_id",), _CURRENCIES, WHOLE, gettext_lazy("PayPal account")),
)
_SPACING: Final = re.compile(r"[\s\u00a0\u202f()-]")
_EMAIL: Final = re.compile(r"(?=.{3,127}\Z)[!-?A-~]+@[!-?A-~]+")
_PHONE: Final = re.compile(r"\+?([1-9][0-9]{6,14})")
_PAYPAL_ID: Final = re.compile(r"[0-9A-Z]{13}")


@dataclass(frozen=True, slots=True)
class Payee:
    way: str
    """Of RECIPIENTS."""
    kind: str
    """PayPal's `recipient_type`."""
    name: str = field(repr=False)
    """As it is sent: it may be spelled otherwise in the details, and is told to nobody."""
    is_told: Callable[[str], bool] = field(repr=False)
    """Whether the `receiver` of an item is this one."""


def read(recipient: Mapping[str, object]) -> Payee | None:
    """None for details that name no way or several, or one of another shape."""
    named = [kind.name for kind in RECIPIENTS if not recipient.keys().isdisjoint(kind.fields)]
    value = recipient.get(named[0]) if len(named) == 1 else None
    return _READERS[named[0]](value) if isinstance(value, str) else None


def sent_amount(amount: Decimal, currency: str) -> str | None:
    """As PayPal takes it; None for what it cannot pay."""
    try:
        exact = money.exact(amount, currency)
    except money.AmountError:
        return None
    if currency in WHOLE and exact != exact.to_integral_value():
        return None
    return money.plain(exact.to_integral_value() if currency in WHOLE else exact)


def _email(value: str) -> Payee | None:
    address = value.strip()
    if not _EMAIL.fullmatch(address):
        return None
    return Payee("email", "EMAIL", address, lambda told: told.casefold() == address.casefold())


def _phone(value: str) -> Payee | None:
    number = _PHONE.fullmatch(_SPACING.sub("", value))
    if number is None:
        return None
    digits = number[1]
    return Payee("phone", "PHONE", digits, lambda told: re.sub(r"\D", "", told) == digits)


def _paypal_id(value: str) -> Payee | None:
    account = value.strip()
    if not _PAYPAL_ID.fullmatch(account):
        return None
    return Payee("paypal_id", "PAYPAL_ID", account, lambda told: told == account)


_READERS: Final = {"email": _email, "phone": _phone, "paypal_id": _paypal_id}
