"""Any process of the cluster is killed, and all workers are killed or stopped: the next payout is paid in time."""

import signal
import time
from collections.abc import Callable

import psutil

from tests.bench.stand import Stand
from tests.drills.ground import Cluster, Result, ground, until

LIMIT_SECONDS = 60
# A cluster that hangs with every process alive shows by its heartbeat alone: one is sent every SWEEP_SECONDS (10) and
# waited for for STALL_SECONDS (60), then the group is started afresh.
HUNG_LIMIT_SECONDS = 80
STOPPED = "all workers stopped"
IDLE_SECONDS = 1.0
MEMBERS = 4  # two workers, the monitor, the pusher

type Victims = Callable[[Cluster], list[psutil.Process]]

KILLED: dict[str, Victims] = {
    "its child": lambda cluster: [cluster.main],
    "sentinel": lambda cluster: [cluster.sentinel],
    "worker": lambda cluster: cluster.workers[:1],
    "monitor": lambda cluster: cluster.members[-2:-1],
    "pusher": lambda cluster: cluster.members[-1:],
    "all workers": lambda cluster: cluster.workers,
}


def kills(stand: Stand) -> Result:
    """With the default settings, each time on a cluster that idles."""
    with ground(stand, "kills") as here:
        provider, hands = here.start_provider(), here.start_hands()
        cluster = here.start_cluster(provider)
        took: dict[str, float] = {}

        def strike(role: str, victims: list[psutil.Process], number: int) -> None:
            for victim in victims:
                victim.send_signal(number)
            hands.do("submit", 1)
            count = len(took) + 1
            if role == "supervisor":  # whoever started it starts it again
                here.start_cluster(provider, waits=False)
            took[role] = here.await_processed(count)

        for role, victims in KILLED.items():
            until(lambda: len(cluster.members) == MEMBERS, "the cluster is whole again")
            time.sleep(IDLE_SECONDS)
            strike(role, victims(cluster), signal.SIGKILL)
        until(lambda: len(cluster.members) == MEMBERS, "the cluster is whole again")
        strike(STOPPED, cluster.workers, signal.SIGSTOP)
        strike("supervisor", [psutil.Process(cluster.process.pid)], signal.SIGKILL)
        result = Result("next payout paid after " + ", ".join(f"{role} {took[role]:.1f} s" for role in took))
        for role, seconds in took.items():
            limit = HUNG_LIMIT_SECONDS if role == STOPPED else LIMIT_SECONDS
            result.expect(seconds <= limit, f"{role}: {seconds:.0f} s")
        return here.judge(result, provider)
