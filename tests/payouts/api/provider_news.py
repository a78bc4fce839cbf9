"""The provider's side of a webhook: what it says of a payout's attempt, and its signature."""

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

from standardwebhooks import Webhook

from payouts.models import Payout

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
PATH = "/api/webhooks/provider/"


def news_of(payout: Payout, **changes: object) -> str:
    payment = {
        "id": "prv_1",
        "reference": str(payout.attempts.get().reference),
        "amount": "100.50",
        "currency": "RUB",
        "status": "succeeded",
    }
    return json.dumps({"type": "payout.updated", "data": payment | changes})


def signed(body: str, *, message_id: str = "", at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    message_id, at = message_id or f"msg_{uuid4().hex}", at or datetime.now(UTC)
    return {
        "webhook_id": message_id,
        "webhook_timestamp": str(int(at.timestamp())),
        "webhook_signature": Webhook(secret).sign(message_id, at, body),
    }
