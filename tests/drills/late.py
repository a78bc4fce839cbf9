"""A worker outlives its lease, and pays after the provider has refused another worker's call under the same key."""

import signal
from dataclasses import dataclass

from tests.bench.stand import BenchError, Stand
from tests.drills.duplicates import PATIENT
from tests.drills.ground import SHORT_LEASES, Cluster, Drill, Ground, Result, ground, until

LEFT_FAILED = "paid by the late call, and still failed here"


@dataclass(frozen=True)
class Numbers:
    retried: int
    """Payouts that a person sends again before the worker comes back with its success."""
    left: int
    """Payouts that nobody touches: the late success alone tells."""


def late_success(stand: Stand, numbers: Numbers) -> Result:
    """The provider has the first worker's POSTs and does not act on them, until it has refused the second's.

    The first worker is stopped meanwhile: only so does it outlive its lease, since its calls end before that.
    """
    with ground(stand, "late-success") as here:
        provider, hands = here.start_provider(), here.start_hands()
        count = numbers.retried + numbers.left
        provider.tell("late")
        ids: list[int] = hands.do("submit", count)
        slow = here.start_cluster(provider, **PATIENT)
        until(lambda: provider.calls["POST"] == count, "all are being called", say=lambda: slow.log[-1000:])
        family = slow.family
        for process in family:
            process.send_signal(signal.SIGSTOP)
        provider.tell("reject")
        here.start_cluster(provider, **SHORT_LEASES)
        until(lambda: here.statuses() == {"failed": count}, "all are refused", say=lambda: f"{here.statuses()}")
        provider.tell("let go")
        until(lambda: len(provider.payments) == count, "the first calls pay")
        sent_again = hands.do("decide", "retry", ids[: numbers.retried])
        here.await_processed(numbers.retried)
        for process in family:
            process.send_signal(signal.SIGCONT)
        _drain(slow)
        here.await_rest()
        failed = here.count("payouts_payout", "status = 'failed'")
        result = Result(
            f"{count} refused, then paid by calls that outlived their leases, {sent_again} of them sent again by a "
            f"person meanwhile: {len(provider.payments)} payments, {here.statuses().get('processed', 0)} processed, "
            f"{_late_successes(here)} late successes kept"
        )
        result.expect(not failed, f"{failed} {LEFT_FAILED}")
        result.expect(sent_again == numbers.retried, f"only {sent_again} of {numbers.retried} could be sent again")
        result.expect(_late_successes(here) == count, f"{_late_successes(here)} late successes kept")
        retried = hands.do("decide", "retry", ids)
        result.expect(not retried, f"{retried} that are paid could be sent again")
        here.await_rest()
        posts = provider.calls["POST"]
        result.expect(posts == 2 * count, f"{posts} POSTs, not one of each worker for each")
        return here.judge(result, provider)


def _drain(cluster: Cluster) -> None:
    """Until all that it was doing is recorded."""
    cluster.program.stop()
    if cluster.process.returncode:
        raise BenchError(f"The late worker was not drained.\n{cluster.log[-2000:]}")


def _late_successes(here: Ground) -> int:
    """First calls that have been answered with a success; of those here each has lost its lease."""
    return here.count("payouts_exchange", "call = 1 AND verdict = 'succeeded' AND code = ''")


LATE_SUCCESS = Drill(late_success, full=Numbers(retried=10, left=10), small=Numbers(retried=2, left=2))
