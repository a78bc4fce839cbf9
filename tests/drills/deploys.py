"""Rolling restarts under load; then every cluster and every schedule twice."""

import http.client
import itertools
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass

from tests.bench.stand import Program, Stand
from tests.drills.calls import Caller, Load
from tests.drills.ground import PATIENCE_SECONDS, Drill, Result, ground, until

CLIENTS = 4
TRIES = 5


class Traffic:
    """Clients behind a proxy: they go to the newest web server, and try again under the same key."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self.answers: Counter[str] = Counter()
        self.tries: Counter[int] = Counter()
        self.given_up: list[str] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def client(self) -> Caller:
        return Caller(self.port, self.key)

    def submit(self, caller: Caller) -> None:
        key = f"order-{next(self._numbers)}"
        for number in range(1, TRIES + 1):
            caller.move(self.port)
            try:
                status = str(caller.submit(key=key).status)
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            with self._lock:
                self.answers[status] += 1
            if status in ("200", "201"):
                self.tries[number] += 1
                return
            time.sleep(0.1)
        self.given_up.append(key)


@dataclass(frozen=True)
class Numbers:
    deploys: int
    doubled_seconds: float
    """How long clusters and schedules are there twice, and until each schedule has run: q2's scheduler looks half a
    minute after its start for the first time, then twice a minute."""


def deploys(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "deploys") as here:
        provider, hands = here.start_provider(), here.start_hands()
        provider.tell("delay 100")
        web, port = here.start_web()
        cluster = here.start_cluster(provider)
        traffic, load = Traffic(port, here.key), Load()
        for _ in range(CLIENTS):
            caller = traffic.client()
            load.add(lambda caller=caller: traffic.submit(caller), pause_seconds=0.05)
        codes = []
        for _ in range(numbers.deploys):
            new_web, traffic.port = here.start_web()
            new_cluster = here.start_cluster(provider)
            codes += [ended(web), ended(cluster.program)]
            web, cluster = new_web, new_cluster
        load.stop()
        submitted = traffic.tries.total()
        schedules = hands.do("double_schedules")
        here.start_cluster(provider)
        ends_at = time.monotonic() + numbers.doubled_seconds
        extra = 0
        while time.monotonic() < ends_at:
            extra += len(hands.do("submit", 5))
            time.sleep(0.5)

        def ran_schedules() -> int:
            return here.count("django_q_schedule", "next_run > now() AND task IS NOT NULL")

        until(lambda: ran_schedules() == schedules, f"{schedules} schedules have run")
        here.await_rest()
        ran = ran_schedules()
        unsuccessful = here.count("django_q_task", "NOT success")
        statuses = here.statuses()
        again = sum(traffic.answers.values()) - submitted
        result = Result(
            f"{numbers.deploys} of web and cluster under load: {submitted} submitted, {again} requests made again, "
            f"{len(traffic.given_up)} given up, {codes.count(0)} of {len(codes)} exits with 0; "
            f"two clusters and each schedule twice, {ran} of {schedules} run; {statuses.get('processed')} paid once"
        )
        result.expect(not traffic.given_up, f"not survived: {traffic.given_up[:5]}, answers {dict(traffic.answers)}")
        result.expect(codes.count(0) == 2 * numbers.deploys, f"exit codes {codes}")
        result.expect(statuses == {"processed": submitted + extra}, f"{submitted} + {extra} submitted, {statuses}")
        result.expect(not unsuccessful, f"{unsuccessful} tasks failed")
        return here.judge(result, provider)


def ended(program: Program) -> int | None:
    """Its exit code after a SIGTERM; None if it goes on."""
    program.process.send_signal(signal.SIGTERM)
    try:
        return program.process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None


DEPLOYS = Drill(deploys, full=Numbers(deploys=5, doubled_seconds=75), small=Numbers(deploys=1, doubled_seconds=5))
