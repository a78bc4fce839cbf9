"""What one payout costs, from its POST to its being paid: `python -m tests.bench.cost --seconds 20`.

Web, a cluster of two workers and a provider that answers at once over HTTP, on services of its own with `fsync` on.
Clients POST for some seconds while the cluster pays; counted is until the last is paid, less what the same processes
use in as much time when nobody calls. Prints each cost for one payout, and for how many a second of one core it is.
"""

import argparse
import sys
import time
from dataclasses import astuple, dataclass
from typing import Any

import redis

from tests.bench import api
from tests.bench.stand import Program, Stand, exit_code

IDLE_SECONDS = 20
PATIENCE_SECONDS = 600
CONNECTIONS = 8
OPEN = "SELECT count(*) FROM payouts_payout WHERE status NOT IN ('processed')"
COUNTED = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8, xact_commit::float8, tup_inserted::float8,
       tup_updated::float8
FROM pg_stat_database WHERE datname = current_database()
"""
SIZE = "SELECT pg_database_size(current_database())::float8"


@dataclass(frozen=True)
class Spent:
    """Since the processes began."""

    seconds: float
    web: float
    cluster: float
    postgres: float
    wal_bytes: float
    transactions: float
    inserted: float
    updated: float
    redis_commands: float

    def since(self, before: "Spent") -> "Spent":
        return Spent(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

    def without(self, idle: "Spent") -> "Spent":
        """Less what the same seconds cost when nothing happens."""
        share = self.seconds / idle.seconds
        return Spent(*(spent - share * each for spent, each in zip(astuple(self), astuple(idle), strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cost", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="of POSTs (%(default)s)")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds of nothing before (%(default)s)")
    arguments = parser.parse_args()
    return exit_code(lambda started: measure(started, arguments.seconds, arguments.idle))


def measure(started: Stand, seconds: float, idle_seconds: float) -> None:
    started.prepare()
    with started.provider(0) as url, started.web() as (web, port), started.cluster(url) as cluster:
        _post(started, web, port, 1)
        _await_all(started, cluster)
        before = _spent(started, web, cluster)
        time.sleep(idle_seconds)
        idle = _spent(started, web, cluster).since(before)

        size, (known,) = started.query(SIZE)[0][0], started.query("SELECT count(*) FROM payouts_payout")[0]
        before = _spent(started, web, cluster)
        _post(started, web, port, seconds)
        _await_all(started, cluster)
        spent = _spent(started, web, cluster).since(before)
        grown = started.query(SIZE)[0][0] - size
        count = started.query("SELECT count(*) FROM payouts_payout")[0][0] - known
    _tell(spent, spent.without(idle), idle, count, grown)


def _post(started: Stand, web: Program, port: int, seconds: float) -> None:
    """POST payouts of many users, to many cards, for so long."""
    length = len(api.BODY % {name: first for name, (first, _) in api.BODY_CHOICES.items()})
    head = api.HEAD.format(method="POST", path="/api/payouts/", key=started.key)
    json_head = f"Content-Type: application/json\r\nContent-Length: {length}\r\nIdempotency-Key: bench-%(key)d\r\n"
    order: dict[str, Any] = {
        "port": port,
        "connections": CONNECTIONS,
        "seconds": seconds,
        "template": f"{head}{json_head}\r\n{api.BODY}",
        "choices": api.KEY_CHOICES | api.BODY_CHOICES,
    }
    api.check_answers("POST", "api", api.load(started, order), web)


def _await_all(started: Stand, cluster: Program) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while started.query(OPEN)[0][0]:
        if cluster.process.poll() is not None or time.monotonic() > deadline:
            raise cluster.failed()
        time.sleep(0.2)


def _spent(started: Stand, web: Program, cluster: Program) -> Spent:
    server, postgres = started.cost(web).server, started.cost().postgres
    with redis.Redis.from_url(started.services.redis) as cache:
        commands: dict[str, Any] = cache.info("stats")
    return Spent(
        time.monotonic(),
        server,
        started.cost(cluster).server,
        postgres,
        *started.query(COUNTED)[0],
        float(commands["total_commands_processed"]),
    )


def _tell(whole: Spent, own: Spent, idle: Spent, count: int, grown: float) -> None:
    cores = {"web": own.web, "cluster": own.cluster, "PostgreSQL": own.postgres}
    print(f"{count:,} payouts, POSTed and paid in {whole.seconds:.0f} s; of each:")
    for name, used in cores.items():
        print(f"  {name}: {1000 * used / count:.2f} ms of CPU, so {count / used:,.0f} a second of one core")
    print(f"  {own.transactions / count:.1f} transactions, {own.redis_commands / count:.1f} commands of Redis")
    print(f"  {own.inserted / count:.1f} rows inserted and {own.updated / count:.1f} updated")
    print(f"  {own.wal_bytes / count:,.0f} bytes of WAL, {grown / count:,.0f} on the disk")
    idle_cores = (idle.web + idle.cluster + idle.postgres) / idle.seconds
    print(
        f"When nobody calls: {idle.transactions / idle.seconds:.1f} transactions a second, {idle_cores:.1%} of a core"
    )


if __name__ == "__main__":
    sys.exit(main())
