"""A supervisor kills its group while that holds payouts: their leases end with it, however long they are."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.bench.stand import BenchError, Stand
from tests.drills.ground import Cluster, Drill, Ground, Hands, Provider, Result, ground, until

# Nothing but the end of the group ends a lease in time, and no call ends before the group does.
SETTINGS = {
    "PROVIDER_TIMEOUT_SECONDS": "120",
    "Q_TIMEOUT_SECONDS": "300",
    "Q_RETRY_SECONDS": "3600",
    "LEASE_SECONDS": "600",
    "STALL_SECONDS": "300",
}
STILL_LEASED = "still wait for the lease of a killed group"

type Victim = Callable[[Cluster], psutil.Process]

# Who dies of itself, and what the provider does with the calls meanwhile: it has paid, or it has not begun.
ROUNDS: dict[str, tuple[Victim, str]] = {
    "monitor": (lambda cluster: cluster.members[-2], "hold"),
    "sentinel": (lambda cluster: cluster.sentinel, "late"),
}


@dataclass(frozen=True)
class Numbers:
    payouts: int
    """For each round."""
    seconds: float
    """Within which what the group held must be paid, or found to be."""


def leases(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "leases") as here:
        provider, hands = here.start_provider(), here.start_hands()
        took: dict[str, float] = {}
        result = Result("")
        for role, (victim, mode) in ROUNDS.items():
            provider.tell(mode)
            hands.do("submit", numbers.payouts)
            cluster, group = _holding(here, provider, numbers.payouts)
            began_at = time.monotonic()
            _strike(cluster, victim(cluster), provider)
            # By then the old group's leases have ended: the supervisor sees to that before it starts a new one.
            _pay_another(here, hands)
            left = here.count("payouts_payout", f"lease_holder = '{group}' AND due_at > clock_timestamp()")
            result.expect(not left, f"{role}: {left} {STILL_LEASED}")
            if left:
                break
            here.await_processed((numbers.payouts + 1) * (len(took) + 1))
            took[role] = time.monotonic() - began_at
            result.expect(took[role] <= numbers.seconds, f"{role}: {took[role]:.0f} s")
            cluster.program.stop()
        times = ", ".join(f"{role} {seconds:.1f} s" for role, seconds in took.items())
        paid = f"paid once each, {times}" if took else "not paid"
        result.figure = f"{numbers.payouts} held by a killed group, under leases of 600 s: {paid}"
        return here.judge(result, provider)


def _holding(here: Ground, provider: Provider, count: int) -> tuple[Cluster, str]:
    """A cluster that holds so many, all of which it is calling the provider for, and the name of its group."""
    called = provider.calls["POST"]
    cluster = here.start_cluster(provider, **SETTINGS)
    until(lambda: provider.calls["POST"] == called + count, "all are being called", say=lambda: cluster.log[-1000:])
    ((group, held),) = here.query(
        "SELECT lease_holder, count(*) FROM payouts_payout WHERE lease_token IS NOT NULL GROUP BY lease_holder"
    )
    if held != count:
        raise BenchError(f"The group holds {held} payouts, not {count}.")
    return cluster, str(group)


def _strike(cluster: Cluster, victim: psutil.Process, provider: Provider) -> None:
    """Until there is a new group; what the old one had sent is answered only then."""
    group = cluster.main.pid
    victim.kill()
    until(lambda: cluster.is_whole and cluster.main.pid != group, "a new group", say=lambda: cluster.log[-1000:])
    provider.tell("let go")


def _pay_another(here: Ground, hands: Hands) -> None:
    """The new group works: it pays what is asked for now."""
    (payout_id,) = hands.do("submit", 1)
    until(
        lambda: here.count("payouts_payout", f"id = {payout_id} AND status = 'processed'"), "the next payout is paid"
    )


LEASES = Drill(leases, full=Numbers(payouts=20, seconds=60), small=Numbers(payouts=4, seconds=math.inf))
