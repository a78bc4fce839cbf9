"""PostgreSQL is killed, all its processes at once, three times under load."""

import http.client
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.bench.stand import Stand
from tests.drills.calls import Caller, Load, Reply
from tests.drills.ground import SHORT_LEASES, Drill, Result, ground, until
from tests.drills.services import Postgres

CLIENTS = 4
PAGES = ("/admin/", "/admin/payouts/payout/", "/admin/login/")
FOR_MACHINES = ("/readyz/",)  # whoever reads these comes back by itself


@dataclass(frozen=True)
class Numbers:
    kills: int
    up_seconds: float
    away_seconds: float
    back_seconds: float
    """How soon the API must take a payout again."""


@dataclass
class Answers:
    """What came back: fine, 503 with Retry-After in the form that fits the caller, or something else."""

    fine: int = 0
    away: int = 0
    other: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def ask(self, name: str, call: Callable[[], Reply], *, is_api: bool = False) -> Reply | None:
        try:
            reply = call()
        except (OSError, http.client.HTTPException) as error:
            with self._lock:
                self.other[f"{name}: {type(error).__name__}"] += 1
            return None
        with self._lock:
            if reply.status < 400:
                self.fine += 1
            elif reply.status == 503 and (name in FOR_MACHINES or _is_good_refusal(reply, is_api=is_api)):
                self.away += 1
            else:
                self.other[f"{name}: {reply.status}"] += 1
        return reply

    def __str__(self) -> str:
        return f"{self.fine} served, {self.away} × 503, {sum(self.other.values())} others"


def _is_good_refusal(reply: Reply, *, is_api: bool) -> bool:
    return "retry-after" in reply.headers and reply.is_problem == is_api and b"Traceback" not in reply.body


class Client:
    """Submits again under the same key until it is acknowledged, and looks at what was."""

    def __init__(self, caller: Caller, number: int, answers: Answers, acknowledged: dict[str, int]) -> None:
        self.caller = caller
        self.number = number
        self.answers = answers
        self.acknowledged = acknowledged
        self.count = 0

    def __call__(self) -> None:
        key = f"client-{self.number}-{self.count}"
        reply = self.answers.ask("POST", lambda: self.caller.submit(key=key), is_api=True)
        if reply is None or reply.status not in (200, 201):
            time.sleep(0.05)
            return
        payout_id = self.acknowledged[key] = reply.json["id"]
        self.count += 1
        self.answers.ask("GET", lambda: self.caller("GET", f"/api/payouts/{payout_id}/"), is_api=True)


def database(stand: Stand, numbers: Numbers) -> Result:
    api, pages = Answers(), Answers()
    acknowledged: dict[str, int] = {}
    server = Postgres(stand)
    with ground(stand, "database") as here:
        provider = here.start_provider()
        _web, port = here.start_web()
        here.start_cluster(provider, **SHORT_LEASES)
        load = Load()
        for number in range(CLIENTS):
            load.add(Client(here.caller(port), number, api, acknowledged), pause_seconds=0.01)
        person = here.person(port, "operator")
        for page in (*PAGES, *FOR_MACHINES):
            visitor = person.again()
            load.add(lambda page=page, visitor=visitor: pages.ask(page, lambda: visitor.get(page)), pause_seconds=0.1)
        back = [_kill_and_start(server, here.caller(port), numbers) for _ in range(numbers.kills)]
        time.sleep(numbers.up_seconds)
        load.stop()
        seconds = here.await_rest()
        kept = dict(here.query("SELECT idempotency_key, id FROM payouts_payout WHERE status = 'processed'"))
        lost = [key for key, payout_id in acknowledged.items() if kept.get(key) != payout_id]
        result = Result(
            f"killed {numbers.kills} times under load: API {api}; pages {pages}; "
            f"API back after {max(back):.1f} s at most; "
            f"{len(acknowledged)} acknowledged, {len(lost)} lost, all paid {seconds:.0f} s later"
        )
        result.expect(not api.other, f"answers of the API: {dict(api.other)}")
        result.expect(not pages.other, f"answers of the pages: {dict(pages.other)}")
        result.expect(api.away and pages.away, "nobody saw that it was away")
        result.expect(max(back) <= numbers.back_seconds, f"back after {max(back):.0f} s")
        result.expect(not lost, f"lost: {lost[:5]}")
        return here.judge(result, provider)


def _kill_and_start(server: Postgres, caller: Caller, numbers: Numbers) -> float:
    """Seconds from the moment PostgreSQL takes connections until the API takes a payout."""
    time.sleep(numbers.up_seconds)
    server.kill()
    time.sleep(numbers.away_seconds)
    server.start()
    server.await_answer()

    def takes() -> bool:
        with suppress(OSError, http.client.HTTPException):
            return caller.submit().status == 201
        return False

    return until(takes, "the API takes a payout")


DATABASE = Drill(
    database,
    full=Numbers(kills=3, up_seconds=4, away_seconds=4, back_seconds=10),
    small=Numbers(kills=1, up_seconds=2, away_seconds=2, back_seconds=math.inf),
)
