"""The same work handed out again and again, and work that is given up and comes back."""

import signal

from tests.bench.stand import Stand
from tests.drills.ground import SHORT_LEASES, Drill, Result, ground, until

PUMPS_EACH = 8
# What is in mid-call when its cluster is stopped: neither the call, nor q2's time limit, nor the supervisor ends it
# before its result comes late. Its lease is as short as such a call allows.
PATIENT = {
    "PROVIDER_TIMEOUT_SECONDS": "30",
    "LEASE_SECONDS": "35",
    "Q_TIMEOUT_SECONDS": "900",
    "Q_RETRY_SECONDS": "3600",
    "STALL_SECONDS": "900",
}


def duplicates(stand: Stand, payouts: int) -> Result:
    """Eight pump tasks for each payout, and two clusters that run them all."""
    with ground(stand, "duplicates") as here:
        provider, hands = here.start_provider(), here.start_hands()
        provider.tell("delay 50")
        clusters = [here.start_cluster(provider) for _ in range(2)]
        hands.do("submit", payouts, with_pumps=PUMPS_EACH)
        here.await_processed(payouts)
        until(lambda: not here.count("django_q_ormq", "key = 'payouts'"), "every pump has run")
        posts = provider.calls["POST"]
        late = sum(_late(cluster.log) for cluster in clusters)
        result = Result(
            f"{payouts} payouts, {PUMPS_EACH} tasks each, two clusters: {posts} calls, {late} late writes"
        )
        result.expect(posts == payouts, f"{posts} calls")
        result.expect(late == 0, f"{late} late results")
        return here.judge(result, provider)


def stopped(stand: Stand, payouts: int) -> Result:
    """A whole cluster is stopped in mid-call, and goes on when another has paid what it held.

    All are due when it begins, so one claim takes them. The provider pays, and holds its answers back until the
    cluster is stopped.
    """
    with ground(stand, "stopped") as here:
        provider, hands = here.start_provider(), here.start_hands()
        provider.tell("hold")
        hands.do("submit", payouts)
        frozen = here.start_cluster(provider, **PATIENT)
        until(lambda: provider.calls["POST"] == payouts, "all are being called", say=lambda: frozen.log[-1000:])
        family = frozen.family
        for process in family:
            process.send_signal(signal.SIGSTOP)
        provider.tell("let go")
        here.start_cluster(provider, **SHORT_LEASES)
        seconds = here.await_processed(payouts)
        for process in family:
            process.send_signal(signal.SIGCONT)
        until(lambda: _late(frozen.log) == payouts, "every late result is kept", say=lambda: frozen.log[-1000:])
        result = Result(
            f"{payouts} payouts of a cluster stopped in mid-call: paid once each, recorded by another "
            f"{seconds:.0f} s later, {_late(frozen.log)} late results kept"
        )
        result.expect(provider.calls["POST"] == payouts, f"{provider.calls['POST']} POSTs")
        return here.judge(result, provider)


def _late(log: str) -> int:
    return log.count("result_late")


DUPLICATES = Drill(duplicates, full=300, small=20)
STOPPED = Drill(stopped, full=20, small=4)
