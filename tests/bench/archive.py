"""What archiving gives and costs: `make bench-archive ROWS=5000000`.

On a durable PostgreSQL of its own, with a year of sealed payouts of `sealed.py`. The older half is archived while
clients submit and read and a cluster pays. Before and after: bytes a payout, and how long the whole audit takes,
which looks into every bundle.
"""

import argparse
import http.client
import itertools
import os
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import django
import psycopg

from tests.bench import sealed
from tests.bench.figures import in_columns
from tests.bench.stand import BenchError, Program, Stand, exit_code
from tests.drills.calls import Caller

KEPT = timedelta(days=180)
DELAY_MS = 50
WRITERS, READERS = 2, 2
PAUSE_SECONDS = 0.05
ALONE_SECONDS = 30.0
TABLES = ("payouts_payout", "payouts_attempt", "payouts_event", "payouts_exchange", "payouts_archived")
MOVED = ("payouts_event", "payouts_exchange", "payouts_archived")
SIZES = """
SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
WHERE relname = ANY (%s) AND relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


class Traffic:
    """Clients that submit, and read payouts of the whole year, at a steady pace; `seconds` is what each call took."""

    def __init__(self, started: Stand, port: int, ids: tuple[int, int]) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._ended = threading.Event()
        read, path = itertools.count(7_919, 7_919), "/api/payouts/{}/"  # a prime: the readers come everywhere
        calls: list[Callable[[Caller], int]] = [
            *[lambda caller: caller.submit(user_id=1 + next(read) % 9_000).status] * WRITERS,
            *[lambda caller: caller("GET", path.format(ids[0] + next(read) % (ids[1] - ids[0]))).status] * READERS,
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(Caller(port, started.key), call), daemon=True) for call in calls
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, caller: Caller, call: Callable[[Caller], int]) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            began_at = time.monotonic()
            try:
                status = call(caller)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(type(error).__name__)
                continue
            self.seconds.append(time.monotonic() - began_at)
            if status not in (200, 201):
                self.failures.append(str(status))

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def said(self, since: int) -> str:
        took = sorted(self.seconds[since:])
        return (
            f"{len(took):,} API requests, median {statistics.median(took) * 1000:.0f} ms, "
            f"p99 {took[len(took) * 99 // 100] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-archive", description="What does archiving give and cost?")
    parser.add_argument("--rows", type=int, default=5_000_000, help="payouts (%(default)s)")
    parser.add_argument("--limit", type=int, help="archive after so many payouts no more, of the oldest half")
    arguments = parser.parse_args()
    return exit_code(lambda started: measure(started, arguments.rows, arguments.limit))


def measure(started: Stand, rows: int, limit: int | None) -> None:
    started.prepare()
    os.environ |= started.settings
    django.setup()
    ids = timed(f"fill with {rows:,} payouts", lambda: sealed.fill(started.services.database, rows))
    timed("checkpoints", lambda: started.manage("checkpoint"))
    before = sizes(started)
    timed("audit before", lambda: started.manage("audit"))
    with under_load(started) as (cluster, port):
        traffic = Traffic(started, port, ids)
        time.sleep(min(ALONE_SECONDS, rows / 1_000))
        told(started, traffic, 0, 0, "alone")
        begun, paid = len(traffic.seconds), processed(started)
        day = (datetime.now(UTC) - KEPT).date()
        answer = timed(f"archive --before {day}", lambda: archive(started, f"{day}", limit))
        print(f"  {answer.splitlines()[-1]}")
        told(started, traffic, begun, paid, "meanwhile")
        traffic.stop()
        await_rest(started, cluster)
    archived = int(re.search(r"Archived (\d+)", answer)[1])
    vacuum(started, "VACUUM (ANALYZE)")
    reusable = sizes(started)
    vacuum(started, "VACUUM FULL")
    ((now,),) = started.query("SELECT count(*) FROM payouts_payout")
    show((rows, now, now), archived, (before, reusable, sizes(started)))
    timed("audit after", lambda: started.manage("audit"))


@contextmanager
def under_load(started: Stand) -> Iterator[tuple[Program, int]]:
    with (
        started.provider(DELAY_MS) as url,
        started.web(application="backoffice.wsgi:application") as (_web, port),
        started.cluster(url) as cluster,
    ):
        yield cluster, port


def archive(started: Stand, day: str, limit: int | None) -> str:
    more = ("--limit", str(limit)) if limit else ()
    return started.manage("archive", "--before", day, *more, DATABASE_URL=started.services.database)


def processed(started: Stand) -> int:
    ((count,),) = started.query(
        "SELECT count(*) FROM payouts_payout WHERE processed_at > now() - interval '1 day' AND status = 'processed'"
    )
    return count


def await_rest(started: Stand, cluster: Program) -> None:
    while started.query("SELECT FROM payouts_payout WHERE due_at IS NOT NULL LIMIT 1"):
        if cluster.process.poll() is not None:
            raise cluster.failed()
        time.sleep(0.2)


def told(started: Stand, traffic: Traffic, since: int, paid: int, when: str) -> None:
    print(f"  {when}: {traffic.said(since)}; {processed(started) - paid:,} payouts processed", flush=True)
    if traffic.failures:
        raise BenchError(f"Requests failed: {traffic.failures[:5]}")


def sizes(started: Stand) -> dict[str, int]:
    """Bytes of each table with its indexes."""
    return {name: heap + index for name, heap, index in started.query(SIZES, [list(TABLES)])}


def vacuum(started: Stand, statement: str) -> None:
    def run() -> None:
        with psycopg.connect(started.services.database, autocommit=True) as connection:
            for table in MOVED:
                connection.execute(f"{statement} {table}")

    timed(statement, run)


def show(rows: tuple[int, int, int], archived: int, columns: tuple[dict[str, int], ...]) -> None:
    """Bytes a payout, of so many payouts each time, by table with its indexes."""
    counted = [list(zip(rows, (each[name] for each in columns), strict=True)) for name in TABLES]
    counted.append(list(zip(rows, (sum(each.values()) for each in columns), strict=True)))
    lines = [
        (name, *(f"{size / count:,.0f}" for count, size in line))
        for name, line in zip((*TABLES, "all of them"), counted, strict=True)
    ]
    print(in_columns([("bytes a payout", "before", "after VACUUM", "after VACUUM FULL"), *lines], left=(0,)))
    before, _reusable, after = columns
    moved = (before["payouts_event"] + before["payouts_exchange"]) / rows[0]
    kept = after["payouts_archived"] / archived
    print(f"of an archived payout: {moved:,.0f} bytes of events and exchanges became {kept:,.0f}", flush=True)


def timed[Answer](name: str, job: Callable[[], Answer]) -> Answer:
    began_at = time.monotonic()
    answer = job()
    print(f"{name}: {time.monotonic() - began_at:.1f} s", flush=True)
    return answer


if __name__ == "__main__":
    sys.exit(main())
