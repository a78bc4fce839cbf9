"""Recipients by kind, as staff and files give them: read into the details that a payout carries, or refused in words.

What has the wrong shape is refused. A checksum that fails (Luhn, IBAN) is a finding for staff, for the contract takes
such numbers too. However the details spell the account, `identity` says which account it is.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from stdnum import iban, luhn

from payouts import vault
from payouts.models import NO_BANKS, BankList, ReviewFlag
from payouts.providers import registry

IBAN_SHAPE = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
# SBP, the Russian system of faster payments, pays in roubles to a mobile number at a bank.
SBP_CURRENCY = "RUB"
SBP_PHONE = re.compile(r"(?:\+?7|8)(9\d{9})")
WALLET = re.compile(r"\d{11,33}", re.ASCII)
TOKEN = re.compile(r"[\x21-\x7e]{1,512}")
SPACING = re.compile(r"[\s\u00a0\u202f()-]")
TEXT_LIMIT = 255
FREE_LINES_LIMIT = 40
# The names under which clients send the recipient's name, and the account.
NAME_KEYS = (
    "name",
    "full_name",
    "fullname",
    "holder",
    "card_holder",
    "cardholder",
    "account_holder",
    "recipient_name",
    "recipient",
    "beneficiary",
    "company",
    "фио",
    "получатель",
)
# The names, without case, spaces and punctuation, under which clients send what says where the money goes.
ACCOUNT_PARTS = {
    "card": ("card", "cardnumber", "cardno", "pan", "карта", "номеркарты"),
    "iban": ("iban",),
    "phone": ("phone", "phonenumber", "mobile", "msisdn", "телефон", "номертелефона"),
    "account": ("account", "accountnumber", "accountno", "счет", "счёт", "номерсчета", "номерсчёта"),
    "bic": ("bic", "swift", "bik", "бик"),
}
ERASED_ON = "erased_on"
PART_OF_NAME = {name: part for part, names in ACCOUNT_PARTS.items() for name in names}
# Of an object under such a name, as in {"card": {"number": …}}, or that names it: {"type": "card", "number": …}.
NUMBER_NAMES = ("number", "no", "value", "номер")
TYPE_NAMES = ("type", "kind", "method", "тип")
# Under these stand numbers that can be as long as a card's.
NO_CARD_KEYS = ("wallet", "bank_id", "payout_token")
ACCOUNT_KEYS = ("card", "card_number", "pan", "account", "account_number", "iban", "phone", "wallet")


class Kind(models.TextChoices):
    CARD = "card", gettext_lazy("Card")
    IBAN = "iban", gettext_lazy("Bank account (IBAN)")
    PHONE = "phone", gettext_lazy("Phone (SBP)")
    WALLET = "wallet", gettext_lazy("Wallet")
    TOKEN = "token", gettext_lazy("Card token")
    OTHER = "other", gettext_lazy("Other")


# What stands for the kind in the details; OTHER has names of its own.
DETAILS = {
    Kind.CARD: "card",
    Kind.IBAN: "iban",
    Kind.PHONE: "phone",
    Kind.WALLET: "wallet",
    Kind.TOKEN: "payout_token",
}
# These are of particular providers.
DECLARED_ONLY = (Kind.WALLET, Kind.TOKEN)


def kinds_offered() -> list[Kind]:
    """Those that some account can pay, as far as the accounts declare what they pay; OTHER is always one."""
    return [kind for kind in Kind if kind not in DETAILS or _is_payable(kind)]


def _is_payable(kind: Kind) -> bool:
    asked = registry.declares_field if kind in DECLARED_ONLY else registry.takes_field
    return asked(DETAILS[kind])


class RecipientError(ValueError):
    """No such recipient can be paid. `errors` has a sentence by field: account, name, bank."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


def build(
    kind: str, *, account: str, name: str = "", bank: str = "", currency: str = "", banks: BankList = NO_BANKS
) -> dict[str, Any]:
    """The recipient's details: `card`, `iban`, `phone`, `wallet`, `payout_token` or `account`, with `name` and `bank`
    where they are given. Of a phone, `bank` is the id or name of one of `banks` where there are any, and the details
    have its `bank_id` too.

    Raises RecipientError.
    """
    account, name, bank = account.strip(), name.strip(), bank.strip()
    errors: dict[str, str] = {}
    details: dict[str, Any] = {}
    try:
        key, number = _account(kind, account, currency)
        details[key] = number
    except ValueError as error:
        errors["account"] = str(error)
    if kind == Kind.PHONE and not bank:
        errors["bank"] = _("Name the recipient's bank: a number can have accounts in several.")
    elif kind == Kind.PHONE and banks.names:
        try:
            details["bank_id"], bank = _listed(bank, banks)
        except ValueError as error:
            errors["bank"] = str(error)
    for field, text in (("name", name), ("bank", bank)):
        if len(text) > TEXT_LIMIT:
            errors[field] = _("Give at most %(limit)s characters.") % {"limit": TEXT_LIMIT}
        elif text:
            details[field] = text
    if errors:
        raise RecipientError(errors)
    return details


