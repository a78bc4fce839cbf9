"""The sandbox's answers over HTTP, and the webhooks that it sends."""

import asyncio
import hashlib
import hmac
import json
import re
import socket
import ssl
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qs, urlsplit

from standardwebhooks import Webhook

from payouts import strict_json
from payouts.sandbox.ledger import Ledger, Magic, Order, Waiting
from payouts.strict_json import JsonError

HEADERS_LIMIT: Final = 16 * 1024
BODY_LIMIT: Final = 128 * 1024
LIST_LIMIT: Final = 100_000
SLOW_SECONDS: Final = 3.0
SILENCE_SECONDS: Final = 3600.0
IDLE_SECONDS: Final = 120.0
RATE_LIMITED_TIMES: Final = 2
WEBHOOKS_AT_ONCE: Final = 16
WEBHOOK_TIMEOUT_SECONDS: Final = 10.0
WEBHOOK_BACKOFF_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_AMOUNT: Final = re.compile(r"[0-9]{1,14}(?:\.[0-9]{1,4})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_REASONS: Final = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


class BadRequestError(ValueError):
    """The request is refused with 400; the text says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out: JSON unless it is `raw`; `drop` resets the connection, `silent` never answers."""

    status: int
    content: object = None
    raw: bytes | None = None
    headers: str = ""
    drop: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = field(repr=False)


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
        log: Callable[[str], None] = print,
    ) -> None:
        self._ledger = ledger
        self._authorization = f"Bearer {token}".encode()
        self._delay_seconds = delay_seconds
        self._webhook_url = webhook_url
        self._signer = Webhook(webhook_secret) if webhook_secret else None
        self._log = log
        self._settling: dict[int, asyncio.Task[None]] = {}
        self._sending = asyncio.Semaphore(WEBHOOKS_AT_ONCE)

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
            method, target, headers = _read_head(head)
            length = _content_length(headers)
            url = urlsplit(target)
        except ValueError as error:
            writer.write(_response(Reply(400, _problem("bad_request", str(error))), close=True))
            return False
        if length > BODY_LIMIT:
            writer.write(_response(Reply(413, _problem("too_large", "The body is too large.")), close=True))
            return False
        body = await reader.readexactly(length) if length else b""

        request = Request(method, url.path, parse_qs(url.query), headers, body)
        reply = await self._answer(request)
        self._log(_log_line(request, reply))
        if reply.silent:
            await asyncio.wait_for(reader.read(), SILENCE_SECONDS)  # until the caller gives up
            return False
        if reply.drop:
            _reset(writer)
            return False
        close = headers.get("connection", "").lower() == "close"
        writer.write(_response(reply, close=close))
        return not close

    async def _answer(self, request: Request) -> Reply:
        if request.path == "/healthz":
            return Reply(200, {"status": "ok"})
        if request.path != "/v1/payouts":
            return Reply(404, _problem("not_found", "There is nothing here."))
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._authorization):
            return Reply(401, _problem("unauthorized", "The token is wrong."))
        try:
            if request.method == "POST":
                return await self._pay(request)
            if request.method == "GET":
                return self._show(request)
        except BadRequestError as error:
            return Reply(400, _problem("bad_request", str(error)))
        return Reply(405, _problem("method_not_allowed", "Only GET and POST."), headers="Allow: GET, POST\r\n")

    def _show(self, request: Request) -> Reply:
        references = request.query.get("reference")
        if references is not None:
            return Reply(200, {"data": [found for one in references for found in self._ledger.find(one)]})
        limit = request.query.get("limit", [str(LIST_LIMIT)])[0]
        if not re.fullmatch(r"[0-9]{1,6}", limit):
            raise BadRequestError("limit must be a whole number.")
        newest = self._ledger.newest(min(int(limit), LIST_LIMIT))
        return Reply(200, {"data": newest, "count": self._ledger.count()})

    async def _pay(self, request: Request) -> Reply:
        order = read_order(request.body)
        if request.headers.get("idempotency-key") != order.reference:
            raise BadRequestError("Idempotency-Key must be the reference.")
        number = self._ledger.note(order)
        if number is None:
            return Reply(409, _problem("idempotency_key_reuse", "The key came with another body before."))

        magic = order.magic
        if magic is Magic.REFUSED:
            return Reply(422, _problem("recipient_blocked", "The recipient cannot be paid."))
        if magic is Magic.ERROR_BEFORE_PAYING and number == 1:
            return Reply(500, _problem("internal_error", "Something went wrong before paying."))
        if magic is Magic.RATE_LIMITED and number <= RATE_LIMITED_TIMES:
            return Reply(429, _problem("rate_limited", "Too many requests."), headers="Retry-After: 1\r\n")

        known = self._ledger.find(order.reference)
        if known:
            return Reply(200, known[0])
        delay_seconds = self._delay_seconds + (SLOW_SECONDS if magic is Magic.SLOW else 0.0)
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        payment, waiting = self._ledger.pay(order)
        if waiting is not None:
            self._start(waiting)
        usual = Reply(201, payment)
        return _FIRST_ANSWERS.get(magic, usual) if number == 1 else usual

    def resume(self) -> None:
        """Take up what the ledger says is still to settle or to be told."""
        for waiting in self._ledger.waiting():
            self._start(waiting)

    def _start(self, waiting: Waiting) -> None:
        task = asyncio.create_task(self._settle(waiting))
        self._settling[waiting.seq] = task
        task.add_done_callback(lambda _: self._settling.pop(waiting.seq, None))

    async def _settle(self, waiting: Waiting) -> None:
        await asyncio.sleep(max(0.0, waiting.settles_at - datetime.now(UTC).timestamp()))
        self._ledger.settle(waiting.seq)
        for pause_seconds in (*WEBHOOK_BACKOFF_SECONDS[waiting.tries :], 0.0):
            async with self._sending:
                if await self._deliver(waiting.seq):
                    return
            await asyncio.sleep(pause_seconds)

    async def _deliver(self, seq: int) -> bool:
        payment = self._ledger.settled(seq)
        if not self._webhook_url or self._signer is None:
            self._ledger.delivered(seq, "no receiver", accepted=True)
            return True
        body = json.dumps({"type": "payout.updated", "data": payment})
        message_id = f"msg_{payment['id']}"
        at = datetime.now(UTC)
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message_id, at, body),
        }
        try:
            async with asyncio.timeout(WEBHOOK_TIMEOUT_SECONDS):
                status = await _post(self._webhook_url, headers, body.encode())
            outcome, accepted = str(status), 200 <= status < 300
        except (OSError, ValueError, EOFError) as error:
            outcome, accepted = type(error).__name__, False
        self._ledger.delivered(seq, outcome, accepted=accepted)
        self._log(f"webhook reference={payment['reference']} status={payment['status']} outcome={outcome}")
        return accepted


