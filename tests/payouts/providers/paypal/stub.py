"""PayPal in memory, for what the sandbox cannot do: it keeps the requests as they came, and takes tokens back.

It knows three of the sandbox's magic amounts. Each request and each answer is held to the schema; what does not fit
is kept in `faults`, and fails the test when the stub ends.
"""

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from payouts.sandbox.ledger import Magic, magic_of
from tests.payouts.providers.http.faults import Behaviour, Peer, response
from tests.payouts.providers.paypal.objects import duplicate, problem, reason
from tests.payouts.providers.served import Reply, Request, served
from tests.payouts.sandbox.paypal import CLIENT_ID, PAYOUTS, SECRET, hold

_BASIC: Final = f"Basic {b64encode(f'{CLIENT_ID}:{SECRET}'.encode()).decode()}"
GRANT: Final = "/v1/oauth2/token"
VERIFY: Final = "/v1/notifications/verify-webhook-signature"


TOKEN: Final = "A21AAFs9kqZ0"
_GRANTED: Final = response(
    f'{{"access_token": "{TOKEN}", "token_type": "Bearer", "expires_in": 32400}}'.encode(), 200
)


def granting(said: bytes) -> Behaviour:
    """Give a token to whoever asks for one, and say the same to everything else."""

    def behave(peer: Peer) -> None:
        while request := peer.request():
            peer.send(_GRANTED if b" /v1/oauth2/token " in request else said)

    return behave


@dataclass(slots=True)
class Stub:
    url: str = ""
    token_life_seconds: int = 32400
    grants_status: int = 200
    verification: str = "SUCCESS"
    meets: Magic | None = None
    """What every order meets; None: what its amount says."""
    links_duplicates: bool = True
    """Whether it says where a payment is whose key was used."""
    requests: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    """Those that it gave, the last of which it takes."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was made, by `sender_batch_id`."""

    @property
    def calls(self) -> list[str]:
        """What was asked, in order."""
        return [f"{request.method} {request.target}" for request in self.requests]

    @property
    def made(self) -> int:
        """How many payouts it has."""
        return len(self._batches)

    def revoke(self) -> None:
        """Take no token that was given."""
        self.tokens.append("revoked")

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            if request.target == GRANT:
                return self._grant(request)
            if not self.tokens or request.headers.get("authorization") != f"Bearer {self.tokens[-1]}":
                return Reply(401, {"error": "invalid_token", "error_description": "The token has ended"})
            if request.target == VERIFY:
                hold("verify", request.content)
                return Reply(200, hold("verification", {"verification_status": self.verification}))
            if request.method == "POST":
                return self._pay(request)
            name = urlsplit(request.target).path.rpartition("/")[2]
            named = [each for each in self._batches.values() if each["batch_header"]["payout_batch_id"] == name]
            return Reply(200, hold("batch", named[0])) if named else Reply(404, problem("INVALID_RESOURCE_ID"))

    def _grant(self, request: Request) -> Reply:
        if request.headers.get("authorization") != _BASIC or self.grants_status != 200:
            status = 401 if self.grants_status == 200 else self.grants_status
            return Reply(status, {"error": "invalid_client", "error_description": "Client Authentication failed"})
        self.tokens.append(f"A21AA.token-{len(self.tokens)}")
        granted = {
            "access_token": self.tokens[-1],
            "token_type": "Bearer",
            "expires_in": self.token_life_seconds,
        }
        return Reply(200, hold("access", granted))

    def _pay(self, request: Request) -> Reply:
        order = hold("request", request.content)
        (item,), key = order["items"], order["sender_batch_header"]["sender_batch_id"]
        magic = self.meets or magic_of(item["amount"]["value"])
        if key in self._batches:
            made = self._batches[key]["batch_header"]["payout_batch_id"]
            place = f"https://api-m.paypal.com{PAYOUTS}/{made}"
            return Reply(400, duplicate(*([place] if self.links_duplicates else [])))
        if magic is Magic.REFUSED:
            return Reply(400, problem("VALIDATION_ERROR", {"field": "items[0].receiver", "issue": "Not valid"}))
        batch_id = f"BATCH{len(self._batches)}"
        shown: dict[str, Any] = {
            "payout_item_id": f"ITEM{len(self._batches)}",
            "transaction_status": "SUCCESS",
            "payout_item_fee": {"currency": item["amount"]["currency"], "value": "2.01"},
            "payout_batch_id": batch_id,
            "payout_item": item,
        }
        if magic is Magic.REJECTED:
            shown |= {"transaction_status": "FAILED", "errors": reason("RECEIVER_ACCOUNT_LOCKED")}
        header = {
            "payout_batch_id": batch_id,
            "batch_status": "SUCCESS",
            "sender_batch_header": order["sender_batch_header"],
        }
        self._batches[key] = {"batch_header": header, "items": [shown]}
        made = hold("made", {"batch_header": header | {"batch_status": "PENDING"}})
        return Reply(201, made, is_dropped=magic is Magic.RESET_AFTER_PAYING)


@contextmanager
def running() -> Iterator[Stub]:
    """A stub on a port of 127.0.0.1. What was not documented fails at the end."""
    stub = Stub()
    with served(stub, fault=problem("INTERNAL_ERROR")):
        yield stub
