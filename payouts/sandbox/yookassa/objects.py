"""YooKassa's objects as they go out: a payout, a notification, an error."""

import uuid
from datetime import UTC, datetime
from typing import Any, Final

from payouts.sandbox.exchange import Reply
from payouts.sandbox.ledger import Payment

STATUSES: Final = {"pending": "pending", "succeeded": "succeeded", "canceled": "rejected"}
"""YooKassa's statuses, and the ledger's."""
_SHOWN: Final = {ours: theirs for theirs, ours in STATUSES.items()}
# Who decides; the others are YooKassa's own decisions.
_NETWORK_REASONS: Final = {"rejected_by_payee", "issuer_unavailable", "recipient_not_found"}
# What the ledger says of a payment that came back on its way.
_REASONS: Final = {"beneficiary_bank_rejected": "rejected_by_payee"}


def payout(payment: Payment) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": payment.id,
        "amount": {"value": payment.amount, "currency": payment.currency},
        "status": _SHOWN[payment.status],
        **{name: shown for name, shown in payment.details.items() if name != "personal_data"},
        "created_at": time_of(payment.at),
        "metadata": payment.metadata,
        "test": True,
    }
    if payment.status == "succeeded" and payment.settled_at:
        shown["succeeded_at"] = time_of(payment.settled_at)
    if payment.status == "rejected":
        reason = _REASONS.get(payment.code, payment.code)
        party = "payout_network" if reason in _NETWORK_REASONS else "yoo_money"
        shown["cancellation_details"] = {"party": party, "reason": reason}
    return shown


def notification(payment: Payment) -> dict[str, Any]:
    shown = payout(payment)
    return {"type": "notification", "event": f"payout.{shown['status']}", "object": shown}


class InvalidRequestError(ValueError):
    """400 `invalid_request`: a sentence, which quotes nothing, and the parameter that is at fault."""

    def __init__(self, description: str, parameter: str = "") -> None:
        super().__init__(description)
        self.parameter = parameter

    @property
    def reply(self) -> Reply:
        return error(400, "invalid_request", str(self), parameter=self.parameter)


def error(
    status: int, code: str, description: str, *, parameter: str = "", retry_after_milliseconds: int = 0
) -> Reply:
    content: dict[str, Any] = {
        "type": "error",
        "id": str(uuid.uuid4()),
        "code": code,
        "description": description,
    }
    if parameter:
        content["parameter"] = parameter
    if retry_after_milliseconds:
        content["retry_after"] = retry_after_milliseconds
    return Reply(status, content)


def time_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
