"""YooKassa's objects as it documents them, each held to `schemas.json`."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from jsonschema import Draft202012Validator

from payouts.providers import Instruction
from tests.payouts.providers.programs import instruction

GATEWAY_ID = "500001"
SECRET = "test_canary_Zk3v9LqW7dR1"
ID = "po-27ced252-0025-5000-9000-0a682a8bab8f"
SBP = {"phone": "+7 900 000-00-00", "bank_id": "100000000111"}
_SCHEMAS = json.loads((Path(__file__).parent / "schemas.json").read_text())


def documented[Content](name: str, content: Content) -> Content:
    """The content itself, if it is what YooKassa documents under that name; else a ValidationError."""
    Draft202012Validator(_SCHEMAS | {"$ref": f"#/$defs/{name}"}).validate(content)
    return content


def by_sbp(amount: str = "100.50", **changes: Any) -> Instruction:
    """A new attempt to a phone number."""
    return instruction(amount, **({"recipient": dict(SBP)} | changes))


def payout(attempt: Instruction, **changes: Any) -> dict[str, Any]:
    """The payout of an attempt `by_sbp`, succeeded."""
    return documented(
        "payout",
        {
            "id": ID,
            "amount": {"value": str(attempt.amount), "currency": attempt.currency},
            "status": "succeeded",
            "payout_destination": {
                "type": "sbp",
                "phone": "79000000000",
                "bank_id": "100000000111",
                "recipient_checked": False,
            },
            "description": f"Payout {attempt.payout}",
            "created_at": "2026-01-14T12:00:00.123Z",
            "succeeded_at": "2026-01-14T12:00:02.312Z",
            "metadata": {"attempt": str(attempt.reference), "payout": str(attempt.payout)},
            "test": False,
        }
        | changes,
    )


def canceled(attempt: Instruction, reason: str, **changes: Any) -> dict[str, Any]:
    details = {"party": "yoo_money", "reason": reason}
    return payout(attempt, status="canceled", cancellation_details=details, **changes)


def listed(*payouts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return documented("payout_list", {"type": "list", "items": list(payouts), **more})


def error(code: str, **more: Any) -> dict[str, Any]:
    return documented("error", {"type": "error", "id": str(uuid4()), "code": code, **more})


def notification(event: str, told: dict[str, Any]) -> bytes:
    content = documented("notification", {"type": "notification", "event": event, "object": told})
    return json.dumps(content).encode()


def body(content: object) -> bytes:
    return json.dumps(content).encode()
