"""The campaign's provider: speaks a dialect, fails as the plan says, strikes its callers, keeps a ledger.

    python -m tests.campaign.provider LEDGER PORT

Prints its port. It remembers an idempotency key for PROVIDER_KEY_TTL_SECONDS: after that, the key pays again. What
was paid is found by its key for ever, once a search that lags has caught up. It finds out which process calls it, and
can kill that one at the worst moments, or freeze its whole cluster until its lease has ended and its payout is
another's. Where the dialect has webhooks, they go to the web server at PORT.
"""

import asyncio
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import time
import uuid
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from zlib import crc32

from payouts.sandbox.exchange import post
from tests.campaign import marks
from tests.campaign.dialects import BalanceQuestion, LookUp, Notice, Order, Payment, Request, Said
from tests.campaign.faults import Behaviour, Call, Frozen, Reply, behaviour
from tests.campaign.ledger import Ledger
from tests.campaign.plan import FREEZE, FREEZE_AFTER, FROZEN_CLUSTER, KEY_TTL_SECONDS, Plan

IDLE_SECONDS: Final = 120.0
SILENCE_SECONDS: Final = 10.0
DRIP_BYTES: Final = 8
DRIP_PAUSE_SECONDS: Final = 0.3
SETTLE_SECONDS: Final = 3.0
PUT_OFF_SECONDS: Final = 4.0
# A frozen cluster is woken when its payout is sent under another key, or at the latest then.
FREEZE_SECONDS: Final = 120.0
# The thread that waits for the answer is woken before those that would end it.
WAKE_PAUSE_SECONDS: Final = 1.5

# What there is to pay from, where that is told: enough.
BALANCE: Final = Decimal(10**9)
# A webhook that is not taken comes again so much later.
NOTICE_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
NOTICE_SECONDS: Final = 5.0
DOUBLED_NOTICES_SHARE: Final = 0.2

GARBAGE: Final = b'{"id": "cmp_\x00\xff<html>'


@dataclass
class Key:
    """What the provider has in mind of one idempotency key."""

    number: int
    """Of the keys of its payout, from 1."""
    intent: int
    first_at: float
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def is_forgotten(self) -> bool:
        return time.time() > self.first_at + KEY_TTL_SECONDS


