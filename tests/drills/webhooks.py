"""Webhooks twice, late, out of order, replayed, forged and all at once, for payouts that the provider has pending."""

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from tests.bench.stand import Stand
from tests.drills.calls import Caller
from tests.drills.ground import Drill, Result, ground, until

MOST = 100  # forged ones: past 120 a minute from one address they are throttled
AT_ONCE = 8
TOO_OLD = timedelta(minutes=10)


@dataclass(frozen=True)
class Message:
    name: str
    body: bytes
    signature: str
    sent_at: datetime

    def send(self, port: int) -> int:
        return Caller(port)(
            "POST",
            "/api/webhooks/provider/",
            self.body,
            Content_Type="application/json",
            webhook_id=self.name,
            webhook_timestamp=str(int(self.sent_at.timestamp())),
            webhook_signature=self.signature,
        ).status


def webhooks(stand: Stand, payouts: int) -> Result:
    with ground(stand, "webhooks") as here:
        provider, hands = here.start_provider(), here.start_hands()
        _web, port = here.start_web()
        provider.tell("pending")
        here.start_cluster(provider)
        hands.do("submit", payouts)
        until(lambda: here.count("payouts_event", "event = 'accepted'") == payouts, "all are pending there")
        payments = provider.payments
        secret = here.settings["PROVIDER_WEBHOOK_SECRET"]
        forged = _sent([_forged(secret, payment, place) for place, payment in enumerate(payments)], port)
        heard = here.count("payouts_webhookmessage")
        provider.tell("settle")
        genuine = [message for payment in payments for message in _genuine(secret, payment)]
        random.shuffle(genuine)
        began_at = time.monotonic()
        answers = _sent(genuine, port)
        here.await_processed(payouts)
        seconds = time.monotonic() - began_at
        answers += _sent(genuine, port)  # replayed, when all is over
        here.await_rest()
        moves = Counter(here.query("SELECT payout_id FROM payouts_event WHERE to_status = 'processed'"))
        once = sum(count == 1 for count in moves.values())
        result = Result(
            f"{len(genuine)} for {payouts} pending payouts, shuffled, {AT_ONCE} at once, then all replayed: "
            f"{once} paid by 1 transition each, within {seconds:.1f} s; "
            f"{forged[401]} of {payouts} forged ones answered with 401"
        )
        result.expect(forged == {401: payouts}, f"forged ones were answered with {dict(forged)}")
        result.expect(not heard, f"{heard} forged ones were heard")
        result.expect(answers == {204: 2 * len(genuine)}, f"genuine ones were answered with {dict(answers)}")
        result.expect(once == len(moves) == payouts, f"{once} of {len(moves)} payouts moved once")
        return here.judge(result, provider)


def _sent(messages: list[Message], port: int) -> Counter[int]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return Counter(threads.map(lambda message: message.send(port), messages))


def _genuine(secret: str, payment: dict[str, str]) -> list[Message]:
    """That it is pending, which is old by now, and that it has succeeded, thrice: twice with the same id."""
    old = signed(secret, f"{payment['id']}-1", payment | {"status": "pending"})
    new = signed(secret, f"{payment['id']}-2", payment | {"status": "succeeded"})
    again = signed(secret, f"{payment['id']}-3", payment | {"status": "succeeded"})
    return [old, new, new, again]


def _forged(secret: str, payment: dict[str, Any], place: int) -> Message:
    """Signed with another secret, signed for another body, or signed long ago."""
    name = f"{payment['id']}-forged"
    match place % 3:
        case 0:
            return signed("whsec_" + "A" * 44, name, payment | {"status": "succeeded"})
        case 1:
            true = signed(secret, name, payment)
            return Message(name, true.body.replace(b"pending", b"rejected"), true.signature, true.sent_at)
        case _:
            return signed(secret, name, payment | {"status": "rejected"}, at=datetime.now(UTC) - TOO_OLD)


def signed(secret: str, name: str, payment: dict[str, Any], at: datetime | None = None) -> Message:
    """What the provider tells of a payment, signed with the secret."""
    at = at or datetime.now(UTC)
    body = json.dumps({"type": "payout.updated", "data": payment})
    return Message(name, body.encode(), Webhook(secret).sign(name, at, body), at)


WEBHOOKS = Drill(webhooks, full=MOST, small=12)
