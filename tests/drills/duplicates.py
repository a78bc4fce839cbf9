"""The same work handed out again and again, and work that is given up and comes back."""

import signal

from tests.bench.stand import BenchError, Stand
from tests.drills.ground import SHORT_LEASES, Result, ground, until

PAYOUTS, PUMPS_EACH = 300, 8
STOPPED = 20
# Long enough that neither the call, nor q2's time limit, nor the supervisor ends before it can be recorded late.
PATIENT = SHORT_LEASES | {"PROVIDER_TIMEOUT_SECONDS": "12", "Q_TIMEOUT_SECONDS": "120", "STALL_SECONDS": "120"}


def duplicates(stand: Stand) -> Result:
    """Eight pump tasks for each payout, and two clusters that run them all."""
    with ground(stand, "duplicates") as here:
        provider, hands = here.start_provider(), here.start_hands()
        provider.tell("delay 50")
        clusters = [here.start_cluster(provider) for _ in range(2)]
        hands.do("submit", PAYOUTS, with_pumps=PUMPS_EACH)
        here.await_processed(PAYOUTS)
        until(lambda: not here.count("django_q_ormq", "key = 'payouts'"), "every pump has run")
        posts = provider.calls["POST"]
        late = sum(cluster.log.count("result_dropped") for cluster in clusters)
        result = Result(
            f"{PAYOUTS} payouts, {PUMPS_EACH} tasks each, two clusters: {posts} calls, {late} late writes"
        )
        result.expect(posts == PAYOUTS, f"{posts} calls")
        result.expect(late == 0, f"{late} late results")
        return here.judge(result, provider)


def stopped(stand: Stand) -> Result:
    """A whole cluster is stopped in mid-call, and goes on when another has paid what it held."""
    with ground(stand, "stopped") as here:
        provider, hands = here.start_provider(), here.start_hands()
        provider.tell("delay 11000")
        frozen = here.start_cluster(provider, **PATIENT)
        hands.do("submit", STOPPED)
        until(lambda: provider.calls["POST"] == STOPPED, "all are being called")
        family = frozen.family
        for process in family:
            process.send_signal(signal.SIGSTOP)
        if paid_before := here.statuses().get("processed", 0):
            raise BenchError(
                f"{paid_before} were paid before the cluster was stopped: the machine is too slow for this."
            )
        provider.tell("delay 0")
        here.start_cluster(provider, **SHORT_LEASES)
        seconds = here.await_processed(STOPPED)
        for process in family:
            process.send_signal(signal.SIGCONT)
        until(lambda: _dropped(frozen.log) == STOPPED, "every late result is dropped", 30, lambda: frozen.log[-1000:])
        result = Result(
            f"{STOPPED} payouts of a cluster stopped in mid-call: paid once each, recorded by another "
            f"{seconds:.0f} s later, {_dropped(frozen.log)} late results dropped"
        )
        result.expect(provider.calls["POST"] == STOPPED, f"{provider.calls['POST']} POSTs")
        return here.judge(result, provider)


def _dropped(log: str) -> int:
    return log.count("result_dropped")
