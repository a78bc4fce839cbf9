"""Rolling restarts under load; then every cluster and every schedule twice."""

import http.client
import itertools
import signal
import subprocess
import threading
import time
from collections import Counter

from tests.bench.stand import Program, Stand
from tests.drills.calls import Caller, Load
from tests.drills.ground import Result, ground

DEPLOYS, CLIENTS = 5, 4
TRIES = 5
STOP_SECONDS = 60
# q2's scheduler looks half a minute after its start for the first time, then twice a minute.
DOUBLED_SECONDS = 75


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


def deploys(stand: Stand) -> Result:
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
        for _ in range(DEPLOYS):
            new_web, traffic.port = here.start_web()
            new_cluster = here.start_cluster(provider)
            codes += [_ended(web), _ended(cluster.program)]
            web, cluster = new_web, new_cluster
        load.stop()
        submitted = traffic.tries.total()
        schedules = hands.do("double_schedules")
        here.start_cluster(provider)
        ends_at = time.monotonic() + DOUBLED_SECONDS
        extra = 0
        while time.monotonic() < ends_at:
            extra += len(hands.do("submit", 5))
            time.sleep(0.5)
        here.await_rest()
        ran = here.count("django_q_schedule", "next_run > now() AND task IS NOT NULL")
        unsuccessful = here.count("django_q_task", "NOT success")
        statuses = here.statuses()
        again = sum(traffic.answers.values()) - submitted
        result = Result(
            f"{DEPLOYS} of web and cluster under load: {submitted} submitted, {again} requests made again, "
            f"{len(traffic.given_up)} given up, {codes.count(0)} of {len(codes)} exits with 0; "
            f"two clusters and each schedule twice, {ran} of {schedules} run; {statuses.get('processed')} paid once"
        )
        result.expect(not traffic.given_up, f"not survived: {traffic.given_up[:5]}, answers {dict(traffic.answers)}")
        result.expect(codes.count(0) == 2 * DEPLOYS, f"exit codes {codes}")
        result.expect(statuses == {"processed": submitted + extra}, f"{submitted} + {extra} submitted, {statuses}")
        result.expect(ran == schedules, f"{ran} of {schedules} schedules have run")
        result.expect(not unsuccessful, f"{unsuccessful} tasks failed")
        return here.judge(result, provider)


def _ended(program: Program) -> int | None:
    program.process.send_signal(signal.SIGTERM)
    try:
        return program.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return None
