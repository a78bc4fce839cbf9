"""People and clients against the worker: who decides about a payout at the moment in which it is claimed."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.stand import BenchError, Stand
from tests.drills.calls import Caller, Person
from tests.drills.ground import Drill, Hands, Result, ground

THREADS = 4
APPROVED_AMOUNT = "250000"  # one approval
# How much earlier than the last of its kind a decision is made that the worker was quicker than, or else later.
STEP_SECONDS = 0.005
LONGEST_SECONDS = 0.3
LATER_SECONDS = 3_600
SETTLED_VERSION = 2  # submitted, settled


class Racer:
    """One thread's client, people, and hands."""

    def __init__(self, client: Caller, operator: Person, approver: Person, hands: Hands) -> None:
        self.client = client
        self.operator = operator
        self.approver = approver
        self.hands = hands

    def submit(self, amount: str = "100.50") -> int:
        """Payable at once."""
        reply = self.client.submit(amount=amount)
        if reply.status != 201:
            raise BenchError(f"POST was answered with {reply.status} {reply.body[:300]!r}")
        return int(reply.json["id"])

    def submit_for(self, seconds: float) -> int:
        """Payable so many seconds from now, or at once."""
        (payout_id,) = self.hands.do("submit", 1, later_seconds=seconds)
        return int(payout_id)

    def approved(self) -> int:
        payout_id = self.submit(APPROVED_AMOUNT)
        if not self.approver.act(payout_id, "approve"):
            raise BenchError(f"payout {payout_id} could not be approved")
        return payout_id

    def cancel(self, payout_id: int) -> bool:
        return self._decided(self.client.patch(payout_id, "cancelled").status)

    def settle(self, payout_id: int) -> bool:
        """What the worker has paid meanwhile is processed too, which is a move of ours no more."""
        reply = self.client.patch(payout_id, "processed")
        return self._decided(reply.status) and reply.json["version"] == SETTLED_VERSION

    def withdraw(self, payout_id: int) -> bool:
        return self._decided(self.client("DELETE", f"/api/payouts/{payout_id}/").status)

    def _decided(self, status: int) -> bool:
        if status not in (200, 204, 409):
            raise BenchError(f"a decision was answered with {status}")
        return status != 409


@dataclass
class Race:
    """How a payout comes to be payable, what is decided about it, and what it must be when that won."""

    begin: Callable[[Racer], int]
    decide: Callable[[Racer, int], bool]
    status: str
    after_seconds: float = 0.02
    """From the moment in which it may be paid to that in which the decision is begun."""
    won: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def run(self, racer: Racer) -> None:
        payout_id = self.start(racer)
        if self.decide(racer, payout_id):
            self.won.append(payout_id)
            self.after_seconds = min(LONGEST_SECONDS, self.after_seconds + STEP_SECONDS)
        else:
            self.lost.append(payout_id)
            self.after_seconds -= STEP_SECONDS

    def start(self, racer: Racer) -> int:
        payout_id = self.begin(racer)
        threading.Event().wait(max(0.0, self.after_seconds))
        return payout_id


class SlowRace(Race):
    """The decision is a page's, which takes longer than the worker: it may be begun before the payout is payable."""

    def start(self, racer: Racer) -> int:
        payout_id = racer.submit_for(max(0.0, -self.after_seconds))
        threading.Event().wait(max(0.0, self.after_seconds))
        return payout_id


@dataclass(frozen=True)
class Numbers:
    races: int
    one_sided: int = 0
    """Of the kinds of race, those in which one side may win always: few races are won by chance."""


def races(stand: Stand, numbers: Numbers) -> Result:
    kinds = {
        "API cancels": Race(Racer.submit, Racer.cancel, "cancelled"),
        "API settles": Race(Racer.submit, Racer.settle, "processed"),
        "API withdraws": Race(Racer.submit, Racer.withdraw, "cancelled"),
        "admin cancels": SlowRace(Racer.submit, lambda racer, each: racer.operator.act(each, "cancel"), "cancelled"),
        "admin holds": SlowRace(Racer.submit, lambda racer, each: racer.operator.act(each, "hold"), "pending"),
        "admin settles": SlowRace(Racer.submit, lambda racer, each: racer.operator.act(each, "settle"), "processed"),
        "approved, cancelled": Race(Racer.approved, Racer.cancel, "cancelled"),
        "scheduled": Race(
            Racer.submit, lambda racer, each: racer.hands.do("schedule", each, LATER_SECONDS), "pending"
        ),
    }
    with ground(stand, "races") as here:
        provider = here.start_provider()
        provider.tell("delay 10")
        _web, port = here.start_web()
        clusters = [here.start_cluster(provider) for _ in range(2)]
        operator, approver = here.person(port, "operator"), here.person(port, "approver")
        racers = [
            Racer(here.caller(port), operator.again(), approver.again(), here.start_hands()) for _ in range(THREADS)
        ]
        _run(racers, list(kinds.values()), numbers.races)
        for payout_id in kinds["scheduled"].won:
            racers[0].hands.do("schedule", payout_id, 0)
        here.await_rest()
        statuses = dict(here.query("SELECT id, status FROM payouts_payout"))
        wins = {name: len(race.won) for name, race in kinds.items()}
        promised = [
            (name, payout_id, statuses[payout_id])
            for name, race in kinds.items()
            for payout_id in race.won
            if statuses[payout_id] != ("processed" if name == "scheduled" else race.status)
        ]
        unpaid = [each for race in kinds.values() for each in race.lost if statuses[each] != "processed"]
        count = len(statuses)
        result = Result(
            f"{count} races, {sum(wins.values())} won against the worker "
            f"({', '.join(f'{name} {won}' for name, won in wins.items())}): 0 cancelled and paid, 0 paid twice"
        )
        result.expect(count == numbers.races, f"{count} races")
        result.expect(not promised, f"what was answered does not hold: {promised[:5]}")
        result.expect(not unpaid, f"lost, but not paid: {unpaid[:5]}")
        one_sided = [name for name, race in kinds.items() if not (race.won and race.lost)]
        result.expect(len(one_sided) <= numbers.one_sided, f"no races, one side always won: {one_sided}")
        result.expect(Counter(each.log.count("batch_not") for each in clusters) == {0: 2}, "a batch failed")
        return here.judge(result, provider)


def _run(racers: list[Racer], kinds: list[Race], count: int) -> None:
    failures: list[BaseException] = []

    def work(place: int) -> None:
        try:
            for number in range(place, count, THREADS):
                kinds[number // THREADS % len(kinds)].run(racers[place])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(racers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


RACES = Drill(races, full=Numbers(races=1_000), small=Numbers(races=96, one_sided=8))
