"""PayPal's objects as they go out: a batch and its one item, a webhook, an error."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from payouts.sandbox.exchange import Reply
from payouts.sandbox.ledger import Payment

PAYOUTS: Final = "/v1/payments/payouts"
ITEMS: Final = "/v1/payments/payouts-item"
_STATUSES: Final = {"pending": "PENDING", "succeeded": "SUCCESS", "rejected": "FAILED", "returned": "RETURNED"}
EVENTS: Final = {"SUCCESS": "SUCCEEDED", "FAILED": "FAILED", "RETURNED": "RETURNED"}
# What the ledger says of a payment that came back on its way.
_REASONS: Final = {"beneficiary_bank_rejected": "RECEIVER_ACCOUNT_LOCKED"}
_FEE: Final = Decimal("0.02")
_HELP: Final = "https://developer.paypal.com/docs/api/payments.payouts-batch/#errors"


def made(payment: Payment) -> dict[str, Any]:
    """The answer to the POST, which never tells how it ends."""
    header = {
        "payout_batch_id": payment.id,
        "batch_status": "PENDING",
        "sender_batch_header": payment.details["header"],
    }
    return {"batch_header": header, "links": [link(PAYOUTS, payment.id, "self")]}


def batch(payment: Payment) -> dict[str, Any]:
    settled = payment.settled_at
    header: dict[str, Any] = {
        "payout_batch_id": payment.id,
        "batch_status": "SUCCESS" if settled else "PROCESSING",
        "time_created": _time(payment.at),
        "sender_batch_header": payment.details["header"],
        "funding_source": "BALANCE",
        "amount": _amount(payment),
        "fees": _fee(payment),
    }
    if settled:
        header["time_completed"] = _time(settled)
    shown = {name: value for name, value in item(payment).items() if name != "sender_batch_id"}
    links = [link(PAYOUTS, payment.id, "self")]
    return {"total_items": 1, "total_pages": 1, "batch_header": header, "items": [shown], "links": links}


def item(payment: Payment) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "payout_item_id": item_id(payment.id),
        "transaction_status": _STATUSES[payment.status],
        "payout_item_fee": _fee(payment),
        "payout_batch_id": payment.id,
        "sender_batch_id": payment.details["header"]["sender_batch_id"],
        "payout_item": {**payment.details["item"], "amount": _amount(payment), "recipient_wallet": "PAYPAL"},
        "time_processed": _time(payment.settled_at or payment.at),
        "links": [link(ITEMS, item_id(payment.id), "self"), link(PAYOUTS, payment.id, "batch")],
    }
    if payment.code:
        name = _REASONS.get(payment.code, payment.code)
        shown["errors"] = {"name": name, "message": payment.message or name, "information_link": _HELP}
    return shown


def event(payment: Payment) -> dict[str, Any]:
    shown = item(payment)
    return {
        "id": f"WH-{payment.id}-{payment.status}",
        "event_version": "1.0",
        "create_time": _time(payment.settled_at or payment.at),
        "resource_type": "payouts_item",
        "event_type": f"PAYMENT.PAYOUTS-ITEM.{EVENTS[shown['transaction_status']]}",
        "summary": "A payout item has changed",
        "resource": shown,
        "links": [],
    }


def item_id(batch_id: str) -> str:
    """The id of a batch's one item: another spelling of the batch's."""
    return f"I{batch_id}"


def error(
    status: int, name: str, message: str, *, headers: str = "", details: Sequence[dict[str, Any]] = ()
) -> Reply:
    content: dict[str, Any] = {
        "name": name,
        "message": message,
        "debug_id": uuid.uuid4().hex[:13],
        "information_link": _HELP,
        "details": list(details),
        "links": [],
    }
    return Reply(status, content, headers=headers)


def duplicate(batch_id: str) -> Reply:
    """Of a `sender_batch_id` that was used: it names the payout, where one was made."""
    detail: dict[str, Any] = {
        "field": "SENDER_BATCH_ID",
        "location": "body",
        "issue": "Batch with given sender_batch_id already exists",
    }
    if batch_id:
        detail["link"] = [link(PAYOUTS, batch_id, "self")]
    return error(400, "USER_BUSINESS_ERROR", "User business error.", details=[detail])


class InvalidRequestError(ValueError):
    """400 `VALIDATION_ERROR`: what is wrong, which quotes nothing, and the field that is at fault."""

    def __init__(self, issue: str, field: str) -> None:
        super().__init__(issue)
        self.field = field

    @property
    def reply(self) -> Reply:
        detail = {"field": self.field, "location": "body", "issue": str(self)}
        return error(400, "VALIDATION_ERROR", "Invalid request - see details", details=[detail])


def link(path: str, name: str, rel: str) -> dict[str, str]:
    return {"href": f"https://api-m.sandbox.paypal.com{path}/{name}", "rel": rel, "method": "GET"}


def _amount(payment: Payment) -> dict[str, str]:
    return {"currency": payment.currency, "value": payment.amount}


def _fee(payment: Payment) -> dict[str, str]:
    """Two per cent, rounded down; nothing of what is not paid."""
    amount = Decimal(payment.amount)
    is_paid = payment.status in {"succeeded", "returned"}
    fee = (amount * _FEE).quantize(Decimal(1).scaleb(int(amount.as_tuple().exponent)), "ROUND_DOWN")
    return {"currency": payment.currency, "value": f"{fee if is_paid else fee * 0:f}"}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
