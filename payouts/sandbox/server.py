"""The sandbox provider: a program of its own that speaks the provider protocol and moves no money.

    python -m payouts.sandbox --port 9100 --ledger var/sandbox.sqlite3 [--host 127.0.0.1] [--delay-ms 0]

From the environment: `PROVIDER_TOKEN` (required), and for webhooks `SANDBOX_WEBHOOK_URL` with
`PROVIDER_WEBHOOK_SECRET`. SIGTERM or SIGINT stops it with exit code 0.

Every amount is paid at once, except these, in any currency (in one without decimals, such as JPY, the same
digits without the point: 131301):

| amount  | what happens |
|---------|--------------|
| 1313.01 | refused: 422 `recipient_blocked`, nothing is paid |
| 1313.02 | rejected: 201 with the status `rejected`, `account_closed` |
| 1313.03 | slow: paid and answered after 3 seconds |
| 1313.04 | pending; settled by webhook after 2 seconds |
| 1313.05 | pending; rejected by webhook after 2 seconds, `beneficiary_bank_rejected` |
| 1313.06 | paid, but the first request never gets an answer |
| 1313.07 | 500 before paying, for the first request; the next one pays |
| 1313.08 | 500 after paying, for the first request |
| 1313.09 | paid, but the first request is answered with garbage |
| 1313.10 | 429 with `Retry-After: 1` for the first two requests; the third pays |
| 1313.11 | paid, but the first request ends in a connection reset |
| 1313.12 | pending for ever |
| 1313.13 | paid; returned by the bank, and told by webhook, after 2 seconds |

"First" counts the POSTs of one idempotency key, across restarts. The same key with the same body pays once
and is answered with the payment as it stands (200); with another body it is 409 `idempotency_key_reuse`.
`--delay-ms` waits before paying, so that a caller can give up on a payment that is made later.

The ledger is append-only (triggers refuse UPDATE and DELETE) and holds no recipient. A payment is committed
before it is answered. WAL with `synchronous=NORMAL` keeps every commit when the process is killed; only a
power cut can lose the last ones, which a sandbox may. FULL would sync the disk for each, many times slower.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from standardwebhooks import Webhook

from payouts import strict_json
from payouts.strict_json import JsonError


class Magic(Enum):
    """The amounts that behave in a special way; see the module's table."""

    REFUSED = Decimal("1313.01")
    REJECTED = Decimal("1313.02")
    SLOW = Decimal("1313.03")
    PENDING_THEN_SETTLED = Decimal("1313.04")
    PENDING_THEN_REJECTED = Decimal("1313.05")
    SILENT_AFTER_PAYING = Decimal("1313.06")
    ERROR_BEFORE_PAYING = Decimal("1313.07")
    ERROR_AFTER_PAYING = Decimal("1313.08")
    GARBAGE_AFTER_PAYING = Decimal("1313.09")
    RATE_LIMITED = Decimal("1313.10")
    RESET_AFTER_PAYING = Decimal("1313.11")
    PENDING_FOR_EVER = Decimal("1313.12")
    PAID_THEN_RETURNED = Decimal("1313.13")


HEADERS_LIMIT: Final = 16 * 1024
BODY_LIMIT: Final = 128 * 1024
LIST_LIMIT: Final = 100_000
SLOW_SECONDS: Final = 3.0
SILENCE_SECONDS: Final = 3600.0
SETTLE_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 120.0
RATE_LIMITED_TIMES: Final = 2
WEBHOOKS_AT_ONCE: Final = 16
WEBHOOK_TIMEOUT_SECONDS: Final = 10.0
WEBHOOK_BACKOFF_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)

_AMOUNT: Final = re.compile(r"[0-9]{1,14}(?:\.[0-9]{1,4})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_REASONS: Final = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS requests (
    key TEXT NOT NULL,
    number INTEGER NOT NULL,      -- the how manieth POST of this key
    fingerprint TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL UNIQUE,
    payout TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'pending', 'rejected')),
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    settles_to TEXT CHECK (settles_to IN ('succeeded', 'rejected')),
    settles_at REAL,              -- seconds since 1970, UTC
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS payments_settling ON payments (seq) WHERE settles_to IS NOT NULL;
CREATE TABLE IF NOT EXISTS settlements (
    payment INTEGER PRIMARY KEY REFERENCES payments (seq),
    status TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    payment INTEGER NOT NULL REFERENCES settlements (payment),
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,        -- the receiver's HTTP status, or what went wrong
    delivered INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (payment, number)
) WITHOUT ROWID;
"""
_TABLES: Final = ("requests", "payments", "settlements", "deliveries")
_PAYMENT: Final = """
SELECT p.seq, p.id, p.reference, p.amount, p.currency,
       coalesce(s.status, p.status), coalesce(s.code, p.code), coalesce(s.message, p.message)
