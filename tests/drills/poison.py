"""One payout that nobody can pay among 200, in four ways, each on a ground of its own."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.stand import Stand
from tests.drills.ground import PATIENCE_SECONDS, SHORT_LEASES, Drill, Ground, Provider, Result, ground, until

POISON_AMOUNT = "666.66"
# How the payout is spoilt in SQL, or how the cluster is ill.
WAYS = {
    "unreadable": ("recipient = 'gAAAAAx'", ()),
    "altered": ("user_id = user_id + 1", ()),
    "adapter raises": ("", ("raises",)),
    "worker killed": ("", ("kills",)),
}


@dataclass
class Poisoned:
    here: Ground
    provider: Provider
    way: str
    payouts: int
    began_at: float
    seconds: float = 0.0

    def is_over(self) -> bool:
        flagged = self.here.count("payouts_payout", "attention <> ''")
        if not self.seconds and flagged and self.here.statuses().get("processed") == self.payouts - 1:
            self.seconds = time.monotonic() - self.began_at
        return bool(self.seconds)


def poison(stand: Stand, payouts: int) -> Result:
    with ExitStack() as stack:
        cases = [_poisoned(stack.enter_context(ground(stand, "poison")), way, payouts) for way in WAYS]
        until(
            lambda: not [case for case in cases if not case.is_over()],
            f"{payouts - 1} processed and one flagged",
            PATIENCE_SECONDS,
            say=lambda: "; ".join(f"{case.way}: {case.here.statuses()}" for case in cases),
        )
        result = Result(
            f"1 among {payouts}: {payouts - 1} paid and 1 flagged, each time: "
            + ", ".join(f"{case.way} {case.seconds:.0f} s" for case in cases)
        )
        for case in cases:
            ((flags,),) = case.here.query("SELECT array_agg(attention) FROM payouts_payout WHERE attention <> ''")
            result.expect(len(flags) == 1, f"{case.way}: flagged are {flags}")
            named = Result("")
            case.here.judge(named, case.provider)
            # What SQL has done to a row is what the audit is for.
            spoilt = case.way in ("unreadable", "altered")
            result.expect(len(named.faults) == int(spoilt), f"{case.way}: {named.faults}")
        return result


def _poisoned(here: Ground, way: str, payouts: int) -> Poisoned:
    spoilt, ill = WAYS[way]
    provider, hands = here.start_provider(), here.start_hands()
    hands.do("submit", payouts // 2)
    (payout_id,) = hands.do("submit", 1, amount=POISON_AMOUNT)
    hands.do("submit", payouts // 2 - 1)
    if spoilt:
        here.query(f"UPDATE payouts_payout SET {spoilt} WHERE id = {payout_id} RETURNING id")
    began_at = time.monotonic()
    here.start_cluster(provider, ill=ill, waits=False, **SHORT_LEASES)
    return Poisoned(here, provider, way, payouts, began_at)


POISON = Drill(poison, full=200, small=20)
