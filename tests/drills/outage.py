"""The provider is away for a minute, in three ways at once: each on a ground of its own."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.bench.stand import Stand
from tests.drills.ground import Ground, Provider, Result, ground, until

PAYOUTS = 1_000
OUTAGE_SECONDS = 60
RECOVERY_SECONDS = 120
# Two workers claim twice PROVIDER_CONCURRENCY each before the first failures are known; then one probe at a time.
CALLS_LIMIT = 200
WAYS = {"refuse": "listen", "hang": "pay", "fail": "pay"}
SHOWN = {"refuse": "refused", "hang": "hanging", "fail": "503"}


@dataclass
class Outage:
    here: Ground
    provider: Provider
    way: str
    calls: int = 0
    recovered_at: float = 0.0

    def is_over(self) -> bool:
        if not self.recovered_at and self.here.count("payouts_payout", "status = 'processed'") == PAYOUTS:
            self.recovered_at = time.monotonic()
        return bool(self.recovered_at)


def outage(stand: Stand) -> Result:
    with (
        ground(stand, "refused") as refused,
        ground(stand, "hanging") as hanging,
        ground(stand, "failing") as failing,
    ):
        outages = [
            Outage(here, here.start_provider(), way)
            for here, way in zip((refused, hanging, failing), WAYS, strict=True)
        ]
        hands = [each.here.start_hands() for each in outages]
        with ThreadPoolExecutor(len(hands)) as threads:
            list(threads.map(lambda one: one.do("submit", PAYOUTS), hands))
        for each in outages:
            each.provider.tell("delay 50")
            each.provider.tell(each.way)
            each.here.start_cluster(each.provider)
        time.sleep(OUTAGE_SECONDS)
        for each in outages:
            ((each.calls,),) = each.here.query("SELECT coalesce(sum(calls), 0)::int FROM payouts_attempt")
            each.provider.tell(WAYS[each.way])
        back_at = time.monotonic()
        until(
            lambda: not [each for each in outages if not each.is_over()],
            f"all {PAYOUTS} processed in each",
            2 * RECOVERY_SECONDS,
            say=lambda: "; ".join(f"{SHOWN[each.way]}: {each.here.statuses()}" for each in outages),
        )
        result = Result(
            f"{PAYOUTS} due, {OUTAGE_SECONDS} s without the provider, all paid: "
            + "; ".join(
                f"{SHOWN[each.way]}: {each.recovered_at - back_at:.0f} s after it was back, {each.calls} calls before"
                for each in outages
            )
        )
        for each in outages:
            took = each.recovered_at - back_at
            result.expect(each.calls <= CALLS_LIMIT, f"{SHOWN[each.way]}: {each.calls} calls in the outage")
            result.expect(took < RECOVERY_SECONDS, f"{SHOWN[each.way]}: recovered in {took:.0f} s")
            each.here.judge(result, each.provider)
        return result