@dataclass
class Line:
    """One connection and, once it has been found out, who is at its other end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pid: int | None = None


class Provider:
    def __init__(self, ledger: Ledger, plan: Plan, run: str, web_port: int) -> None:
        self.ledger = ledger
        self.plan = plan
        self.dialect = plan.dialect
        self.web = f"http://127.0.0.1:{web_port}"
        self.run = run
        self.keys: dict[str, Key] = {}
        self.keys_of: Counter[str] = Counter()
        self.paid: dict[str, float] = {}
        """When the payment that a key remembers was asked for."""
        self.known_since: dict[str, float] = {}
        """Of each key: one that was forgotten and comes again is a new one."""
        self.refused: set[str] = set()
        """Keys."""
        self.put_off_until: dict[str, float] = {}
        """By key: what is still worked on waits once more when it is ordered again."""
        self.canceled: dict[str, Payment] = {}
        """By key: refusals that have a name of their own."""
        self.asked: dict[str, Key] = {}
        """Keys that were asked about and never sent."""
        self.frozen: dict[int, Frozen] = {}
        """By intent; those whose caller was frozen."""
        self.sent_again = asyncio.Event()
        """Set when the payout of the last freeze came under its second key."""
        self.freezes_left = [share * plan.count for share in FREEZE_AFTER]
        self.callers: list[int] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        line.pid = self._caller(writer)
        try:
            while await self._serve_one(line):
                pass
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, line: Line) -> bool:
        head = await asyncio.wait_for(line.reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines if each)}
        body = await line.reader.readexactly(int(headers.get("content-length", "0")))
        match self.dialect.read(Request(method, target, headers, body)):
            case Order() as order:
                return await self._pay(line, order, body)
            case LookUp() as question:
                return await self._look_up(line, question)
            case BalanceQuestion():
                return await self._answer(line, Reply.PAYMENT, self.dialect.balance(BALANCE - self.ledger.sum()))
            case Said() as said:
                return await self._answer(line, Reply.PAYMENT, said)

    def _caller(self, writer: asyncio.StreamWriter) -> int | None:
        local, remote = writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1]
        pid = marks.caller(local, remote, self.callers)
        if pid is None:
            self.callers = marks.pids(marks.RUN, self.run)
            pid = marks.caller(local, remote, self.callers)
        return pid

    async def _pay(self, line: Line, order: Order, body: bytes) -> bool:
        name = order.key
        key = self._key(order)
        does = self._decide(key, "POST", line.pid, name)
        self.ledger.request("POST", name, hashlib.sha256(body).hexdigest(), line.pid, does.name)
        if does.strike:
            return await self._strike(line, does, order)
        await asyncio.sleep(self.plan.dice("wait", name, key.calls["POST"]).uniform(*does.wait_seconds))
        if does.pays:
            while (left := self.put_off_until.get(name, 0.0) - time.time()) > 0:
                await asyncio.sleep(left)
            self._commit(order)
        if does.reply is Reply.REFUSAL:
            self.refused.add(name)
            self.put_off_until[name] = time.time() + PUT_OFF_SECONDS
            # One key is one payout there: what is ordered again while it is worked on has no name of its own.
            if self.dialect.cancels and key.intent % 2 and key.calls["POST"] == 1:
                return await self._answer(line, Reply.PAYMENT, self.dialect.paid(self._cancel(order)))
        return await self._answer(line, does.reply, self._told(name))

    async def _look_up(self, line: Line, question: LookUp) -> bool:
        named = self._named(question.identity) if question.identity else []
        name = named[0].key if named else question.key or question.identity
        key = self.keys.get(name) or self.asked.setdefault(name, Key(1, -1 - crc32(name.encode()), time.time()))
        does = self._decide(key, "GET", line.pid, name)
        self.ledger.request("GET", name, "", line.pid, does.name)
        await asyncio.sleep(self.plan.dice("wait", name, "GET", key.calls["GET"]).uniform(*does.wait_seconds))
        found = self._named(question.identity) if question.identity else self._found(name)
        return await self._answer(line, does.reply, self.dialect.found(found, question))

    def _told(self, name: str) -> Said | None:
        """What an order under this key is answered; None while it is not paid."""
        paid = self.ledger.find(name)
        return self.dialect.paid(paid[-1]) if paid else None

    def _found(self, name: str) -> list[Payment]:
        lag = self.dialect.search_lag_seconds
        canceled = self.canceled.get(name)
        is_found = canceled and canceled.at <= time.time() - lag
        return [*([canceled] if canceled and is_found else []), *self.ledger.find(name, older_than_seconds=lag)]

    def _named(self, identity: str) -> list[Payment]:
        canceled = [payment for payment in self.canceled.values() if payment.identity == identity]
        return canceled or self.ledger.named(identity)

    def _cancel(self, order: Order) -> Payment:
        of = (order.key, order.payout, order.amount, order.currency, order.recipient)
        made = Payment(f"cmp-{uuid.uuid4()}", *of, time.time(), "canceled")
        return self.canceled.setdefault(order.key, made)

    def _key(self, order: Order) -> Key:
        name, intent = order.key, order.intent
        if name not in self.keys:
            self.keys_of[order.payout] += 1
            self.keys[name] = Key(self.keys_of[order.payout], intent, time.time())
            if self.frozen.get(intent) == Frozen.ASLEEP:
                self.sent_again.set()
        if time.time() > self.known_since.setdefault(name, self.keys[name].first_at) + KEY_TTL_SECONDS:
            self.known_since[name] = time.time()
        return self.keys[name]

    def _decide(self, key: Key, method: str, pid: int | None, name: str) -> Behaviour:
        key.calls[method] += 1
        to_freeze = bool(
            self.freezes_left
            and len(self.keys) > self.freezes_left[0]
            and pid is not None
            and marks.program_of(pid).startswith(FROZEN_CLUSTER)
        )
        call = Call(
            intent=key.intent,
            is_post=method == "POST",
            number=key.calls[method],
            key_number=key.number,
            key_is_forgotten=key.is_forgotten,
            key_has_paid=name in self.paid,
            key_is_refused=name in self.refused,
            frozen=self.frozen.get(key.intent, Frozen.NEVER),
            to_freeze=to_freeze,
        )
        return behaviour(self.plan, call)

    def _commit(self, order: Order) -> None:
        """Once per key, for as long as the key is remembered."""
        name = order.key
        paid_at = self.paid.get(name)
        if paid_at is not None and paid_at >= self.known_since[name]:
            return
        self.paid[name] = time.time()
        intent = self.plan.intents.get(self.keys[name].intent)
        settles_at = time.time() + (SETTLE_SECONDS if intent and intent.treatment == "pending" else 0.0)
        recipient = json.dumps(order.recipient, sort_keys=True)
        self.ledger.pay(name, order.payout, order.amount, order.currency, recipient, settles_at)
        self._start(self._tell(self.ledger.find(name)[-1].identity, settles_at))

    # Webhooks

    async def _tell(self, identity: str, settles_at: float) -> None:
        """Once the payment is final, until it is taken or nobody takes it; some are told twice at once."""
        await asyncio.sleep(max(0.0, settles_at - time.time()) + 0.01)
        (payment,) = self.ledger.named(identity)
        notice = self.dialect.notice(payment)
        if notice is None:
            return
        if self.plan.dice("notice", payment.key).random() < DOUBLED_NOTICES_SHARE:
            self._start(self._send(notice, payment.key))
        for pause_seconds in (*NOTICE_PAUSES_SECONDS, 0.0):
            if await self._send(notice, payment.key):
                return
            await asyncio.sleep(pause_seconds)

    async def _send(self, notice: Notice, key: str) -> bool:
        headers = {"X-Forwarded-Proto": "https", **notice.headers}
        try:
            async with asyncio.timeout(NOTICE_SECONDS):
                outcome = str(await post(f"{self.web}{notice.path}", headers, notice.body))
        except (OSError, ValueError, EOFError) as error:
            outcome = type(error).__name__
        self.ledger.notice(key, outcome)
        return outcome == "200"

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # Strikes

    async def _strike(self, line: Line, does: Behaviour, order: Order) -> bool:
        name = order.key
        if line.pid is None:
            self._commit(order)
            return await self._answer(line, Reply.PAYMENT, self._told(name))
        if does.strike == FREEZE:
            return await self._freeze(line, name)
        if does.strike == "kill_on_receive":
            self._kill(does.strike, name, line.pid)
            return False
        self._commit(order)
        if does.strike == "kill_after_reply":
            await self._answer(line, Reply.PAYMENT, self._told(name))
        self._kill(does.strike, name, line.pid)
        return False

    def _kill(self, kind: str, name: str, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.ledger.strike(kind, name, pid)

    async def _freeze(self, line: Line, name: str) -> bool:
        """Stop the caller's whole cluster; its refusal waits in its socket until the payout is not its any more."""
        assert line.pid is not None
        members = marks.pids(marks.PROGRAM, marks.program_of(line.pid))
        marks.signal_all([line.pid, *members], signal.SIGSTOP)
        self.freezes_left.pop(0)
        self.sent_again.clear()
        intent = self.keys[name].intent
        self.frozen[intent] = Frozen.ASLEEP
        self.ledger.strike(FREEZE, name, line.pid)
        is_open = await self._answer(line, Reply.REFUSAL, None)
        self._start(self._wake(intent, line.pid, members))
        return is_open

    async def _wake(self, intent: int, pid: int, members: list[int]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FREEZE_SECONDS):
                await self.sent_again.wait()
                await asyncio.sleep(WAKE_PAUSE_SECONDS)
        marks.signal_all([pid], signal.SIGCONT)
        await asyncio.sleep(WAKE_PAUSE_SECONDS)
        marks.signal_all(members, signal.SIGCONT)
        self.frozen[intent] = Frozen.AWAKE

    # Answers

    async def _answer(self, line: Line, reply: Reply, told: Said | None) -> bool:
        """`told` is the right answer, where there is one. Returns whether the connection goes on."""
        match reply:
            case Reply.SILENCE:
                with suppress(TimeoutError):
                    await asyncio.wait_for(line.reader.read(), SILENCE_SECONDS)
                return False
            case Reply.RESET:
                sock: socket.socket = line.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                line.writer.transport.abort()
                return False
            case Reply.DRIP:
                assert told is not None
                return await self._drip(line, _response(told))
        line.writer.write(_response(self._said(reply, told)))
        await line.writer.drain()
        return True

    def _said(self, reply: Reply, told: Said | None) -> Said:
        match reply:
            case Reply.ERROR:
                return self.dialect.error()
            case Reply.LIMITED:
                return self.dialect.limited()
            case Reply.GARBAGE:
                return Said(200, raw=GARBAGE)
            case Reply.REFUSAL:
                return self.dialect.refusal()
        assert told is not None
        return told

    async def _drip(self, line: Line, response: bytes) -> bool:
        for begin in range(0, len(response), DRIP_BYTES):
            line.writer.write(response[begin : begin + DRIP_BYTES])
            await line.writer.drain()
            await asyncio.sleep(DRIP_PAUSE_SECONDS)
        return True


def _response(said: Said) -> bytes:
    body = json.dumps(said.content).encode() if said.raw is None else said.raw
    length = f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {said.status} -\r\nContent-Type: application/json\r\n{length}{said.headers}\r\n"
    return head.encode() + body


async def main(ledger: Path, web_port: int) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    provider = Provider(Ledger(ledger), Plan.from_environment(), os.environ[marks.RUN], web_port)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
