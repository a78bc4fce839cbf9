"""Old payouts are archived under load, the command killed again and again, while people and clients use them.

Nobody notices: each old payout answers by its id and its idempotency key, its page has its history, the bank's
returns are recorded. In the end the audit, also against checkpoints that were kept outside, finds every event.
"""

import itertools
import signal
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.bench.stand import Program, Stand
from tests.drills.calls import Caller, Load, Person
from tests.drills.ground import SHORT_LEASES, Drill, Ground, Result, ground

KEPT = timedelta(days=60)
RECIPIENTS = 1_000  # as tests/bench/sealed.py has them
RETURNED_AT_ONCE = 5
# What happened, wherever it is.
EVENTS = """
SELECT (SELECT count(*) FROM payouts_event) + (SELECT coalesce(sum(events), 0) FROM payouts_archived
        WHERE back_at IS NULL), (SELECT sum(version) FROM payouts_payout)
"""


@dataclass(frozen=True)
class Numbers:
    payouts: int
    kills: int
    seconds: float
    """Of work before each kill, begun when the first is archived."""


class Users:
    """They ask for old payouts in every way; `answers` has what came back."""

    def __init__(self, here: Ground, port: int, ids: list[int]) -> None:
        self.here, self.port, self.ids = here, port, ids
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._step = itertools.count(1)

    def _any(self) -> int:
        return self.ids[0] + next(self._step) * 97 % (self.ids[1] - self.ids[0] + 1)

    def _told(self, name: str, payout_id: int, is_right: bool, said: object) -> None:
        self.answers[name] += 1
        if not is_right:
            self.wrong.append(f"{name} of {payout_id}: {said}")

    def read(self, caller: Caller) -> None:
        payout_id = self._any()
        reply = caller("GET", f"/api/payouts/{payout_id}/")
        is_right = reply.status == 200 and reply.json["status"] in ("processed", "returned")
        self._told("GET", payout_id, is_right, reply.body[:200])

    def submit_again(self, caller: Caller) -> None:
        payout_id = self._any()
        number = payout_id % RECIPIENTS
        reply = caller.submit_same(
            key=f"bench-{payout_id}",
            user_id=1 + number,
            amount=f"{100 + number}.50",
            recipient={"card": f"0000 1111 2222 {number:04}"},
            comment="Bonus",
        )
        is_right = reply.status in (200, 201) and reply.json["id"] == payout_id
        self._told("POST again", payout_id, is_right, reply.body[:200])

    def submit(self, caller: Caller) -> None:
        reply = caller.submit()
        self._told("POST", 0, reply.status == 201, reply.body[:200])

    def look(self, person: Person) -> None:
        payout_id = self._any()
        page = person.get(f"/admin/payouts/payout/{payout_id}/change/")
        self._told(
            "page", payout_id, page.status == 200 and b"sent to the provider" in page.body.lower(), page.status
        )


def archive(stand: Stand, numbers: Numbers) -> Result:
    with ground(stand, "archive") as here:
        provider, hands = here.start_provider(), here.start_hands()
        ids = hands.do("old_payouts", here.services.database, numbers.payouts)
        outside = here.folder / f"{here.name}-checkpoints"
        outside.mkdir()
        here.settings["CHECKPOINTS"] = str(outside)
        here.manage("checkpoint")
        _web, port = here.start_web()
        here.start_cluster(provider, **SHORT_LEASES)
        users, load = Users(here, port, ids), Load()
        callers = [here.caller(port) for _each in range(3)]
        for call, caller in zip((users.read, users.submit_again, users.submit), callers, strict=True):
            load.add(lambda call=call, caller=caller: call(caller), pause_seconds=0.05)
        person = here.person(port, "operator")
        load.add(lambda: users.look(person), pause_seconds=0.2)
        returned, killed = 0, []
        for number in range(numbers.kills):
            killed.append(_killed(here, numbers.seconds))
            first = ids[0] + number * RETURNED_AT_ONCE
            returned += hands.do("come_back", list(range(first, first + RETURNED_AT_ONCE)))
        told = here.manage("archive", "--before", _day(), DATABASE_URL=here.services.database)
        load.stop()
        here.await_rest()
        ((archived, back),) = here.query(
            "SELECT count(*) FILTER (WHERE back_at IS NULL), count(back_at) FROM payouts_archived"
        )
        ((events, versions),) = here.query(EVENTS)
        result = Result(
            f"killed {len(killed)} times, at {', '.join(map(str, killed))} archived; {archived} of {numbers.payouts} "
            f"archived in the end, {back} brought back for {returned} returns; meanwhile "
            f"{', '.join(f'{count} {name}' for name, count in users.answers.items())}, {len(users.wrong)} wrong; "
            f"{events} events, none lost; {told.splitlines()[-1]}"
        )
        result.expect(not users.wrong, f"{users.wrong[:3]}")
        result.expect(events == versions, f"{events} events of {versions}")
        result.expect(archived and back, "nothing was archived, or nothing brought back")
        result.expect(returned == numbers.kills * RETURNED_AT_ONCE, f"{returned} returned")
        here.manage("checkpoint")
        here.manage("audit", "--against", str(outside))
        return here.judge(result, provider, after_id=ids[1])


def _day() -> str:
    return f"{datetime.now(UTC) - KEPT:%Y-%m-%d}"


def _killed(here: Ground, seconds: float) -> int:
    """Archive, and kill that in the middle; returns how many are archived by then."""
    before = here.count("payouts_archived")
    command = ("manage.py", "archive", "--before", _day())
    with here.running(f"{here.name}-archive", *command, DATABASE_URL=here.services.database) as program:
        _await_more(here, program, before)
        time.sleep(seconds)
        program.process.send_signal(signal.SIGKILL)
        program.process.wait()
    return here.count("payouts_archived")


def _await_more(here: Ground, program: Program, before: int) -> None:
    while here.count("payouts_archived") == before:
        if program.process.poll() is not None:
            return  # it had no more to do
        time.sleep(0.02)


ARCHIVE = Drill(
    archive, full=Numbers(payouts=20_000, kills=5, seconds=2.0), small=Numbers(payouts=1_000, kills=2, seconds=0.0)
)
