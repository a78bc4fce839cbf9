"""PayPal's objects as it documents them, each held to the schema."""

import json
from typing import Any

from payouts.providers import Instruction
from payouts.providers.paypal.api import App
from tests.payouts.providers.programs import instruction
from tests.payouts.sandbox.paypal import CLIENT_ID, SECRET, hold

ID = "CDZEC5MJ8R5HY"
ADDRESS = "petrov@example.com"
HELP = "https://developer.paypal.com/docs/api/payments.payouts-batch/#errors"


def app(url: str, **changes: Any) -> App:
    return App(**({"client_id": CLIENT_ID, "secret": SECRET, "url": url, "is_test": True} | changes))


def by_email(amount: str = "100.50", currency: str = "USD", **changes: Any) -> Instruction:
    """A new attempt to an email address."""
    return instruction(amount, currency, **({"recipient": {"email": ADDRESS, "name": "Иван Петров"}} | changes))


def header(attempt: Instruction, status: str) -> dict[str, Any]:
    return {
        "payout_batch_id": ID,
        "batch_status": status,
        "sender_batch_header": {"sender_batch_id": str(attempt.reference)},
    }


def made(attempt: Instruction) -> dict[str, Any]:
    """The answer to the POST of an attempt `by_email`."""
    documented: dict[str, Any] = hold("made", {"batch_header": header(attempt, "PENDING"), "links": []})
    return documented


def item(attempt: Instruction, status: str | None = "SUCCESS", **changes: Any) -> dict[str, Any]:
    told = {
        "payout_item_id": "VHBFGN95AWV82",
        "payout_item_fee": {"currency": attempt.currency, "value": "2.01"},
        "payout_batch_id": ID,
        "payout_item": {
            "recipient_type": "EMAIL",
            "receiver": ADDRESS,
            "amount": {"currency": attempt.currency, "value": str(attempt.amount)},
            "sender_item_id": str(attempt.reference),
        },
        "time_processed": "2026-01-14T12:00:02Z",
    }
    documented: dict[str, Any] = hold(
        "batch item", told | ({"transaction_status": status} if status else {}) | changes
    )
    return documented


def batch(attempt: Instruction, *items: dict[str, Any], status: str = "SUCCESS") -> dict[str, Any]:
    documented: dict[str, Any] = hold("batch", {"batch_header": header(attempt, status), "items": list(items)})
    return documented


def reason(name: str, message: str = "Something is wrong") -> dict[str, str]:
    return {"name": name, "message": message, "information_link": HELP}


def problem(name: str, *details: dict[str, Any], message: str = "Something is wrong.") -> dict[str, Any]:
    told = {"name": name, "message": message, "debug_id": "53d95c3d17ae5", "details": list(details), "links": []}
    documented: dict[str, Any] = hold("error", told)
    return documented


def duplicate(*links: str) -> dict[str, Any]:
    """Of a `sender_batch_id` that was used."""
    named = [{"href": href, "rel": "self", "method": "GET"} for href in links]
    detail = {"field": "SENDER_BATCH_ID", "location": "body", "issue": "Duplicate batch request", "link": named}
    return problem("USER_BUSINESS_ERROR", detail)


def event(attempt: Instruction, kind: str, status: str) -> dict[str, Any]:
    told = {
        "id": "WH-62W810145R7409724-8CH11354TY024302T",
        "create_time": "2026-01-14T12:00:02Z",
        "resource_type": "payouts_item",
        "event_type": f"PAYMENT.PAYOUTS-ITEM.{kind}",
        "resource": item(attempt, status) | {"sender_batch_id": str(attempt.reference)},
    }
    documented: dict[str, Any] = hold("event", told)
    return documented


def body(content: object) -> bytes:
    return json.dumps(content).encode()
