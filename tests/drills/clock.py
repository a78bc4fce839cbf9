"""Two clusters whose clocks are ten minutes ahead and ten minutes behind."""

from dataclasses import dataclass

from tests.bench.stand import Stand
from tests.drills.ground import SHORT_LEASES, Drill, Result, ground

LATER_SECONDS = 8
OFF_SECONDS = 600

EARLY = """
SELECT count(*) FROM payouts_payout p JOIN payouts_event e ON e.payout_id = p.id
WHERE e.event = 'claimed' AND e.at < p.scheduled_for
"""


@dataclass(frozen=True)
class Numbers:
    at_once: int
    later: int

    @property
    def all(self) -> int:
        return self.at_once + self.later


def clock(stand: Stand, numbers: Numbers) -> Result:
    """With short leases, so that a lease by the wrong clock would be over, or never."""
    with ground(stand, "clock") as here:
        provider, hands = here.start_provider(), here.start_hands()
        provider.tell("delay 500")
        clusters = [
            here.start_cluster(provider, ill=("clock", f"{seconds:+}"), **SHORT_LEASES)
            for seconds in (OFF_SECONDS, -OFF_SECONDS)
        ]
        hands.do("submit", numbers.later, later_seconds=LATER_SECONDS)
        hands.do("submit", numbers.at_once, with_pumps=1)
        here.await_processed(numbers.all)
        ((early,),) = here.query(EARLY)
        posts = provider.calls["POST"]
        restarts = sum(cluster.log.count("cluster_restarted") for cluster in clusters)
        result = Result(
            f"two clusters {OFF_SECONDS} s ahead and behind: {numbers.all} paid once each, "
            f"{early} of {numbers.later} scheduled ones early"
        )
        result.expect(posts == numbers.all, f"{posts} POSTs")
        result.expect(early == 0, f"{early} paid before their time")
        result.expect(restarts == 0, f"the clusters were restarted {restarts} times")
        return here.judge(result, provider)


CLOCK = Drill(clock, full=Numbers(at_once=300, later=100), small=Numbers(at_once=20, later=5))
