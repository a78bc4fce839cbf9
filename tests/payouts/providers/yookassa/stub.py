"""The payouts' part of YooKassa's API, in memory: what the contract tests and the client's tests call.

It knows the sandbox's magic amounts. Each request and each answer is held to `schemas.json`; what does not fit is
kept in `faults`, and fails the test when the stub ends.
"""

import json
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from jsonschema import ValidationError

from payouts.sandbox.ledger import Magic
from payouts.sandbox.server import RATE_LIMITED_TIMES
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET, documented, error, listed

_AUTHORIZATION: Final = f"Basic {b64encode(f'{GATEWAY_ID}:{SECRET}'.encode()).decode()}"
_PENDING: Final = (Magic.PENDING_THEN_SETTLED, Magic.PENDING_THEN_REJECTED, Magic.PENDING_FOR_EVER)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def order(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Stub:
    url: str = ""
    is_test: bool = False
    hides: bool = False
    """Whether the search finds nothing, because it runs behind."""
    requests: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _orders: dict[str, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    _posts: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> "Reply":
        with self._lock:
            self.requests.append(request)
            if request.headers.get("authorization") != _AUTHORIZATION:
                return Reply(401, error("invalid_credentials", description="Wrong key."))
            target = urlsplit(request.target)
            if request.method == "POST":
                return self._pay(request)
            if target.path == "/v3/payouts/search":
                [(name, value)] = [pair for pair in parse_qsl(target.query) if pair[0] != "limit"]
                found = [each for each in self._payouts() if name == "metadata[attempt]" and _key(each) == value]
                return Reply(200, listed(*([] if self.hides else found)))
            found = [each for each in self._payouts() if target.path == f"/v3/payouts/{each['id']}"]
            return Reply(200, found[0]) if found else Reply(404, error("not_found"))

    def _payouts(self) -> list[dict[str, Any]]:
        return [made for _order, made in self._orders.values()]

    def _pay(self, request: Request) -> "Reply":
        order, key = documented("request", request.order), request.headers["idempotence-key"]
        amount = Decimal(order["amount"]["value"])
        magic = next((each for each in Magic if each.value == amount), None)
        number, self._posts[key] = self._posts[key], self._posts[key] + 1
        if key in self._orders and self._orders[key][0] != request.body:
            return Reply(400, error("invalid_request", parameter="Idempotence-Key", description="Key duplicated."))
        if magic is Magic.REFUSED:
            return Reply(400, error("invalid_request", parameter="payout_destination_data", description="Not valid."))
        if magic is Magic.ERROR_BEFORE_PAYING and number == 0:
            return Reply(500, error("internal_server_error"))
        if magic is Magic.RATE_LIMITED and number < RATE_LIMITED_TIMES:
            return Reply(429, error("too_many_requests", retry_after=800))
        _order, made = self._orders.setdefault(key, (request.body, self._made(order, magic)))
        after = {
            Magic.SILENT_AFTER_PAYING: Reply(200, made, is_silent=True),
            Magic.ERROR_AFTER_PAYING: Reply(500, error("internal_server_error")),
            Magic.GARBAGE_AFTER_PAYING: Reply(200, "<html>"),
            Magic.RESET_AFTER_PAYING: Reply(200, made, is_dropped=True),
        }
        return after[magic] if magic in after and number == 0 else Reply(200, made)

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
        if magic is Magic.REJECTED:
            details = {"party": "payout_network", "reason": "recipient_not_found"}
            made |= {"status": "canceled", "cancellation_details": details}
        elif magic in _PENDING:
            made["status"] = "pending"
        else:
            made["succeeded_at"] = "2026-01-14T12:00:02.312Z"
        return documented("payout", made)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content: object
    is_silent: bool = False
    is_dropped: bool = False


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

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                reply = stub.answer(Request(self.command, self.path, headers, content))
            except (ValidationError, ValueError, LookupError) as fault:
                stub.faults.append(repr(fault))
                reply = Reply(500, error("internal_server_error"))
            if reply.is_silent:
                stub.over.wait(60)
            if reply.is_silent or reply.is_dropped:
                self.close_connection = True
                return
            sent = json.dumps(reply.content).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/v3"
    try:
        yield stub
    finally:
        stub.over.set()
        server.shutdown()
        thread.join(20)
        server.server_close()
    assert stub.faults == []
