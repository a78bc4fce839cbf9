"""The provider is away for a minute, in three ways at once: each on a ground of its own."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.bench.stand import Stand
from tests.drills.ground import PATIENCE_SECONDS, Drill, Ground, Provider, Result, ground, until

# Two workers claim twice PROVIDER_CONCURRENCY each before the first failures are known; then one probe at a time.
CALLS_LIMIT = 200
WAYS = {"refuse": "listen", "hang": "pay", "fail": "pay"}
SHOWN = {"refuse": "refused", "hang": "hanging", "fail": "503"}


@dataclass(frozen=True)
class Numbers:
    payouts: int
    outage_seconds: float
    recovery_seconds: float


@dataclass
class Outage:
    here: Ground
    provider: Provider
    way: str
    payouts: int
    calls: int = 0
    recovered_at: float = 0.0

    def is_over(self) -> bool:
        if not self.recovered_at and self.here.count("payouts_payout", "status = 'processed'") == self.payouts:
            self.recovered_at = time.monotonic()
        return bool(self.recovered_at)


def outage(stand: Stand, numbers: Numbers) -> Result:
    with (
        ground(stand, "refused") as refused,
        ground(stand, "hanging") as hanging,
        ground(stand, "failing") as failing,
    ):
        outages = [
            Outage(here, here.start_provider(), way, numbers.payouts)
            for here, way in zip((refused, hanging, failing), WAYS, strict=True)
        ]
        hands = [each.here.start_hands() for each in outages]
        with ThreadPoolExecutor(len(hands)) as threads:
            list(threads.map(lambda one: one.do("submit", numbers.payouts), hands))
        for each in outages:
            each.provider.tell("delay 50")
            each.provider.tell(each.way)
            each.here.start_cluster(each.provider)
        time.sleep(numbers.outage_seconds)
        for each in outages:
            ((each.calls,),) = each.here.query("SELECT coalesce(sum(calls), 0)::int FROM payouts_attempt")
            each.provider.tell(WAYS[each.way])
        back_at = time.monotonic()
        until(
            lambda: not [each for each in outages if not each.is_over()],
            f"all {numbers.payouts} processed in each",
            PATIENCE_SECONDS,
            say=lambda: "; ".join(f"{SHOWN[each.way]}: {each.here.statuses()}" for each in outages),
        )
        result = Result(
            f"{numbers.payouts} due, {numbers.outage_seconds:.0f} s without the provider, all paid: "
            + "; ".join(
                f"{SHOWN[each.way]}: {each.recovered_at - back_at:.0f} s after it was back, {each.calls} calls before"
                for each in outages
            )
        )
        for each in outages:
            took = each.recovered_at - back_at
            result.expect(each.calls <= CALLS_LIMIT, f"{SHOWN[each.way]}: {each.calls} calls in the outage")
            result.expect(took < numbers.recovery_seconds, f"{SHOWN[each.way]}: recovered in {took:.0f} s")
            each.here.judge(result, each.provider)
        return result


OUTAGE = Drill(
    outage,
    full=Numbers(payouts=1_000, outage_seconds=60, recovery_seconds=120),
    small=Numbers(payouts=80, outage_seconds=8, recovery_seconds=math.inf),
)