FROM payments p LEFT JOIN settlements s ON s.payment = p.seq
"""

type Payment = dict[str, str]


class BadRequestError(ValueError):
    """The request is refused with 400; the text says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A valid body of POST /v1/payouts, without the recipient."""

    reference: str
    payout: str
    amount: str
    currency: str
    fingerprint: str = field(repr=False)

    @property
    def magic(self) -> Magic | None:
        return magic_of(self.amount)


def magic_of(amount: str) -> Magic | None:
    return _MAGIC.get(Decimal(amount) if "." in amount else Decimal(amount).scaleb(-2))


_MAGIC: Final = {magic.value: magic for magic in Magic}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment that settles later: its row, when (seconds since 1970, UTC), and the webhooks tried."""

    seq: int
    settles_at: float
    tries: int = 0


class Ledger:
    """The payments, in SQLite. Used by one thread; every write is committed on return."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.executescript(_SCHEMA)
        for table in _TABLES:
            for verb in ("UPDATE", "DELETE"):
                self._db.execute(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                )

    def close(self) -> None:
        self._db.close()

    def note(self, order: Order) -> int | None:
        """Record one POST and return how many its key has had; None when the key came with another body."""
        row = self._db.execute(
            "SELECT fingerprint, max(number) FROM requests WHERE key = ?", (order.reference,)
        ).fetchone()
        first, count = row
        if first is not None and first != order.fingerprint:
            return None
        number: int = (count or 0) + 1
        self._db.execute(
            "INSERT INTO requests (key, number, fingerprint, at) VALUES (?, ?, ?, ?)",
            (order.reference, number, order.fingerprint, _now()),
        )
        return number

    def pay(self, order: Order) -> tuple[Payment, Waiting | None]:
        """Make the payment unless the key has one; return it, and how it settles if that is to come."""
        status, code, message, settles_to = _outcome(order.magic)
        settles_at = datetime.now(UTC).timestamp() + SETTLE_SECONDS if settles_to else None
        made = self._db.execute(
            "INSERT INTO payments (id, reference, payout, amount, currency, status, code, message,"
            " settles_to, settles_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (reference) DO NOTHING",
            (
                f"sbx_{uuid.uuid4().hex}",
                order.reference,
                order.payout,
                order.amount,
                order.currency,
                status,
                code,
                message,
                settles_to,
                settles_at,
                _now(),
            ),
        )
        waiting = None
        if made.rowcount == 1 and made.lastrowid is not None and settles_at is not None:
            waiting = Waiting(made.lastrowid, settles_at)
        return self.find(order.reference)[0], waiting

    def find(self, reference: str) -> list[Payment]:
        rows = self._db.execute(f"{_PAYMENT} WHERE p.reference = ?", (reference,))
        return [_payment(row) for row in rows]

    def newest(self, limit: int) -> list[Payment]:
        rows = self._db.execute(f"{_PAYMENT} ORDER BY p.seq DESC LIMIT ?", (limit,))
        return [_payment(row) for row in rows]

    def count(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM payments").fetchone()[0]
        return count

    def waiting(self) -> list[Waiting]:
        """Return the payments that are still to settle, or whose webhook is still to be accepted."""
        rows = self._db.execute(
            "SELECT p.seq, p.settles_at, count(d.number) FROM payments p"
            " LEFT JOIN deliveries d ON d.payment = p.seq"
            " WHERE p.settles_to IS NOT NULL GROUP BY p.seq HAVING coalesce(max(d.delivered), 0) = 0"
        )
        return [Waiting(*row) for row in rows]

    def settle(self, seq: int) -> None:
        """Give a payment that was to change its end."""
        status, amount = self._db.execute("SELECT settles_to, amount FROM payments WHERE seq = ?", (seq,)).fetchone()
        if magic_of(amount) is Magic.PAID_THEN_RETURNED:
            status = "returned"  # not in settles_to: a ledger made before knows two ends alone
        rejected = status == "rejected"
        self._db.execute(
            "INSERT INTO settlements (payment, status, code, message, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (payment) DO NOTHING",
            (
                seq,
                status,
                "beneficiary_bank_rejected" if rejected else "",
                "The beneficiary's bank sent the money back." if rejected else "",
                _now(),
            ),
        )

    def settled(self, seq: int) -> Payment:
        return _payment(self._db.execute(f"{_PAYMENT} WHERE p.seq = ?", (seq,)).fetchone())

    def delivered(self, seq: int, outcome: str, *, accepted: bool) -> None:
        """Record one try to send a webhook."""
        self._db.execute(
            "INSERT INTO deliveries (payment, number, outcome, delivered, at) SELECT ?, count(*) + 1, ?, ?, ?"
            " FROM deliveries WHERE payment = ?",
            (seq, outcome, int(accepted), _now(), seq),
        )


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
        return _first_answer(magic, payment) if number == 1 else Reply(201, payment)

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


def _outcome(magic: Magic | None) -> tuple[str, str, str, str | None]:
    """Return status, code, message and what the payment settles to later."""
    if magic is Magic.REJECTED:
        return "rejected", "account_closed", "The recipient's account is closed.", None
    if magic is Magic.PENDING_THEN_SETTLED:
        return "pending", "", "", "succeeded"
    if magic is Magic.PENDING_THEN_REJECTED:
        return "pending", "", "", "rejected"
    if magic is Magic.PENDING_FOR_EVER:
        return "pending", "", "", None
    if magic is Magic.PAID_THEN_RETURNED:
        return "succeeded", "", "", "succeeded"
    return "succeeded", "", "", None


def _first_answer(magic: Magic | None, payment: Payment) -> Reply:
    if magic is Magic.SILENT_AFTER_PAYING:
        return Reply(0, silent=True)
    if magic is Magic.RESET_AFTER_PAYING:
        return Reply(0, drop=True)
    if magic is Magic.ERROR_AFTER_PAYING:
        return Reply(500, _problem("internal_error", "Something went wrong after paying."))
    if magic is Magic.GARBAGE_AFTER_PAYING:
        return Reply(200, raw=b'{"id": "sbx_\x00\xff<html>it wor')
    return Reply(201, payment)


def _payment(row: Sequence[str]) -> Payment:
    _, identity, reference, amount, currency, status, code, message = row
    payment = {
        "id": identity,
        "reference": reference,
        "amount": amount,
        "currency": currency,
        "status": status,
    }
    return payment | {"code": code, "message": message} if code else payment


def _problem(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


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


async def run(arguments: argparse.Namespace, environment: dict[str, str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    ledger = Ledger(arguments.ledger)
    sandbox = Sandbox(
        ledger,
        token=environment["PROVIDER_TOKEN"],
        delay_seconds=arguments.delay_ms / 1000,
        webhook_url=environment.get("SANDBOX_WEBHOOK_URL", ""),
        webhook_secret=environment.get("PROVIDER_WEBHOOK_SECRET", ""),
        log=lambda line: print(f"{_now()} {line}", flush=True),
    )
    server = await asyncio.start_server(
        sandbox.serve, arguments.host, arguments.port, limit=HEADERS_LIMIT, backlog=1024
    )
    sandbox.resume()
    port = server.sockets[0].getsockname()[1]
    print(f"{_now()} sandbox provider on http://{arguments.host}:{port}", flush=True)
    try:
        await stop.wait()
    finally:
        server.close()
        ledger.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m payouts.sandbox", description="The sandbox provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--ledger", type=Path, required=True, help="the SQLite file, made if missing")
    parser.add_argument("--delay-ms", type=int, default=0, help="wait before each payment")
    arguments = parser.parse_args()
    if not os.environ.get("PROVIDER_TOKEN"):
        parser.error("PROVIDER_TOKEN must be set in the environment.")
    asyncio.run(run(arguments, dict(os.environ)))
    return 0
