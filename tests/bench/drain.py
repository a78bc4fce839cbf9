"""How fast due payouts are paid, from the first claim to the last outcome by the database's own clock."""

import statistics
import time
from dataclasses import dataclass

from tests.bench.figures import Figure
from tests.bench.numbers import Numbers
from tests.bench.stand import BenchError, Cost, Program, Stand, fetch

PATIENCE_SECONDS = 600
WORKERS = 2

RATE = """
SELECT count(*) FILTER (WHERE event = 'succeeded'),
       extract(
           epoch FROM max(at) FILTER (WHERE event = 'succeeded') - min(at) FILTER (WHERE event = 'claimed')
       )::float8
FROM payouts_event WHERE payout_id > %s
"""
WHOLE = """
SELECT (SELECT count(*) FROM payouts_payout WHERE id > %(after)s AND status = 'processed' AND version = 3),
       (SELECT count(*) FROM payouts_event WHERE payout_id > %(after)s AND event = 'submitted'),
       (SELECT count(*) FROM payouts_event WHERE payout_id > %(after)s AND event = 'claimed'),
       (SELECT count(*) FROM payouts_event WHERE payout_id > %(after)s AND event = 'succeeded'),
       (SELECT count(*) FROM payouts_attempt WHERE payout_id > %(after)s AND outcome = 'succeeded' AND calls = 1)
"""


@dataclass(frozen=True)
class Drained:
    per_second: float
    cost: Cost


def over_http(stand: Stand, count: int) -> Figure:
    """The real cluster with two workers, and a provider that takes 50 ms for each payment."""
    with stand.workers(WORKERS) as workers:
        after = submit(stand, workers, count)
    with stand.provider(50) as url, stand.cluster(url) as cluster:
        start = stand.cost(cluster)
        _await_all(stand, after, count, cluster)
        drained = _drained(stand, after, count, start, cluster)
        ledger = fetch(f"{url}/ledger")
    if ledger != {"payments": count, "posts": count}:
        raise BenchError(f"The provider should have {count} payments of as many POSTs, and has {ledger}.")
    return Figure(f"drain of {count}, provider of 50 ms over HTTP", "/s", drained.per_second, 300, cost=drained.cost)


def in_process(stand: Stand, numbers: Numbers) -> Drained:
    """Two processes that run the pump, each with a provider of its own that answers at once: the median of some."""
    results = []
    with stand.workers(WORKERS) as workers:
        for _ in range(numbers.instant_rounds):
            after = submit(stand, workers, numbers.instant_payouts)
            before = stand.cost(*workers)
            _all(workers, "pump")
            results.append(_drained(stand, after, numbers.instant_payouts, before, *workers))
    return Drained(
        statistics.median(result.per_second for result in results),
        Cost(
            statistics.median(result.cost.server for result in results),
            statistics.median(result.cost.postgres for result in results),
        ),
    )


def submit(stand: Stand, workers: list[Program], count: int) -> int:
    """Make this many due payouts; returns the last id before them."""
    ((after,),) = stand.query("SELECT coalesce(max(id), 0) FROM payouts_payout")
    _all(workers, f"submit {count // len(workers)}")
    return after


def _all(workers: list[Program], command: str) -> None:
    for worker in workers:
        assert worker.process.stdin is not None
        worker.process.stdin.write(f"{command}\n")
        worker.process.stdin.flush()
    for worker in workers:
        worker.ask()


def _await_all(stand: Stand, after: int, count: int, cluster: Program) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    # What is paid is not due, and what is not paid is: a look at the small index costs the drain nothing.
    while stand.query("SELECT EXISTS (SELECT 1 FROM payouts_payout WHERE due_at IS NOT NULL AND id > %s)", [after])[
        0
    ][0]:
        if cluster.process.poll() is not None or time.monotonic() > deadline:
            raise cluster.failed()
        time.sleep(0.2)


def _drained(stand: Stand, after: int, count: int, before: Cost, *programs: Program) -> Drained:
    """Raises BenchError unless each payout was paid once, with its events and its attempt."""
    cost = stand.cost(*programs).per_thousand(before, count)
    whole = stand.query(WHOLE, {"after": after})[0]
    if set(whole) != {count}:
        raise BenchError(f"Of {count} payouts: processed, submitted, claimed, succeeded, attempts are {whole}.")
    ((paid, seconds),) = stand.query(RATE, [after])
    return Drained(paid / seconds, cost)
