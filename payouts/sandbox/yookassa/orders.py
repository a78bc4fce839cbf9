"""The body of POST /v3/payouts, read strictly: what is not documented is refused, as an unknown parameter is."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from payouts import strict_json
from payouts.sandbox.ledger import Order
from payouts.sandbox.yookassa.banks import BANK_IDS
from payouts.sandbox.yookassa.objects import InvalidRequestError
from payouts.strict_json import JsonError

KEY: Final = re.compile(r"[0-9a-zA-Z+_.-]{1,64}")
_AMOUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})\.[0-9]{2}")
LEAST: Final = Decimal("1.00")
MOST: Final = Decimal("500000.00")
_DESCRIPTION_LIMIT: Final = 128
_METADATA_LIMIT: Final = 16
_METADATA_NAME_LIMIT: Final = 32
METADATA_VALUE_LIMIT: Final = 512
_WAYS: Final = ("payout_destination_data", "payout_token", "payment_method_id")
_FIELDS: Final = {"amount", "description", "metadata", "personal_data", *_WAYS}
# What needs an agreement of its own with YooKassa, which a plain gateway does not have.
_EXTENSIONS: Final = {"deal", "self_employed", "receipt_data"}
_TOKENIZED_CARD: Final = "5555555555554477"
_CARD_TYPES: Final = (
    (re.compile("220[0-4]"), "Mir"),
    (re.compile("4"), "Visa"),
    (re.compile("5[1-5]"), "MasterCard"),
    (re.compile("62"), "UnionPay"),
)


def read_order(body: bytes, *, dialect: str, reference: str) -> Order:
    """Raises `InvalidRequestError`."""
    try:
        order = strict_json.loads(body)
    except JsonError:
        raise InvalidRequestError("The body is not a JSON object") from None
    unknown = order.keys() - _FIELDS
    if unknown & _EXTENSIONS:
        raise InvalidRequestError("The gateway is not connected to this", min(unknown & _EXTENSIONS))
    if unknown:
        raise InvalidRequestError("Unknown parameter")
    value, currency = _amount(order.get("amount"))
    details: dict[str, Any] = {"payout_destination": _destination(order)}
    if "description" in order:
        details["description"] = read_text(order, "description", re.compile(rf"(?s:.{{0,{_DESCRIPTION_LIMIT}}})"))
    if "personal_data" in order:
        details["personal_data"] = _personal_data(order["personal_data"], details["payout_destination"])
    metadata = read_metadata(order.get("metadata", {}))
    return Order(
        dialect=dialect,
        id=f"po-{uuid.uuid4()}",
        reference=reference,
        payout=metadata.get("payout") or "",
        amount=value,
        currency=currency,
        fingerprint=hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest(),
        details=details,
        metadata=metadata,
    )


def _amount(amount: object) -> tuple[str, str]:
    if amount is None:
        raise InvalidRequestError("Required parameter is missing", "amount")
    fields = read_object(amount, "amount", {"value", "currency"})
    value = read_text(fields, "value", _AMOUNT, of="amount")
    if fields["currency"] != "RUB":
        raise InvalidRequestError("The gateway pays in RUB only", "amount.currency")
    if not LEAST <= Decimal(value) <= MOST:
        raise InvalidRequestError(f"The amount must be from {LEAST} to {MOST}", "amount.value")
    return value, "RUB"


def _destination(order: Mapping[str, Any]) -> dict[str, Any]:
    """What the answers say of the recipient."""
    given = [name for name in _WAYS if name in order]
    if len(given) != 1:
        raise InvalidRequestError("Exactly one destination must be given", given[-1] if given else _WAYS[0])
    if "payout_token" in order:
        read_text(order, "payout_token", re.compile(".{1,1024}"))
        return _card_shown(_TOKENIZED_CARD)
    if "payment_method_id" in order:
        raise InvalidRequestError("There is no such payment method", "payment_method_id")
    data = order["payout_destination_data"]
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _DESTINATIONS:
        raise InvalidRequestError("Unknown type of destination", "payout_destination_data.type")
    return _DESTINATIONS[kind](data)


def _sbp(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = read_object(data, _WAYS[0], {"type", "phone", "bank_id"})
    phone = read_text(fields, "phone", re.compile("[0-9]{4,15}"), of=_WAYS[0])
    bank_id = read_text(fields, "bank_id", re.compile("[a-zA-Z0-9]{12}"), of=_WAYS[0])
    if bank_id not in BANK_IDS:
        raise InvalidRequestError("There is no such participant of SBP", f"{_WAYS[0]}.bank_id")
    return {"type": "sbp", "phone": phone, "bank_id": bank_id, "recipient_checked": False}


def _card(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = read_object(data, _WAYS[0], {"type", "card"})
    card = read_object(fields["card"], f"{_WAYS[0]}.card", {"number"})
    return _card_shown(read_text(card, "number", re.compile("[0-9]{16,19}"), of=f"{_WAYS[0]}.card"))


def _card_shown(number: str) -> dict[str, Any]:
    card_type = next((name for digits, name in _CARD_TYPES if digits.match(number)), "Unknown")
    return {"type": "bank_card", "card": {"first6": number[:6], "last4": number[-4:], "card_type": card_type}}


def _wallet(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = read_object(data, _WAYS[0], {"type", "account_number"})
    number = read_text(fields, "account_number", re.compile("[0-9]{11,33}"), of=_WAYS[0])
    return {"type": "yoo_money", "account_number": number}


_DESTINATIONS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "sbp": _sbp,
    "bank_card": _card,
    "yoo_money": _wallet,
}
DESTINATION_TYPES: Final = frozenset(_DESTINATIONS)


def _personal_data(given: object, destination: dict[str, Any]) -> str:
    """The id of the name that the recipient is checked against; the other type needs an agreement of its own."""
    if destination["type"] != "sbp" or not isinstance(given, list) or len(given) != 1:
        raise InvalidRequestError("One name can be checked, and through SBP", "personal_data")
    fields = read_object(given[0], "personal_data", {"id"})
    destination["recipient_checked"] = True
    return read_text(fields, "id", re.compile("[0-9a-z-]{36,50}"), of="personal_data")


def read_metadata(metadata: object) -> dict[str, str | None]:
    if not isinstance(metadata, dict) or len(metadata) > _METADATA_LIMIT:
        raise InvalidRequestError("metadata must be an object of at most 16 pairs", "metadata")
    for name, value in metadata.items():
        is_text = value is None or (isinstance(value, str) and len(value) <= METADATA_VALUE_LIMIT)
        if not is_text or not 1 <= len(name) <= _METADATA_NAME_LIMIT:
            raise InvalidRequestError("A name or a value of metadata is not a text or too long", "metadata")
    return metadata


def read_object(value: object, parameter: str, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequestError("The parameter must be an object", parameter)
    for name in sorted(names - value.keys()):
        raise InvalidRequestError("Required parameter is missing", f"{parameter}.{name}")
    if value.keys() - names:
        raise InvalidRequestError("Unknown parameter", parameter)
    return value


def read_text(fields: Mapping[str, Any], name: str, pattern: re.Pattern[str], *, of: str = "") -> str:
    value = fields[name]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidRequestError("The parameter has a wrong form", f"{of}.{name}" if of else name)
    return value
