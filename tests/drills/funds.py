"""More is approved than there is in the account."""

import signal
from decimal import Decimal

from tests.bench.stand import Stand
from tests.drills.gateway import Gateway
from tests.drills.ground import SHORT_LEASES, Drill, Result, ground, until

SENT_BEYOND = "sent beyond the balance"
AMOUNT = Decimal("100.50")
LEFT_OVER = Decimal("50.00")
"""Of the balance, and less than any payout."""
# An empty search is believed after so long: a minute in production.
GRACE_SECONDS = "8"
SETTINGS = SHORT_LEASES | {"PROVIDER_CONCURRENCY": "4"}


def funds(stand: Stand, payouts: int) -> Result:
    """110 % of the balance, two clusters that race for it, and all workers of one of them killed in the middle."""
    covered = payouts * 10 // 11
    with ground(stand, "funds") as here:
        balance = covered * AMOUNT + LEFT_OVER
        gateway = Gateway(here, balance)
        hands = here.start_hands(**gateway.settings)
        hands.do("ask_balance")
        hands.do("submit", payouts, amount=str(AMOUNT), way="wallet")
        clusters = [here.start_cluster(gateway, ill=("search", GRACE_SECONDS), **SETTINGS) for _ in range(2)]
        until(lambda: len(gateway.payments) >= covered // 4, "a quarter is paid")
        killed = clusters[0].workers
        for worker in killed:
            worker.send_signal(signal.SIGKILL)
        here.await_processed(covered)
        hands.do("ask_balance")
        until(lambda: not here.count("payouts_payout", "lease_token IS NOT NULL"), "nothing is under way")
        statuses, waiting = here.statuses(), here.count("payouts_payout", "starts_with(waits_for, 'funds')")
        left = sum(Decimal(payment["amount"]) for payment in gateway.payments)
        refused = gateway.refused
        result = Result(
            f"{payouts * AMOUNT} approved, {balance} there: {left} left, {waiting} wait for funds, "
            f"{statuses.get('failed', 0)} failed, {refused} refused"
        )
        result.expect(killed, "no worker was there to be killed")
        result.expect(left <= balance, f"{left} left, of {balance}")
        result.expect(not refused, f"{refused} {SENT_BEYOND}")
        result.expect(statuses == {"processed": covered, "pending": payouts - covered}, f"then there are {statuses}")
        result.expect(waiting == payouts - covered, f"{waiting} wait for funds")
        if not result.faults:
            gateway.top_up((payouts - covered) * AMOUNT)
            until(lambda: Decimal(hands.do("ask_balance")) > LEFT_OVER, "the money is told of")
            seconds = here.await_processed(payouts)
            result.figure += f"; topped up: all paid after {seconds:.1f} s"
        return here.judge(result, gateway)


FUNDS = Drill(funds, full=110, small=22)
