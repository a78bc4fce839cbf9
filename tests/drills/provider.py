"""The drills' provider: speaks the provider protocol over HTTP, keeps a ledger in memory, and behaves as it is told.

    python -m tests.drills.provider

Prints its port, then obeys the lines of its standard input and answers each with a line:

    pay | pending | fail | hang     what becomes of calls from now on: paid, taken and not final, 503, never answered
    hold | let go                   paid, but answers wait until they are let go
    late | let go                   POSTs wait, and are paid when they are let go; look-ups find nothing meanwhile
    reject                          422 for each POST, and nothing paid
    refuse | listen                 no listener on the port, and one again
    delay MS                        before each answer
    tokens T1 T2                    401 for calls with other tokens; none lets every token in
    settle                          what is pending has succeeded
    ledger                          the payments and the calls, as JSON
"""

import asyncio
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Provider:
    def __init__(self) -> None:
        self.mode = "pay"
        self.delay_seconds = 0.0
        self.tokens: set[str] = set()
        self.payments: dict[str, dict[str, str]] = {}
        self.calls: Counter[str] = Counter()
        self.lines: set[Line] = set()
        self.held: list[Callable[[], None]] = []
        self.server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Line(self), "127.0.0.1", self.port, backlog=512)
        self.port = self.server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        assert self.server is not None
        self.server.close()
        for line in list(self.lines):
            line.transport.abort()

    async def obey(self, order: str) -> str:
        match order.split():
            case ["pay" | "pending" | "fail" | "hang" | "hold" | "late" | "reject" as mode]:
                self.mode = mode
            case ["let", "go"]:
                self.mode = "pay"
                while self.held:
                    self.held.pop()()
            case ["refuse"]:
                await self.refuse()
            case ["listen"]:
                await self.listen()
            case ["tokens", *tokens]:
                self.tokens = set(tokens)
            case ["delay", milliseconds]:
                self.delay_seconds = float(milliseconds) / 1000
            case ["settle"]:
                self.mode = "pay"
                for payment in self.payments.values():
                    payment["status"] = "succeeded"
            case ["ledger"]:
                return json.dumps({"payments": list(self.payments.values()), "calls": self.calls})
            case _:
                raise ValueError(order)
        return "done"

    def answer(self, method: str, target: str, token: str, body: bytes) -> tuple[int, object] | None:
        """Status and content; None for no answer at all."""
        if self.tokens and token not in self.tokens:
            return 401, {"code": "unauthorized"}
        if self.mode == "hang":
            return None
        if self.mode == "fail":
            return 503, {"code": "unavailable"}
        if method == "GET":
            wanted = parse_qs(urlsplit(target).query)["reference"]
            return 200, {"data": [self.payments[each] for each in wanted if each in self.payments]}
        if self.mode == "reject":
            return 422, {"code": "limit_exceeded", "message": "The account's limit for today is used up."}
        order = json.loads(body)
        reference = order["reference"]
        status = 200 if reference in self.payments else 201
        payment = self.payments.setdefault(
            reference,
            {name: order[name] for name in ("reference", "payout", "amount", "currency")}
            | {"id": f"drill_{reference}", "status": "pending" if self.mode == "pending" else "succeeded"},
        )
        return status, payment


class Line(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.provider.lines.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.provider.lines.discard(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        first, *headers = head.decode("latin-1").split("\r\n")
        lengths = [int(line[15:]) for line in headers if line.lower().startswith("content-length:")]
        length = lengths[0] if lengths else 0
        if not found or len(body) < length:
            return
        self.received = body[length:]
        method, target, _version = first.split(" ")
        tokens = [line[22:] for line in headers if line.lower().startswith("authorization: bearer ")]
        request = (method, target, (*tokens, "")[0], body[:length])
        self.provider.calls[method] += 1
        if self.provider.mode == "late" and method == "POST":
            self.provider.held.append(lambda: self.answer(*request))
        else:
            self.answer(*request)

    def answer(self, *request: Any) -> None:
        answer = self.provider.answer(*request)
        if answer is not None and self.provider.mode == "hold":
            self.provider.held.append(lambda: self.send(*answer))
        elif answer is not None:
            asyncio.get_running_loop().call_later(self.provider.delay_seconds, self.send, *answer)

    def send(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.transport.write(
            b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )


async def main() -> None:
    """Until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    provider = Provider()
    await provider.listen()
    print(provider.port, flush=True)

    def listen_to_orders() -> None:
        for order in sys.stdin:
            print(asyncio.run_coroutine_threadsafe(provider.obey(order), loop).result(), flush=True)

    threading.Thread(target=listen_to_orders, daemon=True).start()
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