def read_order(body: bytes) -> Order:
    """Read the body of POST /v1/payouts. Raises `BadRequestError`."""
    try:
        order = strict_json.read(body, fraction=float)
    except JsonError:
        raise BadRequestError("The body is not a JSON object.") from None
    if set(order) != {"reference", "payout", "amount", "currency", "recipient"}:
        raise BadRequestError("The body must have reference, payout, amount, currency and recipient alone.")
    amount, currency = order["amount"], order["currency"]
    if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount) or not Decimal(amount):
        raise BadRequestError("amount must be a positive decimal number in a string.")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise BadRequestError("currency must be three capital letters.")
    if not isinstance(order["recipient"], dict) or not order["recipient"]:
        raise BadRequestError("recipient must be an object with something in it.")
    return Order(
        reference=_uuid(order["reference"], "reference"),
        payout=_uuid(order["payout"], "payout"),
        amount=amount,
        currency=currency,
        fingerprint=hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest(),
    )


def _uuid(text: object, name: str) -> str:
    try:
        known = str(uuid.UUID(text)) if isinstance(text, str) else None
    except ValueError:
        known = None
    if known is None or known != text:
        raise BadRequestError(f"{name} must be a UUID in its usual form.")
    return known


def _problem(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


# What the first POST of a key is answered after paying; the others are told of the payment.
_FIRST_ANSWERS: Final[dict[Magic | None, Reply]] = {
    Magic.SILENT_AFTER_PAYING: Reply(0, silent=True),
    Magic.RESET_AFTER_PAYING: Reply(0, drop=True),
    Magic.ERROR_AFTER_PAYING: Reply(500, _problem("internal_error", "Something went wrong after paying.")),
    Magic.GARBAGE_AFTER_PAYING: Reply(200, raw=b'{"id": "sbx_\x00\xff<html>it wor'),
}


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    request_line, *lines = head.decode("latin-1").split("\r\n")
    parts = request_line.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        raise BadRequestError("Only HTTP/1.1 is spoken here.")
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or name.lower() in headers:
            raise BadRequestError("A header is broken or comes twice.")
        headers[name.lower()] = value.strip()
    return parts[0], parts[1], headers


def _content_length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequestError("Send Content-Length, not Transfer-Encoding.")
    length = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,9}", length):
        raise BadRequestError("Content-Length is no number.")
    return int(length)


def _response(reply: Reply, *, close: bool) -> bytes:
    body = reply.raw if reply.raw is not None else json.dumps(reply.content).encode()
    connection = "Connection: close\r\n" if close else ""
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{connection}{reply.headers}\r\n"
    )
    return head.encode("latin-1") + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset instead of an orderly end."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _log_line(request: Request, reply: Reply) -> str:
    request_id = request.headers.get("x-request-id", "")
    key = request.headers.get("idempotency-key") or request.query.get("reference", [""])[0]
    shown = [text if _REQUEST_ID.fullmatch(text) else "-" for text in (request_id, key)]
    method = request.method if request.method in {"GET", "POST"} else "-"
    path = request.path if request.path in {"/v1/payouts", "/healthz"} else "-"
    status = "silent" if reply.silent else "reset" if reply.drop else str(reply.status)
    return f"{method} {path} status={status} key={shown[1]} request_id={shown[0]}"


async def _post(url: str, headers: dict[str, str], body: bytes) -> int:
    """POST once and return the status. Raises OSError, EOFError or ValueError."""
    target = urlsplit(url)
    secure = target.scheme == "https"
    reader, writer = await asyncio.open_connection(
        target.hostname,
        target.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
    )
    try:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST {target.path or '/'} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        )
        writer.write(head.encode("latin-1") + body)
        status_line = await reader.readline()
        return int(status_line.split(b" ")[1])
    except IndexError:
        raise ValueError("no status line") from None
    finally:
        writer.close()
