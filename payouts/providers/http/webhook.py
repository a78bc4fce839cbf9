"""The provider's webhooks: signed as Standard Webhooks say (standardwebhooks.com), and what they tell."""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import standardwebhooks

from payouts import strict_json
from payouts.database.storable import is_storable
from payouts.providers import MESSAGE_ID_LIMIT, Account, Message, News, UnreadableError, UnsignedError, Webhook
from payouts.providers.http.answers import STATUS_VERDICTS
from payouts.providers.words import ID_LIMIT, clean, exact_amount
from payouts.strict_json import JsonError

CURRENCY: Final = re.compile(r"[A-Z]{3}")


# For the document alone: the body is read as bytes, because the signature is over them.
_PAYMENT: dict[str, Any] = {
    "type": "object",
    "required": ["reference", "status"],
    "properties": {
        "reference": {"type": "string", "description": "The key of our attempt."},
        "status": {"type": "string", "enum": [*STATUS_VERDICTS]},
        "id": {"description": "The provider's own name for the payment, a text."},
        "amount": {"description": "The amount in digits, such as `100.50`."},
        "currency": {"description": "A code of ISO 4217."},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"type": {"description": "Anything but `payout.updated` is taken and does nothing."}},
    "if": {"required": ["type"], "properties": {"type": {"const": "payout.updated"}}},
    "then": {"required": ["data"], "properties": {"data": _PAYMENT}},
}


def hear(account: Account, webhook: Webhook) -> Message:
    """Raises UnsignedError, also while there is no secret, and UnreadableError."""
    message_id = verified_id(account.values.get("WEBHOOK_SECRET", ""), webhook.body, webhook.headers)
    return Message(message_id, read_news(webhook.body))


def verified_id(secrets: str, body: bytes, headers: Mapping[str, str]) -> str:
    """The message's id. Raises UnsignedError where none of the secrets signed it within the last 300 seconds."""
    message_id = headers.get("webhook-id", "")
    if len(message_id) > MESSAGE_ID_LIMIT or not is_storable(message_id):
        raise UnsignedError
    for secret in secrets.split(","):
        if _is_signed(secret.strip(), body, headers):
            return message_id
    raise UnsignedError


def _is_signed(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    if not secret.removeprefix("whsec_"):  # the library raises an error of its own
        return False
    try:
        standardwebhooks.Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (standardwebhooks.WebhookVerificationError, ValueError):
        return False
    return True


def read_news(body: bytes) -> News | None:
    """What a webhook says of an attempt; None when it is about something else. Raises UnreadableError."""
    try:
        message = strict_json.read(body)
    except JsonError as error:
        raise UnreadableError("The body is not a JSON object.") from error
    payment = message.get("data")
    if message.get("type") != "payout.updated":
        return None
    if not isinstance(payment, dict):
        raise UnreadableError("The webhook has no payment.")
    reference, status = payment.get("reference"), payment.get("status")
    verdict = STATUS_VERDICTS.get(status) if isinstance(status, str) else None
    if verdict is None or not isinstance(reference, str):
        raise UnreadableError("The webhook's payment has no reference or no known status.")
    try:
        key = UUID(reference)
    except ValueError:
        return None  # a payment that somebody else made with this provider
    currency, provider_id = payment.get("currency"), payment.get("id")
    return News(
        key,
        verdict,
        amount=exact_amount(payment.get("amount")),
        currency=currency if isinstance(currency, str) and CURRENCY.fullmatch(currency) else "",
        provider_id=clean(provider_id, ID_LIMIT) if isinstance(provider_id, str) else "",
    )
