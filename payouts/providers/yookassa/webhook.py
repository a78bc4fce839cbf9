"""YooKassa's webhooks: known by the network that they come from, for they carry no signature; and what they tell.

https://yookassa.ru/developers/using-api/webhooks. Whoever has an account with YooKassa can have it send us theirs, so
a webhook only makes us ask.
"""

import hashlib
from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from uuid import UUID

from payouts import strict_json
from payouts.providers import Account, Message, News, UnreadableError, UnsignedError, Verdict, Webhook
from payouts.providers.shapes import shaped
from payouts.providers.yookassa.shapes import Payout
from payouts.strict_json import JsonError

PUBLISHED_NETWORKS: Final = (
    "185.71.76.0/27, 185.71.77.0/27, 77.75.153.0/25, 77.75.154.128/25, 77.75.156.11, 77.75.156.35, "
    "2a02:5180:0:1509::/64, 2a02:5180:0:1533::/64, 2a02:5180:0:2655::/64, 2a02:5180:0:2669::/64"
)
EVENTS: Final = {"payout.succeeded": Verdict.SUCCEEDED, "payout.canceled": Verdict.REFUSED}


def hear(account: Account, webhook: Webhook) -> Message:
    """What it tells of a payout of ours; its id is a hash of the body, for YooKassa gives none.

    Raises UnsignedError for another sender's address and UnreadableError.
    """
    if not _is_from(webhook.address, networks(account.values.get("WEBHOOK_NETWORKS", ""))):
        raise UnsignedError
    try:
        told = strict_json.read(webhook.body)
    except JsonError as error:
        raise UnreadableError("The body is not a JSON object.") from error
    event = told.get("event")
    if told.get("type") != "notification" or not isinstance(event, str):
        raise UnreadableError("The body is not a notification.")
    news = _news(told.get("object"), EVENTS[event]) if event in EVENTS else None
    return Message(hashlib.sha256(webhook.body).hexdigest(), news)


def _news(content: object, reported: Verdict) -> News | None:
    payout = shaped(content, Payout)
    if payout is None or payout.verdict is not reported:
        raise UnreadableError("The notification has no payout of the status that it is about.")
    try:
        reference = UUID(payout.attempt)
    except ValueError:
        return None  # made without us
    return News(
        reference,
        reported,
        amount=payout.amount.exact,
        currency=payout.amount.currency,
        provider_id=payout.id,
    )


@cache
def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Those of a comma-separated list, and the published ones of an empty one. Raises ValueError."""
    try:
        return tuple(ip_network(each.strip()) for each in (text.strip() or PUBLISHED_NETWORKS).split(","))
    except ValueError:
        raise ValueError("WEBHOOK_NETWORKS must be networks such as 185.71.76.0/27, comma-separated.") from None


def _is_from(address: str | None, allowed: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        caller = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    return any(caller in network for network in allowed)
