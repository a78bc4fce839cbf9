"""One SIGTERM, to a cluster's process or to its group, while it pays: a hundred times."""

import os
import signal
import subprocess
import time

from tests.bench.stand import Stand
from tests.drills.ground import Cluster, Ground, Provider, Result, ground, until

STOPS, AT_ONCE = 100, 10
PAYOUTS = 3_000
# Slow and narrow, so that there is always something under way and something due.
SLOW = {"PROVIDER_CONCURRENCY": "4"}
DELAY_MS = 2_000
STOP_SECONDS = 60


def drain(stand: Stand) -> Result:
    with ground(stand, "drain") as here:
        provider = here.start_provider()
        provider.tell(f"delay {DELAY_MS}")
        here.start_hands().do("submit", PAYOUTS)
        codes: list[int | None] = []
        faults = Result("")
        slowest = 0.0
        for _ in range(STOPS // AT_ONCE):
            clusters = _paying(here, provider)
            began_at = time.monotonic()
            for place, cluster in enumerate(clusters):
                (os.killpg if place % 2 else os.kill)(cluster.process.pid, signal.SIGTERM)
            codes += [_exit_code(cluster) for cluster in clusters]
            slowest = max(slowest, time.monotonic() - began_at)
            left = here.count("payouts_payout", "lease_token IS NOT NULL")
            faults.expect(not left, f"{left} payouts were left under way")
        stopped_at_work = here.count("payouts_payout", "status = 'pending'")
        provider.tell("delay 0")
        here.start_cluster(provider)
        here.await_processed(PAYOUTS)
        drained = codes.count(0)
        result = Result(
            f"{drained} of {len(codes)} stops drained and exited with 0, the slowest {AT_ONCE} together in "
            f"{slowest:.0f} s; nothing left under way, all {PAYOUTS} paid once",
            faults.faults,
        )
        result.expect(drained == STOPS, f"exit codes {sorted(set(codes), key=str)}")
        result.expect(stopped_at_work, "there was nothing left to pay before the last stop")
        result.expect(provider.calls["POST"] == PAYOUTS, f"{provider.calls['POST']} POSTs")
        return here.judge(result, provider)


def _paying(here: Ground, provider: Provider) -> list[Cluster]:
    """So many clusters, each of which has called the provider."""
    beats = here.count("payouts_heartbeat")
    clusters = [here.start_cluster(provider, waits=False, **SLOW) for _ in range(AT_ONCE)]
    until(lambda: here.count("payouts_heartbeat") >= beats + AT_ONCE, "every cluster lives")
    until(
        lambda: here.count("payouts_payout", "lease_token IS NOT NULL") >= AT_ONCE * 4,
        "the clusters are at work",
    )
    return clusters


def _exit_code(cluster: Cluster) -> int | None:
    try:
        return cluster.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return None
