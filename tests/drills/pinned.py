"""Routes and accounts change while what was sent to one account is not answered."""

from dataclasses import dataclass

from tests.bench.stand import Stand
from tests.drills.ground import SHORT_LEASES, Drill, Ground, Provider, Result, ground, until

PAID_THERE = "paid at an account that they were not sent to"
LATER_SECONDS = 3_600
# Look-ups of what is pinned while its own account says nothing.
LOOK_UPS = 3


@dataclass(frozen=True)
class Accounts:
    """Of the settings, by name; the first pays where no route says otherwise."""

    named: dict[str, Provider]

    @property
    def settings(self) -> dict[str, str]:
        values: dict[str, str] = {
            "PROVIDER_URL": "",
            "PROVIDERS": ",".join(f"{name}=http" for name in self.named),
        }
        for name, provider in self.named.items():
            prefix = f"PROVIDER_{name.upper()}"
            values |= {f"{prefix}_URL": provider.url, f"{prefix}_TOKEN": "drills"}
        return values


def pinned(stand: Stand, payouts: int) -> Result:
    """All are sent to the first account, and paid there, but not answered; as many wait to be sent to it later.

    Then another account becomes the first, and a route gives it everything; then the account that they were sent to
    is named no longer; then it is back, and answers.
    """
    with ground(stand, "pinned") as here:
        ours, other = here.start_provider(), here.start_provider()
        before = Accounts({"ours": ours, "other": other})
        after, alone = Accounts({"other": other, "ours": ours}), Accounts({"other": other})
        ours.tell("hold")
        hands = here.start_hands(**before.settings)
        ids: list[int] = hands.do("submit", payouts)
        later: list[int] = hands.do("submit", payouts, later_seconds=LATER_SECONDS)
        cluster = here.start_cluster(before, **SHORT_LEASES)
        until(lambda: here.statuses().get("unknown") == payouts, "all time out", say=lambda: f"{here.statuses()}")
        cluster.program.stop()
        ours.tell("fail")
        hands.stop()
        hands = here.start_hands(**after.settings)
        hands.do("route_everything", "other")
        called = _calls(here)
        cluster = here.start_cluster(after, **SHORT_LEASES)
        until(lambda: _calls(here) >= called + LOOK_UPS, "they are looked up", say=lambda: cluster.log[-1000:])
        cluster.program.stop()
        result = Result(f"{payouts} timed out at one account while another became the first and got all routes")
        _judge_other(here, result, other, ids, posts=0)
        if not result.faults:
            _without_and_back(here, result, (ours, other), alone, after, ids, later)
        return here.judge(result, ours, other)


def _without_and_back(
    here: Ground,
    result: Result,
    providers: tuple[Provider, Provider],
    alone: Accounts,
    after: Accounts,
    ids: list[int],
    later: list[int],
) -> None:
    ours, other = providers
    count = len(ids)
    hands = here.start_hands(**alone.settings)
    hands.do("submit", count)
    cluster = here.start_cluster(alone, **SHORT_LEASES)
    here.await_processed(count)
    until(lambda: here.count("payouts_payout", "waits_for <> ''") == count, "what is pinned waits for its account")
    cluster.program.stop()
    hands.stop()
    _judge_other(here, result, other, ids, posts=count)
    ours.tell("let go")
    hands = here.start_hands(**after.settings)
    here.start_cluster(after, **SHORT_LEASES)
    here.await_processed(2 * count)
    for payout_id in later:
        hands.do("schedule", payout_id, 0)
    here.await_processed(3 * count)
    _judge_other(here, result, other, ids + later, posts=count)
    result.figure += (
        f", then stood alone in the settings and paid {count} others: it was asked about {other.calls['GET']} of "
        f"them; back, their own account paid them and {len(later)} that had waited to be sent to it"
    )
    result.expect(len(ours.payments) == 2 * count, f"{len(ours.payments)} paid at their own account")


def _calls(here: Ground) -> int:
    return int(here.query("SELECT coalesce(sum(calls), 0) FROM payouts_attempt")[0][0])


def _judge_other(here: Ground, result: Result, other: Provider, ids: list[int], *, posts: int) -> None:
    """That the other account was never asked about these payouts, and paid none of them."""
    found = here.query("SELECT reference FROM payouts_payout WHERE id = ANY(%s)", [ids])
    references = {str(reference) for (reference,) in found}
    paid = [payment for payment in other.payments if payment["payout"] in references]
    result.expect(not paid, f"{len(paid)} {PAID_THERE}")
    calls = {method: number for method, number in other.calls.items() if number}
    result.expect(calls == ({"POST": posts} if posts else {}), f"the other account was called: {calls}")


PINNED = Drill(pinned, full=20, small=4)
