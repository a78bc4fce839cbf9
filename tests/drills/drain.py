"""One SIGTERM, to a cluster's process or to its group, while it pays: a hundred times."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import partial

from tests.bench.stand import Stand
from tests.drills.ground import PATIENCE_SECONDS, Cluster, Drill, Ground, Provider, Result, ground, until

# Narrow, so that something is due at each stop, and patient, so that calls wait for it.
SETTINGS = {
    "PROVIDER_CONCURRENCY": "4",
    "PROVIDER_TIMEOUT_SECONDS": "300",
    "LEASE_SECONDS": "900",
    "Q_TIMEOUT_SECONDS": "600",
    "Q_RETRY_SECONDS": "3600",
    "STALL_SECONDS": "600",
}


# A supervisor looks for its signals five times a second.
SEEN_WITHIN_SECONDS = 2


@dataclass(frozen=True)
class Numbers:
    rounds: int
    at_once: int
    payouts: int
    """More than those that are under way at all stops together: a cluster has two workers of two batches."""

    @property
    def stops(self) -> int:
        return self.rounds * self.at_once


def drain(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "drain") as here:
        provider = here.start_provider()
        here.start_hands().do("submit", numbers.payouts)
        codes: list[int | None] = []
        faults = Result("")
        slowest = 0.0
        for _ in range(numbers.rounds):
            clusters = _paying(here, provider, numbers.at_once)
            began_at = time.monotonic()
            for place, cluster in enumerate(clusters):
                (os.killpg if place % 2 else os.kill)(cluster.process.pid, signal.SIGTERM)
            # While the answers are held, no worker takes more; from then on none begins anything new.
            time.sleep(SEEN_WITHIN_SECONDS)
            provider.tell("let go")
            codes += [_exit_code(cluster) for cluster in clusters]
            slowest = max(slowest, time.monotonic() - began_at)
            left = here.count("payouts_payout", "lease_token IS NOT NULL")
            faults.expect(not left, f"{left} payouts were left under way")
        stopped_at_work = here.count("payouts_payout", "status = 'pending'")
        here.start_cluster(provider)
        here.await_processed(numbers.payouts)
        drained = codes.count(0)
        result = Result(
            f"{drained} of {len(codes)} stops drained and exited with 0, the slowest {numbers.at_once} together in "
            f"{slowest:.0f} s; nothing left under way, all {numbers.payouts} paid once",
            faults.faults,
        )
        result.expect(drained == numbers.stops, f"exit codes {sorted(set(codes), key=str)}")
        result.expect(stopped_at_work, "there was nothing left to pay before the last stop")
        result.expect(provider.calls["POST"] == numbers.payouts, f"{provider.calls['POST']} POSTs")
        return here.judge(result, provider)


def _paying(here: Ground, provider: Provider, count: int) -> list[Cluster]:
    """So many clusters, each of which waits for the provider's answers."""
    provider.tell("hold")
    clusters = [here.start_cluster(provider, waits=False, **SETTINGS) for _ in range(count)]
    for cluster in clusters:
        until(partial(cluster.calls, provider), "every cluster calls the provider")
    return clusters


def _exit_code(cluster: Cluster) -> int | None:
    try:
        return cluster.process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None


DRAIN = Drill(
    drain, full=Numbers(rounds=10, at_once=10, payouts=3_000), small=Numbers(rounds=2, at_once=2, payouts=200)
)
