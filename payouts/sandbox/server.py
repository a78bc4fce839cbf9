"""The sandbox's server: connections, and the dialect that answers each request."""

import asyncio
import re
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from payouts.sandbox import page
from payouts.sandbox.dialect import Dialect
from payouts.sandbox.dialects import Make
from payouts.sandbox.exchange import Reply, Request, content_length, encoded, read_head
from payouts.sandbox.ledger import Ledger
from payouts.sandbox.protocol import Protocol, problem, read_order
from payouts.sandbox.settling import Settling
from payouts.sandbox.till import RATE_LIMITED_TIMES, Till

__all__ = ["HEADERS_LIMIT", "RATE_LIMITED_TIMES", "Sandbox", "read_order"]

HEADERS_LIMIT: Final = 16 * 1024
BODY_LIMIT: Final = 128 * 1024
SILENCE_SECONDS: Final = 3600.0
IDLE_SECONDS: Final = 120.0
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Sandbox:
    """The HTTP server over a ledger, and the sender of its webhooks. Runs on one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        token: str,
        delay_seconds: float = 0.0,
        webhook_url: str = "",
        webhook_secret: str = "",
        others: Iterable[Make] = (),
        log: Callable[[str], None] = print,
    ) -> None:
        self._ledger = ledger
        self._log = log
        dialects: dict[str, Dialect] = {}
        self._settling = Settling(ledger, dialects, log)
        till = Till(ledger, self._settling, delay_seconds=delay_seconds)
        protocol = Protocol(ledger, till, token=token, webhook_url=webhook_url, webhook_secret=webhook_secret)
        for dialect in (protocol, *(make(ledger, till) for make in others)):
            dialects[dialect.name] = dialect
        self._dialects = tuple(dialects.values())

    def resume(self) -> None:
        """Take up what the ledger says is still to settle or to be told."""
        self._settling.resume()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
        try:
            method, target, headers = read_head(head)
            length = content_length(headers)
            url = urlsplit(target)
        except ValueError as error:
            writer.write(encoded(Reply(400, problem("bad_request", str(error))), close=True))
            return False
        if length > BODY_LIMIT:
            writer.write(encoded(Reply(413, problem("too_large", "The body is too large.")), close=True))
            return False
        body = await reader.readexactly(length) if length else b""

        request = Request(method, url.path, parse_qs(url.query), headers, body)
        reply = await self._answer(request)
        self._log(self._log_line(request, reply))
        if reply.silent:
            await asyncio.wait_for(reader.read(), SILENCE_SECONDS)  # until the caller gives up
            return False
        if reply.drop:
            _reset(writer)
            return False
        close = headers.get("connection", "").lower() == "close"
        writer.write(encoded(reply, close=close))
        return not close

    async def _answer(self, request: Request) -> Reply:
        if request.path == "/healthz":
            return Reply(200, {"status": "ok"})
        if request.path == "/" and request.method == "GET":
            return page.of(self._ledger)
        dialect = self._dialect(request)
        if dialect is None:
            return Reply(404, problem("not_found", "There is nothing here."))
        return await dialect.answer(request)

    def _dialect(self, request: Request) -> Dialect | None:
        return next((one for one in self._dialects if request.path.startswith(one.prefix)), None)

    def _log_line(self, request: Request, reply: Reply) -> str:
        dialect = self._dialect(request)
        is_known = request.path in {"/", "/healthz"} or (dialect and dialect.paths.fullmatch(request.path))
        key = dialect.key(request) if dialect else ""
        shown = [text if _ID.fullmatch(text) else "-" for text in (key, request.headers.get("x-request-id", ""))]
        method = request.method if request.method in {"GET", "POST"} else "-"
        path = request.path if is_known else "-"
        status = "silent" if reply.silent else "reset" if reply.drop else str(reply.status)
        return f"{method} {path} status={status} key={shown[0]} request_id={shown[1]}"


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset instead of an orderly end."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
