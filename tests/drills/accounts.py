"""The settings name another account of the provider, while what was sent to one of them is not answered."""

from tests.bench.stand import Stand
from tests.drills.ground import SHORT_LEASES, Drill, Result, ground, until

PAID_ELSEWHERE = "paid at another account too"


def other_account(stand: Stand, payouts: int) -> Result:
    """PROVIDER_URL points at another program, with a ledger of its own, and then at the first again."""
    with ground(stand, "other-account") as here:
        ours, other, hands = here.start_provider(), here.start_provider(), here.start_hands()
        ours.tell("hold")
        ids: list[int] = hands.do("submit", payouts)
        cluster = here.start_cluster(ours, **SHORT_LEASES)
        until(lambda: here.statuses() == {"unknown": payouts}, "all are timed out", say=lambda: f"{here.statuses()}")
        cluster.program.stop()
        ours.tell("let go")
        cluster = here.start_cluster(other, **SHORT_LEASES)
        here.await_rest()
        cluster.program.stop()
        flagged = here.count("payouts_payout", "attention = 'other_account'")
        calls = sum(other.calls.values())
        result = Result(f"{payouts} timed out and paid at one account; at another {calls} calls, {flagged} flagged")
        result.expect(not other.payments, f"{len(other.payments)} {PAID_ELSEWHERE}")
        result.expect(not calls, f"the other account was called: {dict(other.calls)}")
        result.expect(flagged == payouts, f"{flagged} flagged")
        if not result.faults:
            here.start_cluster(ours, **SHORT_LEASES)
            asked = hands.do("decide", "ask_now", ids)
            here.await_processed(payouts)
            result.expect(asked == payouts, f"{asked} could be asked about")
            result.figure += (
                f"; back at the first, {asked} asked about by a person: all processed, "
                f"{len(ours.payments) + len(other.payments)} payments in both ledgers"
            )
        return here.judge(result, ours, other)


OTHER_ACCOUNT = Drill(other_account, full=20, small=4)
