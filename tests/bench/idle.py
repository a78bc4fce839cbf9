"""What a cluster costs that has nothing to do, and how soon it begins what is rung for.

    python -m tests.bench.idle                                              all, in about twenty minutes
    python -m tests.bench.idle --seconds 60 --rings 50 --brokers orm redis  some

Transactions of PostgreSQL in a second, by its own count, beside one idle cluster; then the time from a ring (a task
that is queued and committed) to the moment at which a worker begins it, one ring at a time, at random moments.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.stand import Program, Stand, exit_code

COUNT = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
BEATS = "SELECT count(*) FROM payouts_heartbeat"
# Statistics of a session are told a second after its last transaction, or later.
SETTLE_SECONDS = 5
START_SECONDS = 120
WARM_UP = 10
POOLED = "orm, pooled"
# As it was before clusters listened.
LOOKING = "orm, looking 20 times a second"
BROKERS = {
    LOOKING: {"Q_BROKER": "orm", "DATABASE_POOLER": "transaction", "BENCH_LOOK_SECONDS": "0.05"},
    POOLED: {"Q_BROKER": "orm", "DATABASE_POOLER": "transaction"},
    "orm": {"Q_BROKER": "orm"},
    "redis": {"Q_BROKER": "redis"},
}


@contextmanager
def cluster(started: Stand, broker: str) -> Iterator[Program]:
    started.manage("shell", "--command", "from payouts.models import Heartbeat; Heartbeat.objects.all().delete()")
    with started.running("cluster", "-m", "tests.bench.rung", "cluster", **BROKERS[broker]) as program:
        give_up = time.monotonic() + START_SECONDS
        while not started.query(BEATS)[0][0]:
            if time.monotonic() > give_up or program.process.poll() is not None:
                raise program.failed()
            time.sleep(0.2)
        time.sleep(SETTLE_SECONDS)
        yield program


def per_second(started: Stand, seconds: float) -> tuple[float, int]:
    """Transactions, without our own look, and connections."""
    before, began_at = started.query(COUNT)[0][0], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began_at
    return (started.query(COUNT)[0][0] - before - 1) / took, started.query(BACKENDS)[0][0]


def latency(started: Stand, broker: str, rings: int) -> list[float]:
    """Milliseconds."""
    found = []
    with started.running("bell", "-m", "tests.bench.rung", "bell", **BROKERS[broker]) as bell:
        bell.ask()
        for _each in range(WARM_UP + rings):
            time.sleep(random.uniform(0.05, 2.5))
            found.append(float(bell.ask("ring")))
    return found[WARM_UP:]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.idle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rings", type=int, default=100)
    parser.add_argument("--brokers", nargs="+", default=[*BROKERS], choices=BROKERS)
    arguments = parser.parse_args()
    return exit_code(lambda started: measure(started, arguments.brokers, arguments.seconds, arguments.rings))


def measure(started: Stand, brokers: list[str], seconds: float, rings: int) -> None:
    started.prepare()
    for broker in brokers:
        with cluster(started, broker):
            transactions, connections = per_second(started, seconds)
            took = latency(started, broker, rings)
        percentiles = statistics.quantiles(took, n=20, method="inclusive")
        print(
            f"{broker}: {transactions:.1f} transactions/s and {connections} connections idle; ring to start "
            f"p50 {statistics.median(took):.0f} ms, p95 {percentiles[18]:.0f} ms, at most {max(took):.0f} ms"
        )


if __name__ == "__main__":
    sys.exit(main())
