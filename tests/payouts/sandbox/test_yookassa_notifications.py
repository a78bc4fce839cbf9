"""Notifications: of every end of a payout, unsigned, and again until the answer is 200."""

import json
from decimal import Decimal
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import UUID

import pytest

from payouts.providers import Account, News, Verdict, Webhook
from payouts.providers.yookassa.webhook import hear
from tests.payouts.sandbox.requests import receiving
from tests.payouts.sandbox.yookassa import ask, gateway, hold, of_amount, order, pay, to_wallet


def _told(received: tuple[dict[str, str], bytes]) -> dict[str, Any]:
    told: dict[str, Any] = hold("notification", json.loads(received[1]))
    return told


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (order(), "payout.succeeded"),
        (to_wallet("410011806060766"), "payout.canceled"),
        (of_amount("1313.04"), "payout.succeeded"),
        (of_amount("1313.05"), "payout.canceled"),
    ],
    ids=["paid", "canceled", "pending, then paid", "pending, then canceled"],
)
def test_the_end_of_a_payout_is_told_once_and_is_what_the_payout_says(
    tmp_path: Path, body: dict[str, Any], event: str
) -> None:
    with receiving(200, 200) as (receiver, url), gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url) as program:
        _, made = pay(program, body)
        received = receiver.next()
        _, payout = ask(program, "GET", f"/v3/payouts/{made['id']}")
        with pytest.raises(Empty):
            receiver.next(0.5)

    told = _told(received)
    assert (told["event"], told["object"]) == (event, payout)
    assert not [name for name in received[0] if "signature" in name.lower()]


def test_a_payout_that_came_back_is_canceled_by_the_network(tmp_path: Path) -> None:
    with receiving(200) as (receiver, url), gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url) as program:
        pay(program, of_amount("1313.05"))
        told = _told(receiver.next())

    assert told["object"]["cancellation_details"] == {"party": "payout_network", "reason": "rejected_by_payee"}


def test_a_notification_is_sent_again_until_it_is_answered_with_200(tmp_path: Path) -> None:
    with receiving(204, 200) as (receiver, url):
        with gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url) as program:
            pay(program, order())
            first, second = receiver.next(), receiver.next()
            program.wait_for_log("outcome=200")
        with gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url), pytest.raises(Empty):
            receiver.next(0.5)

    assert _told(first) == _told(second)


def test_what_is_pending_is_not_told_and_nobody_is_told_without_an_address(tmp_path: Path) -> None:
    with receiving(200) as (receiver, url), gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url) as program:
        pay(program, of_amount("1313.12"))
        with pytest.raises(Empty):
            receiver.next(0.5)
    with gateway(tmp_path) as program:
        _, made = pay(program, of_amount("1313.04"))
        program.stop()

    assert made["status"] == "pending"
    assert "webhook" not in program.log.read_text()


def test_our_adapter_hears_what_is_told(tmp_path: Path) -> None:
    body = order()
    with receiving(200) as (receiver, url), gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url) as program:
        _, made = pay(program, body)
        _, told = receiver.next()

    message = hear(Account("main", "yookassa", {}), Webhook(told, {}, "185.71.76.1"))

    attempt = UUID(body["metadata"]["attempt"])
    assert message.news == News(attempt, Verdict.SUCCEEDED, Decimal("100.50"), "RUB", made["id"])
