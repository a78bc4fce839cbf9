"""The bench's provider: speaks the provider protocol over HTTP, pays everything after a delay, costs little CPU.

    python -m tests.bench.provider --delay-ms 50

Prints its port. `GET /ledger` tells how many payments it made, of how many POSTs.
"""

import argparse
import asyncio
import json
import signal
from urllib.parse import parse_qs, urlsplit

Ledger = dict[str, dict[str, str]]


class Line(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    posts = 0

    def __init__(self, ledger: Ledger, delay_seconds: float) -> None:
        self.ledger = ledger
        self.delay_seconds = delay_seconds
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(body) < length:
            return
        self.received = body[length:]
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "POST":
            self.pay(json.loads(body[:length]))
        else:
            self.show(target)

    def pay(self, order: dict[str, str]) -> None:
        Line.posts += 1
        reference = order["reference"]
        status = 200 if reference in self.ledger else 201
        payment = self.ledger.setdefault(
            reference,
            {
                "id": f"bench_{reference}",
                "reference": reference,
                "amount": order["amount"],
                "currency": order["currency"],
                "status": "succeeded",
            },
        )
        if self.delay_seconds:
            asyncio.get_running_loop().call_later(self.delay_seconds, self.answer, status, payment)
        else:
            self.answer(status, payment)

    def show(self, target: str) -> None:
        url = urlsplit(target)
        if url.path == "/ledger":
            self.answer(200, {"payments": len(self.ledger), "posts": Line.posts})
            return
        found = [self.ledger[each] for each in parse_qs(url.query)["reference"] if each in self.ledger]
        self.answer(200, {"data": found})

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.transport.write(
            b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )


async def serve(delay_seconds: float) -> None:
    """Until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    ledger: Ledger = {}
    server = await loop.create_server(lambda: Line(ledger, delay_seconds), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay-ms", type=float, default=0)
    asyncio.run(serve(parser.parse_args().delay_ms / 1000))
