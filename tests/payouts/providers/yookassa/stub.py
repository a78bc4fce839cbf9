"""YooKassa in memory, for what the sandbox cannot do: it keeps the requests as they came, is live, and hides payouts.

It knows three of the sandbox's magic amounts. Each request and each answer is held to the schema; what does not fit
is kept in `faults`, and fails the test when the stub ends.
"""

import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from payouts.sandbox.ledger import Magic
from tests.payouts.providers.served import Reply, Request, served
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET, error, listed, me
from tests.payouts.sandbox.yookassa import hold

_AUTHORIZATION: Final = f"Basic {b64encode(f'{GATEWAY_ID}:{SECRET}'.encode()).decode()}"


@dataclass(slots=True)
class Stub:
    url: str = ""
    is_test: bool = False
    hides: bool = False
    """Whether the search finds nothing, because it runs behind."""
    lacks_funds: bool = False
    """Whether it cancels every payout for want of money in the gateway."""
    balance: str | None = None
    """What `GET /me` tells; None: an error."""
    keeps_names: int = 200
    """The status of its answer to a name."""
    name_status: str = "waiting_for_operation"
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What it answers, by path."""
    requests: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was made, by idempotency key."""
    _names: dict[str, dict[str, Any]] = field(default_factory=dict)
    _posts: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            if request.headers.get("authorization") != _AUTHORIZATION:
                return Reply(401, error("invalid_credentials"))
            target = urlsplit(request.target)
            if request.method == "POST":
                return self._keep_name(request) if target.path == "/v3/personal_data" else self._pay(request)
            if target.path in self.lists:
                return Reply(200, self.lists[target.path])
            if target.path == "/v3/me":
                return Reply(500, error("internal_server_error")) if self.balance is None else Reply(200, self._me())
            if target.path == "/v3/payouts/search":
                [(name, value)] = [pair for pair in parse_qsl(target.query) if pair[0] != "limit"]
                found = [
                    each for each in self._orders.values() if name == "metadata[attempt]" and _key(each) == value
                ]
                return Reply(200, listed(*([] if self.hides else found)))
            found = [each for each in self._orders.values() if target.path == f"/v3/payouts/{each['id']}"]
            return Reply(200, found[0]) if found else Reply(404, error("not_found"))

    def _me(self) -> dict[str, Any]:
        documented: dict[str, Any] = hold("me", me(self.balance or "", test=self.is_test))
        return documented

    def _keep_name(self, request: Request) -> Reply:
        hold("name request", request.content)
        if self.keeps_names != 200:
            code = {400: "invalid_request", 403: "forbidden"}.get(self.keeps_names, "internal_server_error")
            return Reply(self.keeps_names, error(code, description=request.content["last_name"]))
        key = request.headers["idempotence-key"]
        kept = self._names.setdefault(
            key,
            {
                "id": f"pd-{uuid4()}",
                "type": "sbp_payout_recipient",
                "status": self.name_status,
                "created_at": "2026-01-14T12:00:00.123Z",
            },
        )
        return Reply(200, hold("personal_data", kept))

    def _pay(self, request: Request) -> Reply:
        order, key = hold("request", request.content), request.headers["idempotence-key"]
        amount = Decimal(order["amount"]["value"])
        magic = next((each for each in Magic if each.value == amount), None)
        number, self._posts[key] = self._posts[key], self._posts[key] + 1
        if magic is Magic.ERROR_BEFORE_PAYING and number == 0:
            return Reply(500, error("internal_server_error"))
        made = self._orders.setdefault(key, self._made(order, magic))
        return Reply(200, made, is_dropped=magic is Magic.RESET_AFTER_PAYING and number == 0)

    def _made(self, order: dict[str, Any], magic: Magic | None) -> dict[str, Any]:
        made = {
            "id": f"po-{uuid4()}",
            "amount": order["amount"],
            "status": "succeeded",
            "payout_destination": _destination(order),
            "description": order["description"],
            "created_at": "2026-01-14T12:00:00.123Z",
            "metadata": order["metadata"],
            "test": self.is_test,
        }
        if self.lacks_funds:
            details = {"party": "yoo_money", "reason": "insufficient_funds"}
            made |= {"status": "canceled", "cancellation_details": details}
        elif magic is Magic.REJECTED:
            details = {"party": "payout_network", "reason": "recipient_not_found"}
            made |= {"status": "canceled", "cancellation_details": details}
        else:
            made["succeeded_at"] = "2026-01-14T12:00:02.312Z"
        documented: dict[str, Any] = hold("payout", made)
        return documented


def _key(made: dict[str, Any]) -> str:
    key: str = made["metadata"]["attempt"]
    return key


def _destination(order: dict[str, Any]) -> dict[str, Any]:
    match order.get("payout_destination_data"):
        case {"type": "sbp", "phone": phone, "bank_id": bank_id}:
            return {"type": "sbp", "phone": phone, "bank_id": bank_id, "recipient_checked": False}
        case {"type": "yoo_money", "account_number": number}:
            return {"type": "yoo_money", "account_number": number}
        case {"type": "bank_card", "card": {"number": number}}:
            return {
                "type": "bank_card",
                "card": {"first6": number[:6], "last4": number[-4:], "card_type": "Unknown"},
            }
        case _:  # a token
            return {"type": "bank_card", "card": {"first6": "555555", "last4": "4477", "card_type": "MasterCard"}}


@contextmanager
def running() -> Iterator[Stub]:
    """A stub on a port of 127.0.0.1. What was not documented fails at the end."""
    stub = Stub()
    with served(stub, fault=error("internal_server_error"), path="/v3"):
        yield stub