def _listed(text: str, banks: BankList) -> tuple[str, str]:
    """The bank's id and name. Raises ValueError with a sentence."""
    match banks.find(text):
        case [bank_id]:
            return bank_id, banks.names[bank_id]
        case []:
            raise ValueError(_("The list has no such bank: choose the name as the list spells it, or give the ID."))
        case several:
            words = {"ids": ", ".join(several)}
            raise ValueError(_("The list has several banks of that name: give the ID, one of %(ids)s.") % words)


def _account(kind: str, account: str, currency: str) -> tuple[str, str]:
    """The detail's name, and the number as it is kept. Raises ValueError with a sentence."""
    if not account:
        raise ValueError(_("Say where the money goes."))
    bare = SPACING.sub("", account)
    match kind:
        case Kind.CARD:
            if not vault.CARD.fullmatch(bare):
                raise ValueError(_("A card number has 13 to 19 digits."))
            return "card", bare
        case Kind.IBAN:
            if not IBAN_SHAPE.fullmatch(bare.upper()):
                raise ValueError(_("An IBAN begins with two letters and two digits and has 15 to 34 characters."))
            return "iban", bare.upper()
        case Kind.PHONE:
            match = SBP_PHONE.fullmatch(bare)
            if not match:
                raise ValueError(_("Give a Russian mobile number, as in +7 912 345-67-89."))
            if currency and currency != SBP_CURRENCY:
                raise ValueError(_("By phone number, SBP pays in RUB only."))
            return "phone", f"+7{match.group(1)}"
        case Kind.WALLET:
            if not WALLET.fullmatch(bare):
                raise ValueError(_("A wallet's number has 11 to 33 digits."))
            return "wallet", bare
        case Kind.TOKEN:
            if not TOKEN.fullmatch(account):
                raise ValueError(_("A card token has at most 512 characters and no spaces."))
            return "payout_token", account
        case Kind.OTHER:
            if len(account) > TEXT_LIMIT:
                raise ValueError(_("Give at most %(limit)s characters.") % {"limit": TEXT_LIMIT})
            return "account", account
        case _:
            raise ValueError(_("The kind must be card, iban, phone, wallet, token or other."))


def free(text: str) -> dict[str, Any]:
    """Details given as lines of “name: value”. Raises RecipientError for the field `account`."""
    details: dict[str, Any] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise RecipientError({"account": _("Say where the money goes.")})
    if len(lines) > FREE_LINES_LIMIT:
        raise RecipientError({"account": _("Give at most %(limit)s lines.") % {"limit": FREE_LINES_LIMIT}})
    for number, line in enumerate(lines, 1):
        name, separator, value = (part.strip() for part in line.partition(":"))
        if not (name and separator and value) or len(name) > 64:
            wrong = _("Line %(number)s is not of the form “name: value”.")
            raise RecipientError({"account": wrong % {"number": number}})
        if name in details:
            raise RecipientError({"account": _("“%(name)s” is there twice.") % {"name": name[:64]}})
        details[name] = value
    return details


def findings(recipient: dict[str, Any]) -> list[ReviewFlag]:
    """What staff should look at, by the recipient alone; never a reason to refuse."""
    found = []
    texts = list(_texts(recipient))
    cards = [text for key, text in texts if key not in NO_CARD_KEYS and vault.CARD.fullmatch(text)]
    if any(not luhn.is_valid(re.sub(r"\D", "", text)) for text in cards):
        found.append(ReviewFlag.CARD_CHECKSUM)
    ibans = [SPACING.sub("", text).upper() for key, text in texts if key == "iban"]
    if any(not iban.is_valid(text) for text in ibans):
        found.append(ReviewFlag.IBAN_CHECKSUM)
    return found


