"""Redis is flushed, full, hangs and is killed, under a load of clients and people."""

import signal
import time
from collections import Counter

from tests.bench.stand import Stand
from tests.drills.calls import Load
from tests.drills.ground import Drill, Ground, Result, ground, until
from tests.drills.services import Redis

CLIENTS = 3
PAGES = ("/admin/", "/admin/payouts/payout/", "/readyz/")


def cache(stand: Stand, seconds: float) -> Result:
    server = Redis(stand)
    answers: Counter[int] = Counter()
    with ground(stand, "cache") as here:
        provider = here.start_provider()
        _web, port = here.start_web()
        here.start_cluster(provider)
        load = Load()
        for _ in range(CLIENTS):
            caller = here.caller(port)
            load.add(lambda caller=caller: answers.update([caller.submit().status]), pause_seconds=0.02)
        person = here.person(port, "operator")
        for page in PAGES:
            visitor = person.again()
            load.add(lambda page=page, visitor=visitor: answers.update([visitor.get(page).status]), pause_seconds=0.1)
        paid = {name: _paid_while(here, server, name, seconds) for name in ("flushed", "full", "hanging", "killed")}
        load.stop()
        here.await_rest()
        bad = {status: count for status, count in answers.items() if status >= 400}
        result = Result(
            f"{answers.total()} answers, {sum(count for status, count in bad.items() if status >= 500)} of them 5xx; "
            + ", ".join(f"{name} {count} paid in {seconds:.0f} s" for name, count in paid.items())
        )
        result.expect(not bad, f"answers: {bad}")
        return here.judge(result, provider)


def _paid_while(here: Ground, server: Redis, name: str, seconds: float) -> int:
    """How many payouts are paid in this time while Redis is like that, one at least; then it is well again."""

    def count() -> int:
        return here.count("payouts_payout", "status = 'processed'")

    before = count()
    ends_at = time.monotonic() + seconds
    match name:
        case "flushed":
            while time.monotonic() < ends_at:
                server.client.flushall()
                time.sleep(0.01)
        case "full":
            server.client.config_set("maxmemory-policy", "noeviction")
            server.client.config_set("maxmemory", "1")
        case "hanging":
            server.signal(signal.SIGSTOP)
        case "killed":
            server.kill()
    time.sleep(max(0.0, ends_at - time.monotonic()))
    paid = count() - before
    until(lambda: count() > before, f"a payout is paid while Redis is {name}")
    match name:
        case "full":
            server.client.config_set("maxmemory", "64mb")
            server.client.config_set("maxmemory-policy", "allkeys-lru")
        case "hanging":
            server.signal(signal.SIGCONT)
        case "killed":
            server.start()
    return paid


REDIS = Drill(cache, full=8.0, small=2.0)
