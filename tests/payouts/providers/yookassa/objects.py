"""YooKassa's objects as it documents them, each held to the schema."""

import json
from typing import Any
from uuid import uuid4

from payouts.providers import Instruction
from tests.payouts.providers.programs import instruction
from tests.payouts.sandbox.yookassa import hold

GATEWAY_ID = "500001"
SECRET = "live_canary_Zk3v9LqW7dR1"
ID = "po-27ced252-0025-5000-9000-0a682a8bab8f"
SBP = {"phone": "+7 900 000-00-00", "bank_id": "100000000111"}


def by_sbp(amount: str = "100.50", **changes: Any) -> Instruction:
    """A new attempt to a phone number."""
    return instruction(amount, **({"recipient": dict(SBP)} | changes))


def payout(attempt: Instruction, status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """The payout of an attempt `by_sbp`; a canceled one without a reason of its own has `general_decline`."""
    ends = {
        "succeeded": {"succeeded_at": "2026-01-14T12:00:02.312Z"},
        "canceled": {"cancellation_details": {"party": "yoo_money", "reason": "general_decline"}},
    }
    told = {
        "id": ID,
        "amount": {"value": str(attempt.amount), "currency": attempt.currency},
        "status": status,
        "payout_destination": {
            "type": "sbp",
            "phone": "79000000000",
            "bank_id": "100000000111",
            "recipient_checked": False,
        },
        "description": f"Payout {attempt.payout}",
        "created_at": "2026-01-14T12:00:00.123Z",
        "metadata": {"attempt": str(attempt.reference), "payout": str(attempt.payout)},
        "test": False,
        **ends.get(status, {}),
    }
    documented: dict[str, Any] = hold("payout", told | changes)
    return documented


def canceled(attempt: Instruction, reason: str) -> dict[str, Any]:
    return payout(attempt, "canceled", cancellation_details={"party": "yoo_money", "reason": reason})


def listed(*payouts: dict[str, Any], **more: Any) -> dict[str, Any]:
    documented: dict[str, Any] = hold("payouts", {"type": "list", "items": list(payouts), **more})
    return documented


def me(balance: str, **changes: Any) -> dict[str, Any]:
    """The gateway, with so many roubles."""
    told = {
        "account_id": GATEWAY_ID,
        "status": "enabled",
        "test": False,
        "name": "Seller",
        "payout_methods": ["sbp", "yoo_money"],
        "payout_balance": {"value": balance, "currency": "RUB"},
    }
    documented: dict[str, Any] = hold("me", told | changes)
    return documented


def error(code: str, **more: Any) -> dict[str, Any]:
    told = {"type": "error", "id": str(uuid4()), "code": code, "description": "Something is wrong.", **more}
    documented: dict[str, Any] = hold("error", told)
    return documented


def notification(event: str, told: dict[str, Any]) -> bytes:
    return body(hold("notification", {"type": "notification", "event": event, "object": told}))


def body(content: object) -> bytes:
    return json.dumps(content).encode()
