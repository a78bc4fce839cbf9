"""Where the money goes: a recipient's details, read as exactly one of the ways in which YooKassa pays.

| way        | details                                                                            |
|------------|------------------------------------------------------------------------------------|
| sbp        | `phone` (E.164; 8 9… is read as Russian) and `bank_id` (12 characters, /sbp_banks) |
| card_token | `payout_token`, from YooKassa's form: no card number is ours                       |
| card       | `card`, its number; only where the account takes card numbers                      |
| wallet     | `wallet`, the number of a YooMoney wallet                                          |

Where the account checks names, `name` is sent before a payout by SBP (names.py). Whatever else the details say (a
bank's name) is not sent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext_lazy

from payouts.providers import RecipientKind
from payouts.providers.yookassa.shapes import CardDestination, SbpDestination, Told, WalletDestination

# https://yookassa.ru/developers/payouts/getting-started/payout-types-and-limits; a recipient's own may be lower.
_LIMITS: Final = {"RUB": (Decimal("1.00"), Decimal("500000.00"))}
RECIPIENTS: Final = (
    RecipientKind("sbp", ("phone", "bank_id"), _LIMITS, label=gettext_lazy("Phone (SBP)")),
    RecipientKind("card_token", ("payout_token",), _LIMITS, label=gettext_lazy("Card token")),
    RecipientKind("card", ("card",), _LIMITS, label=gettext_lazy("Card")),
    RecipientKind("wallet", ("wallet",), _LIMITS, label=gettext_lazy("Wallet")),
)
_SPACING: Final = re.compile(r"[\s\u00a0\u202f()-]")
_RUSSIAN: Final = re.compile(r"8(9[0-9]{9})")
_PHONE: Final = re.compile(r"\+?([1-9][0-9]{3,14})")
_BANK: Final = re.compile(r"[0-9A-Za-z]{12}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,512}")
_CARD: Final = re.compile(r"[0-9]{16,19}")
_WALLET: Final = re.compile(r"[0-9]{11,33}")


def taken(*, takes_card_numbers: bool, checks_names: bool) -> tuple[RecipientKind, ...]:
    """The ways in which one account pays."""
    named = {"sbp"} if checks_names else set()
    return tuple(
        replace(way, fields=(*way.fields, "name")) if way.name in named else way
        for way in RECIPIENTS
        if takes_card_numbers or way.name != "card"
    )


@dataclass(frozen=True, slots=True)
class Destination:
    order: Mapping[str, object] = field(repr=False)
    """Its part of the request that makes a payout."""
    account: str = field(repr=False)
    """The phone, token or number as it is sent: it is spelled otherwise in the details, and told to nobody."""
    is_told: Callable[[Told], bool] = field(repr=False)
    """Whether a payout's `payout_destination` is this one, as far as it tells."""
    way: str = ""
    """The name of its RecipientKind."""


def read(recipient: Mapping[str, object], *, takes_card_numbers: bool) -> Destination | None:
    """None for details that name no way or several, or one of another shape."""
    named = [kind.name for kind in RECIPIENTS if not recipient.keys().isdisjoint(kind.fields)]
    match named:
        case ["card"] if not takes_card_numbers:
            return None
        case [name]:
            found = _READERS[name](recipient)
            return replace(found, way=name) if found else None
        case _:
            return None


def _sbp(recipient: Mapping[str, object]) -> Destination | None:
    number, bank_id = _bare(recipient, "phone"), _text(recipient, "bank_id")
    if russian := _RUSSIAN.fullmatch(number):
        number = f"7{russian[1]}"
    phone = _PHONE.fullmatch(number)
    if not (phone and _BANK.fullmatch(bank_id)):
        return None
    order = {"payout_destination_data": {"type": "sbp", "phone": phone[1], "bank_id": bank_id}}
    expected = SbpDestination(phone=phone[1], bank_id=bank_id)
    return Destination(order, phone[1], lambda told: told == expected)


def _wallet(recipient: Mapping[str, object]) -> Destination | None:
    number = _bare(recipient, "wallet")
    if not _WALLET.fullmatch(number):
        return None
    order = {"payout_destination_data": {"type": "yoo_money", "account_number": number}}
    return Destination(order, number, lambda told: told == WalletDestination(account_number=number))


def _token(recipient: Mapping[str, object]) -> Destination | None:
    token = _text(recipient, "payout_token")
    if not _TOKEN.fullmatch(token):
        return None
    return Destination({"payout_token": token}, token, lambda told: isinstance(told, CardDestination))


def _card(recipient: Mapping[str, object]) -> Destination | None:
    number = _bare(recipient, "card")
    if not _CARD.fullmatch(number):
        return None

    def is_told(told: Told) -> bool:
        # YooKassa says that the first six may be those of another number.
        return isinstance(told, CardDestination) and (told.card is None or told.card.last4 == number[-4:])

    order = {"payout_destination_data": {"type": "bank_card", "card": {"number": number}}}
    return Destination(order, number, is_told)


_READERS: Final = {"sbp": _sbp, "card_token": _token, "card": _card, "wallet": _wallet}


def _text(recipient: Mapping[str, object], name: str) -> str:
    value = recipient.get(name)
    return value if isinstance(value, str) else ""


def _bare(recipient: Mapping[str, object], name: str) -> str:
    return _SPACING.sub("", _text(recipient, name))
