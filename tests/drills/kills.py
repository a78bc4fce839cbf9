"""Any process of the cluster is killed, and all workers are killed or stopped: the next payout is paid in time."""

import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from tests.bench.stand import Stand
from tests.drills.ground import SHORT_LEASES, Cluster, Drill, Result, ground, until

STOPPED = "all workers stopped"
SUPERVISOR = "supervisor"
IDLE_SECONDS = 1.0

type Victims = Callable[[Cluster], list[psutil.Process]]

KILLED: dict[str, Victims] = {
    "its child": lambda cluster: [cluster.main],
    "sentinel": lambda cluster: [cluster.sentinel],
    "worker": lambda cluster: cluster.workers[:1],
    "monitor": lambda cluster: cluster.members[-2:-1],
    "pusher": lambda cluster: cluster.members[-1:],
    "all workers": lambda cluster: cluster.workers,
}


@dataclass(frozen=True)
class Numbers:
    seconds: float
    """Within which the next payout must be paid."""
    hung_seconds: float
    """The same for a cluster that hangs with every process alive. It shows by its heartbeat alone: one is sent every
    SWEEP_SECONDS and waited for for STALL_SECONDS, then the group is started afresh."""
    settings: dict[str, str] = field(default_factory=dict)


def kills(stand: Stand, numbers: Numbers) -> Result:
    """Each time on a cluster that idles."""
    with ground(stand, "kills") as here:
        provider, hands = here.start_provider(), here.start_hands()
        cluster = here.start_cluster(provider, **numbers.settings)
        took: dict[str, float] = {}

        def strike(role: str, victims: list[psutil.Process], number: int) -> None:
            group = cluster.main.pid
            for victim in victims:
                victim.send_signal(number)
            hands.do("submit", 1)
            count = len(took) + 1
            if role == SUPERVISOR:  # whoever started it starts it again
                here.start_cluster(provider, waits=False, **numbers.settings)
            took[role] = here.await_processed(count)
            if role != SUPERVISOR:
                until(lambda: cluster.is_whole and cluster.main.pid != group, f"a new group after {role}")
                time.sleep(IDLE_SECONDS)

        for role, victims in KILLED.items():
            strike(role, victims(cluster), signal.SIGKILL)
        strike(STOPPED, cluster.workers, signal.SIGSTOP)
        strike(SUPERVISOR, [psutil.Process(cluster.process.pid)], signal.SIGKILL)
        result = Result("next payout paid after " + ", ".join(f"{role} {took[role]:.1f} s" for role in took))
        for role, seconds in took.items():
            limit = numbers.hung_seconds if role == STOPPED else numbers.seconds
            result.expect(seconds <= limit, f"{role}: {seconds:.0f} s")
        return here.judge(result, provider)


# By default a heartbeat is sent every 10 seconds and waited for for 60.
KILLS = Drill(
    kills,
    full=Numbers(seconds=60, hung_seconds=80),
    small=Numbers(seconds=math.inf, hung_seconds=math.inf, settings=SHORT_LEASES),
)
