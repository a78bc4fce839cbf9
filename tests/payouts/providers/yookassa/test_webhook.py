"""A webhook is heard from YooKassa's networks only, and says no more than what to ask about."""

import json
from decimal import Decimal
from typing import Any

import pytest

from payouts.providers import Account, Message, News, UnreadableError, UnsignedError, Verdict, Webhook
from payouts.providers.yookassa.webhook import hear
from tests.payouts.providers.yookassa.objects import ID, by_sbp, canceled, notification, payout

ATTEMPT = by_sbp()
SUCCEEDED = notification("payout.succeeded", payout(ATTEMPT))
PUBLISHED = "185.71.76.1"


def heard(body: bytes = SUCCEEDED, address: str | None = PUBLISHED, networks: str = "") -> Message:
    account = Account("main", "yookassa", {"WEBHOOK_NETWORKS": networks})
    return hear(account, Webhook(body, {}, address))


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (SUCCEEDED, Verdict.SUCCEEDED),
        (notification("payout.canceled", canceled(ATTEMPT, "general_decline")), Verdict.REFUSED),
    ],
)
def test_it_tells_what_became_of_which_attempt(body: bytes, reported: Verdict) -> None:
    assert heard(body).news == News(ATTEMPT.reference, reported, Decimal("100.50"), "RUB", ID)


@pytest.mark.parametrize(
    "address",
    [
        "185.71.76.0",
        "185.71.76.31",
        "185.71.77.31",
        "77.75.153.127",
        "77.75.154.128",
        "77.75.154.255",
        "77.75.156.11",
        "77.75.156.35",
        "2a02:5180:0:1509::1",
        "2a02:5180:0:1533::1",
        "2a02:5180:0:2655::1",
        "2a02:5180:0:2669:ffff:ffff:ffff:ffff",
        "::ffff:185.71.76.1",
    ],
)
def test_the_published_networks_are_heard(address: str) -> None:
    assert heard(address=address).news is not None


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "unknown",
        "185.71.76.32",
        "77.75.153.128",
        "77.75.154.127",
        "77.75.156.12",
        "2a02:5180:0:1510::1",
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "185.71.76.1, 127.0.0.1",
        "185.71.76.1:443",
    ],
)
def test_nobody_else_is_heard(address: str | None) -> None:
    with pytest.raises(UnsignedError):
        heard(address=address)
    with pytest.raises(UnsignedError):
        heard(b"{", address=address)


def test_a_setting_replaces_the_networks() -> None:
    ours = "127.0.0.1, 10.0.0.0/8"

    assert heard(address="127.0.0.1", networks=ours).news
    assert heard(address="10.1.2.3", networks=ours).news
    with pytest.raises(UnsignedError):
        heard(address=PUBLISHED, networks=ours)


def test_the_same_message_again_has_the_same_id_and_another_has_another() -> None:
    another = notification("payout.succeeded", payout(by_sbp()))

    assert heard().id == heard().id
    assert heard(another).id != heard().id


@pytest.mark.parametrize("metadata", [{}, {"order_id": "37"}, {"attempt": "37"}])
def test_a_payout_made_without_us_is_no_news(metadata: dict[str, str]) -> None:
    assert heard(notification("payout.succeeded", payout(ATTEMPT, metadata=metadata))).news is None


def test_another_event_is_no_news() -> None:
    assert heard(b'{"type": "notification", "event": "payment.succeeded", "object": {"id": 1}}').news is None


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "error"},
        {"event": None},
        {"event": ["payout.succeeded"]},
        {"event": "payout.canceled"},
        {"object": None},
        {"object": {}},
        {"object": payout(ATTEMPT, "pending")},
        {"object": canceled(ATTEMPT, "general_decline")},
    ],
    ids=["type", "no event", "events", "another event", "no object", "empty", "pending", "canceled"],
)
def test_what_is_no_notification_is_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        heard(json.dumps(json.loads(SUCCEEDED) | changes).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"type": "notification", "type": "notification"}', b"\xff"])
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        heard(body)
