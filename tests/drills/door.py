"""Strangers hold connections, a client holds a row: health and every other client are answered in time.

Slow bodies, slow headers and idle connections need no key; who waits for a locked row needs one of their own.
"""

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from math import inf

import psycopg

from tests.bench.stand import Stand
from tests.drills.calls import Caller
from tests.drills.ground import Drill, Ground, Result, ground

HEADS = b"POST /api/payouts/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
STEP_SECONDS = 1.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Numbers:
    connections: int
    seconds: float
    health_within_seconds: float = 1.0
    post_within_seconds: float = 2.0


class Strangers:
    """So many connections, each of which says `first`, then `more` each second, and comes again when it is closed."""

    def __init__(self, port: int, count: int, first: bytes, more: bytes) -> None:
        self._port, self._first, self._more = port, first, more
        self._ends = threading.Event()
        self._connections = [self._open() for _ in range(count)]
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()
        for connection in self._connections:
            if connection is not None:
                connection.close()

    def _open(self) -> socket.socket | None:
        """None when the server takes no further one for now."""
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", self._port), timeout=1)
            connection.sendall(self._first)
            connection.setblocking(False)
            return connection
        return None

    def _go_on(self) -> None:
        while not self._ends.wait(STEP_SECONDS):
            for number, connection in enumerate(self._connections):
                if self._ends.is_set():
                    return
                if connection is None or not self._is_held(connection):
                    if connection is not None:
                        connection.close()
                    self._connections[number] = self._open()

    def _is_held(self, connection: socket.socket) -> bool:
        try:
            connection.send(self._more)
            while connection.recv(65_536):
                pass
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False


@dataclass
class Others:
    """Health and another client's POST, over and over, each on a new connection; the longest that one took."""

    port: int
    key: str
    longest: dict[str, float] = field(default_factory=lambda: {"health": 0.0, "POST": 0.0})
    answers: Counter[str] = field(default_factory=Counter)

    def watch(self, seconds: float) -> None:
        threads = [threading.Thread(target=self._ask, args=(name, seconds)) for name in self.longest]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, name: str, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            began_at = time.monotonic()
            caller = Caller(self.port, self.key)
            try:
                reply = caller("GET", "/healthz/") if name == "health" else caller.submit()
                self.answers[f"{name} {reply.status}"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[f"{name} {type(error).__name__}"] += 1
            caller.close()
            self.longest[name] = max(self.longest[name], time.monotonic() - began_at)
            time.sleep(PAUSE_SECONDS)


def strangers(first: bytes, more: bytes, name: str) -> Callable[[Stand, Numbers], Result]:
    def held(stand: Stand, numbers: Numbers) -> Result:
        with ground(stand, name) as here, ExitStack() as stack:
            others = _others(here)
            all_of_them = Strangers(others.port, numbers.connections, first, more)
            stack.callback(all_of_them.stop)
            others.watch(numbers.seconds)
            return _judged(f"{numbers.connections} connections", others, numbers)

    return held


def locked_row(stand: Stand, numbers: Numbers) -> Result:
    """So many requests at once of one client, for a payout that somebody has locked."""
    with ground(stand, "locked-row") as here, ExitStack() as stack:
        others = _others(here)
        payout_id = here.caller(others.port).submit().json["id"]
        database = stack.enter_context(psycopg.connect(here.services.database))
        database.execute("SELECT FROM payouts_payout WHERE id = %s FOR UPDATE", [payout_id])
        ends_at = time.monotonic() + numbers.seconds
        told: Counter[int] = Counter()

        def insist() -> None:
            caller = here.caller(others.port)
            while time.monotonic() < ends_at:
                with suppress(OSError, http.client.HTTPException):
                    told[caller.patch(payout_id, "cancelled").status] += 1

        threads = [threading.Thread(target=insist) for _ in range(numbers.connections)]
        for thread in threads:
            thread.start()
        others.watch(numbers.seconds)
        database.rollback()
        for thread in threads:
            thread.join()
        who = f"{numbers.connections} requests for a locked row, answered {dict(sorted(told.items()))}"
        return _judged(who, others, numbers)


def _others(here: Ground) -> Others:
    made = here.manage("create_api_client", "another", "--scopes", "payouts:read,payouts:write", "--json")
    _web, port = here.start_web()
    others = Others(port, json.loads(made.splitlines()[-1])["key"])
    Caller(port, others.key).submit()  # the first of a process takes longer
    return others


def _judged(who: str, others: Others, numbers: Numbers) -> Result:
    health, post = others.longest["health"], others.longest["POST"]
    result = Result(f"{who}: /healthz/ within {health:.2f} s, another client's POST within {post:.2f} s")
    result.expect(health < numbers.health_within_seconds, f"/healthz/ took {health:.1f} s")
    result.expect(post < numbers.post_within_seconds, f"a POST took {post:.1f} s")
    wrong = {answer: count for answer, count in others.answers.items() if answer not in ("health 200", "POST 201")}
    result.expect(not wrong, f"answered: {wrong}")
    return result


SMALL = {"health_within_seconds": inf, "post_within_seconds": inf}
SLOW_BODIES = Drill(
    strangers(HEADS + b"Content-Length: 1000\r\n\r\n", b"{", "slow-bodies"),
    full=Numbers(connections=300, seconds=30),
    small=Numbers(connections=30, seconds=3, **SMALL),
)
SLOW_HEADERS = Drill(
    strangers(HEADS, b"A: b\r\n", "slow-headers"),
    full=Numbers(connections=1_000, seconds=45),
    small=Numbers(connections=100, seconds=3, **SMALL),
)
IDLE_CONNECTIONS = Drill(
    strangers(b"GET /healthz/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"", "idle-connections"),
    full=Numbers(connections=1_000, seconds=45),
    small=Numbers(connections=100, seconds=3, **SMALL),
)
LOCKED_ROW = Drill(
    locked_row,
    full=Numbers(connections=64, seconds=20),
    small=Numbers(connections=8, seconds=3, **SMALL),
)