def _texts(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text, with the name it stands under, in lower case."""
    match content:
        case dict():
            for name, value in content.items():
                yield from _texts(value, str(name).lower())
        case list():
            for value in content:
                yield from _texts(value, key)
        case str():
            yield key, content.strip()


def name_and_account(masked: Any) -> tuple[str, str]:
    """The recipient's name and the masked account, from masked details; either may be empty."""
    if not isinstance(masked, dict):
        return "", ""
    if day := erased_on(masked):
        return _("erased on %(day)s") % {"day": date_format(day, "DATE_FORMAT")}, ""
    texts: dict[str, str] = {
        str(key).lower(): value for key, value in masked.items() if isinstance(value, str) and value
    }
    name = next((texts[key] for key in NAME_KEYS if key in texts), "")
    account = next((texts[key] for key in ACCOUNT_KEYS if key in texts), "")
    if not account:
        account = next((text for text in texts.values() if vault.BULLET in text and text != name), "")
    if not name and not account:
        name = next(iter(texts.values()), "")
    return name, account


def erased(day: date) -> dict[str, str]:
    """What stands in place of a mask after the recipient was erased. No mask has so many digits."""
    return {ERASED_ON: day.isoformat()}


def erased_on(masked: Any) -> date | None:
    """The day on which the recipient was erased, where that is what stands in place of the mask."""
    if not isinstance(masked, dict) or set(masked) != {ERASED_ON}:
        return None
    try:
        return date.fromisoformat(str(masked[ERASED_ON]))
    except ValueError:
        return None


# One recipient, however spelled


def blind_index(details: dict[str, Any]) -> bytes:
    """Equal for equal accounts, and no help in guessing one: for the duplicate rule and the recipient's limit."""
    return vault.blind_index(identity(details))


def identity(details: dict[str, Any]) -> str:
    """The account that the details name, in one spelling; two different accounts never have the same.

    The card's digits; or else the IBAN; the account's number with its bank's BIC; the phone number with its country.
    Spaces, punctuation, letter case, the fields' names and what else is said of the recipient make no difference.
    Details that name no such account stand for themselves, letter by letter.
    """
    parts: dict[str, set[str]] = defaultdict(set)
    for name, text in _leaves(details):
        if part := PART_OF_NAME.get(_bare(name).lower()):
            parts[part].add(_bare(text).upper())
    cards = {digits for text in parts["card"] if vault.CARD.fullmatch(digits := re.sub(r"\D", "", text))}
    ibans = {text.removeprefix("IBAN") for text in parts["iban"]}
    ibans |= {text for text in parts["account"] if iban.is_valid(text)}
    ibans = {text for text in ibans if IBAN_SHAPE.fullmatch(text)}
    banks = {text.removesuffix("XXX") if len(text) == BIC_WITH_BRANCH else text for text in parts["bic"]}
    phones = {phone for text in parts["phone"] if (phone := _international(text))}
    if cards:
        return f"card:{_joined(cards)}"
    if ibans:
        return f"iban:{_joined(ibans)}"
    if parts["account"] and banks:
        return f"account:{_joined(parts['account'])}@{_joined(banks)}"
    if phones:
        return f"phone:{_joined(phones)}"
    return vault.canonical(details).decode()


BIC_WITH_BRANCH = 11


def _leaves(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text and number, with the name that it stands under; a number under “card” is the card's."""
    match content:
        case dict():
            bare_names = {key: _bare(str(key)).lower() for key in content}
            types = (str(content[key]) for key, bare in bare_names.items() if bare in TYPE_NAMES)
            of_number = next((text for text in types if _bare(text).lower() in PART_OF_NAME), name)
            for key, value in content.items():
                is_number = of_number and bare_names[key] in NUMBER_NAMES
                yield from _leaves(value, of_number if is_number else str(key))
        case list():
            for value in content:
                yield from _leaves(value, name)
        case bool() | None:
            return
        case Decimal() if abs(content.adjusted()) < 32:  # 4111111111111111.0
            yield name, format(content.normalize(), "f")
        case _:
            yield name, str(content)


def _bare(text: str) -> str:
    """Without spaces, punctuation and what is not seen; digits of every script as 0 to 9."""
    return "".join(
        str(unicodedata.digit(character)) if character.isdigit() else character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character)[0] not in "ZPC"
    )


def _international(bare: str) -> str:
    """The phone number with its country's code; empty if it has none."""
    if match := SBP_PHONE.fullmatch(bare):
        return f"+7{match.group(1)}"
    digits = bare.removeprefix("+") if bare.startswith("+") else bare.removeprefix("00")
    return f"+{digits}" if digits != bare and digits.isdigit() and 8 <= len(digits) <= 15 else ""


def _joined(texts: set[str]) -> str:
    return "+".join(sorted(texts))
