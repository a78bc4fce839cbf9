"""PayPal's webhooks: PayPal itself is asked whether it sent them, and what they tell.

https://developer.paypal.com/api/rest/webhooks/rest/. A webhook only makes us ask.
"""

import re
import time
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from payouts import strict_json
from payouts.database.storable import is_storable
from payouts.providers import MESSAGE_ID_LIMIT, Account, Message, News, UnreadableError, UnsignedError, Webhook
from payouts.providers.paypal.api import App
from payouts.providers.paypal.shapes import ITEM_VERDICTS, Event, Item, Verification
from payouts.providers.shapes import read, shaped
from payouts.providers.wire import Reply
from payouts.strict_json import JsonError

VERIFY: Final = "/v1/notifications/verify-webhook-signature"
# PayPal waits 30 seconds for our answer, and we hold a web thread for it.
VERIFY_SECONDS: Final = 5.0
ITEM_EVENTS: Final = "PAYMENT.PAYOUTS-ITEM."
# What is asked about, and the headers that it comes with.
_SIGNED: Final = {
    "auth_algo": ("paypal-auth-algo", re.compile(r"[0-9A-Za-z]{1,100}")),
    "cert_url": ("paypal-cert-url", re.compile(r"https?://[\x21-\x7e]{1,490}")),
    "transmission_id": ("paypal-transmission-id", re.compile(r"[\x21-\x7e]{1,50}")),
    "transmission_sig": ("paypal-transmission-sig", re.compile(r"[\x21-\x7e]{1,500}")),
    "transmission_time": ("paypal-transmission-time", re.compile(r"[\x21-\x7e]{1,100}")),
}
_WEBHOOK_ID: Final = re.compile(r"[0-9A-Za-z]{1,50}")


def hear(account: Account, webhook: Webhook) -> Message:
    """What it tells of a payout of ours.

    Raises UnsignedError where PayPal does not say that it sent it, for want of an answer too: it comes again then.
    Raises UnreadableError.
    """
    webhook_id = checked_webhook_id(account)
    signed = _signed(webhook.headers)
    if not webhook_id or signed is None or not _is_object(webhook.body):
        raise UnsignedError
    if not _is_theirs(account, {**signed, "webhook_id": webhook_id}, webhook.body):
        raise UnsignedError
    event = read(webhook.body, Event)
    if event is None or len(event.id) > MESSAGE_ID_LIMIT or not is_storable(event.id):
        raise UnreadableError("The body is not an event.")
    return Message(event.id, _news(event) if event.event_type.startswith(ITEM_EVENTS) else None)


def checked_webhook_id(account: Account) -> str:
    """Raises ValueError for one that cannot be; empty where none is given."""
    webhook_id = account.values.get("WEBHOOK_ID", "")
    if webhook_id and not _WEBHOOK_ID.fullmatch(webhook_id):
        raise ValueError("WEBHOOK_ID must be the ID of a webhook of the PayPal app.")
    return webhook_id


def _news(event: Event) -> News | None:
    item = shaped(event.resource, Item)
    if item is None:
        raise UnreadableError("The event has no payout item.")
    if item.transaction_status is None:
        raise UnreadableError("The event's payout item has no status.")
    try:
        reference = UUID(item.sender_batch_id or item.payout_item.sender_item_id)
    except ValueError:
        return None  # made without us
    return News(
        reference,
        ITEM_VERDICTS[item.transaction_status],
        amount=item.payout_item.amount.exact,
        currency=item.payout_item.amount.currency,
        provider_id=item.payout_batch_id,
    )


def _signed(headers: Mapping[str, str]) -> dict[str, str] | None:
    """What is asked about; None where a part is missing or of another form, and nobody needs to be asked."""
    given = {name.lower(): value for name, value in headers.items()}
    signed = {name: given.get(header, "") for name, (header, _form) in _SIGNED.items()}
    return signed if all(_SIGNED[name][1].fullmatch(value) for name, value in signed.items()) else None


def _is_object(body: bytes) -> bool:
    try:
        strict_json.read(body)
    except JsonError:
        return False
    return True


def _is_theirs(account: Account, signed: Mapping[str, str], body: bytes) -> bool:
    """Whether PayPal says so within VERIFY_SECONDS. The event goes back byte for byte: the signature is over it."""
    asked = msgspec.json.encode(signed)[:-1] + b',"webhook_event":' + body.strip() + b"}"
    try:
        api = App.of(account).api
    except ValueError:
        return False
    reply = api.post(VERIFY, asked, request_id="", deadline=time.monotonic() + VERIFY_SECONDS)
    if not isinstance(reply, Reply) or reply.status != 200 or reply.encoded:
        return False
    verification = read(reply.body, Verification)
    return verification is not None and verification.verification_status == "SUCCESS"
