"""The body of POST /v1/payments/payouts, of one item: PayPal takes 15,000, and the sandbox one."""

import hashlib
import json
import re
import secrets
import string
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from payouts import strict_json
from payouts.sandbox.ledger import Order
from payouts.sandbox.paypal.objects import InvalidRequestError
from payouts.strict_json import JsonError

CURRENCIES: Final = frozenset(
    (
        *("AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK"),
        *("NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD"),
    )
)
_WHOLE: Final = frozenset(("HUF", "JPY", "TWD"))
MOST: Final = {"USD": Decimal("20000.00")}
_AMOUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{2})?")
_RECEIVERS: Final = {
    "EMAIL": re.compile(r"[^@\s]+@[^@\s]+"),
    "PHONE": re.compile(r"\+?[0-9-]{7,20}"),
    "PAYPAL_ID": re.compile(r"[0-9A-Z]{13}"),
}
_ITEM: Final = {"recipient_type", "receiver", "amount", "sender_item_id", "note", "recipient_wallet"}
_HEADER: Final = {"sender_batch_id", "recipient_type", "email_subject", "email_message", "note"}
_ID_CHARACTERS: Final = "".join(sorted(set(string.ascii_uppercase + string.digits) - set("01IO")))
_ID_LENGTH: Final = 13


def sender_batch_id(body: bytes) -> str:
    """What the payout is known by, if the body has it; empty otherwise."""
    try:
        header = strict_json.loads(body).get("sender_batch_header")
    except JsonError:
        return ""
    known = header.get("sender_batch_id") if isinstance(header, dict) else None
    return known if isinstance(known, str) and len(known) <= 256 else ""


def read_order(body: bytes, *, dialect: str, reference: str) -> Order:
    """Raises `InvalidRequestError`."""
    try:
        order = strict_json.loads(body)
    except JsonError:
        raise InvalidRequestError("The body is not a JSON object", "body") from None
    header = _object(order, "sender_batch_header", _HEADER)
    items = order.get("items")
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], dict):
        raise InvalidRequestError("The sandbox takes one item", "items")
    if order.keys() - {"sender_batch_header", "items"} or items[0].keys() - _ITEM:
        raise InvalidRequestError("Unknown field", "items[0]")
    item = items[0]
    value, currency = _amount(_object(item, "amount", {"value", "currency"}, of="items[0]."))
    kind = item.get("recipient_type", header.get("recipient_type"))
    if kind not in _RECEIVERS:
        raise InvalidRequestError("Recipient type is missing or unknown", "items[0].recipient_type")
    payee = item.get("receiver")
    if not isinstance(payee, str) or len(payee) > 127 or not _RECEIVERS[kind].fullmatch(payee):
        raise InvalidRequestError("Receiver is invalid or does not match with type", "items[0].receiver")
    item_id = item.get("sender_item_id", "")
    if not isinstance(item_id, str) or len(item_id) > 63:
        raise InvalidRequestError("Value is no text of at most 63 characters", "items[0].sender_item_id")
    return Order(
        dialect=dialect,
        id="".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH)),
        reference=reference,
        payout="",
        amount=value,
        currency=currency,
        fingerprint=hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest(),
        details={
            "header": dict(header),
            "item": {"recipient_type": kind, "receiver": payee, "sender_item_id": item_id},
        },
    )


def _amount(amount: Mapping[str, Any]) -> tuple[str, str]:
    value, currency = amount.get("value"), amount.get("currency")
    if currency not in CURRENCIES:
        raise InvalidRequestError("Currency is not supported", "items[0].amount.currency")
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or not Decimal(value):
        raise InvalidRequestError("Value is not a positive amount", "items[0].amount.value")
    if currency in _WHOLE and "." in value:
        raise InvalidRequestError("Currency does not support decimals", "items[0].amount.value")
    if Decimal(value) > MOST.get(currency, Decimal(value)):
        raise InvalidRequestError("Value is over the limit of one payment", "items[0].amount.value")
    return value, currency


def _object(content: Mapping[str, Any], name: str, fields: set[str], *, of: str = "") -> Mapping[str, Any]:
    value = content.get(name)
    if not isinstance(value, dict) or value.keys() - fields:
        raise InvalidRequestError("Value is missing, no object, or has an unknown field", f"{of}{name}")
    return value
