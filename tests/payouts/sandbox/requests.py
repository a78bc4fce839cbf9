"""Requests to the sandbox by hand, and a receiver of its webhooks."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.payouts.providers.programs import TOKEN, SandboxProgram

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def order(**changes: Any) -> dict[str, Any]:
    """The body of a POST."""
    fields = {
        "reference": str(uuid4()),
        "payout": str(uuid4()),
        "amount": "100.50",
        "currency": "RUB",
        "recipient": {"card": "0000 1111 2222 3333"},
    }
    return fields | changes


def send(
    program: SandboxProgram,
    method: str,
    path: str,
    body: bytes | dict[str, Any] | None = None,
    **headers: str,
) -> tuple[int, Any]:
    """Make one request by hand; the key is the body's reference unless told."""
    if isinstance(body, dict):
        headers.setdefault("Idempotency_Key", str(body.get("reference")))
        body = json.dumps(body).encode()
    headers.setdefault("Authorization", f"Bearer {TOKEN}")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(urlsplit(program.url).netloc, timeout=20)) as connection:
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


class Receiver:
    """Takes webhooks, and answers each with the next of the statuses it was given, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.received: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()
        self.statuses = list(statuses)

    def next(self, seconds: float = 20.0) -> tuple[dict[str, str], bytes]:
        return self.received.get(timeout=seconds)


@contextmanager
def receiving(*statuses: int) -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.end_headers()
            receiver.received.put((dict(self.headers.items()), body))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver, f"http://127.0.0.1:{server.server_address[1]}/api/webhooks/provider/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
