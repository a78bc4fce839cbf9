"""A standby of the drills' server, by pg_basebackup: lists are read from it, and nobody misses what they did.

Its replay is paused, so that it grows old; then it is killed.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from backoffice.local.standby import data_folder, standby_of
from tests.bench.stand import Stand
from tests.drills.calls import Person
from tests.drills.ground import Drill, Ground, Result, ground, until

LAG_SECONDS = 5
# A list without checkboxes: with one that has them, people decide.
REJECTED = "/admin/payouts/payout/?stage=rejected"
SCANS = "SELECT coalesce(sum(seq_scan + idx_scan), 0)::int FROM pg_stat_user_tables WHERE relname = 'payouts_payout'"


@dataclass(frozen=True)
class Numbers:
    changes: int
    """Made and looked for while the standby follows, and as many while it is paused."""
    seen_within_seconds: float
    """By others, LAG_SECONDS among them."""


def replica(stand: Stand, numbers: Numbers) -> Result:
    if not (data := data_folder(stand.services)):
        return Result("left out: DATABASE_URL names a server that is not ours to copy")
    with ground(stand, "replica") as here, standby_of(Path(data)) as standby:
        url = standby.url(here.services.application)
        here.settings |= {"DATABASE_REPLICA_URL": url, "REPLICA_LAG_SECONDS": str(LAG_SECONDS), "LOG_LEVEL": "INFO"}
        standby.catch_up(here.services.application)
        web, port = here.start_web()
        approver, other = here.person(port, "approver"), here.person(port, "operator")
        before = _scans(url)
        missed = _changes_missed(here, approver, numbers.changes)
        for _each in range(numbers.changes):
            _list(other)
        until(lambda: _scans(url) > before, "a list that is read from the standby")
        read_there = _scans(url) - before
        standby.pause()
        missed_paused = _changes_missed(here, approver, numbers.changes)
        standby.resume()
        standby.catch_up(here.services.application)
        _list(other)
        standby.pause()
        seconds = _seconds_until_seen(here, approver, other)
        standby.resume()
        standby.catch_up(here.services.application)
        written = _write_on(url)
        standby.kill()
        slowest = max(_seconds(other) for _each in range(numbers.changes))
        result = Result(
            f"{2 * numbers.changes} changes of a person, half of them while replay is paused: "
            f"{missed + missed_paused} missing in their next list; {read_there} scans on the standby; another person "
            f"saw a change {seconds:.1f} s later while it was paused; once it was killed the slowest of "
            f"{numbers.changes} lists took {slowest:.1f} s"
        )
        result.expect(not missed + missed_paused, "a person missed what they had just done")
        result.expect(seconds <= numbers.seen_within_seconds, f"others saw a change {seconds:.1f} s later")
        result.expect(read_there, "nothing was read from the standby")
        result.expect(written == "refused", "something was written through the standby")
        said = web.log.read_text(errors="replace").splitlines()
        for reason in ("it lags by more than REPLICA_LAG_SECONDS", "it does not answer"):
            is_said = any("replica_not_used" in line and reason in line for line in said)
            result.expect(is_said, f"the log of the web server lacks: {reason}")
        return result


def _changes_missed(here: Ground, person: Person, changes: int) -> int:
    """How many of them the person's next list lacked."""
    caller, acting = here.caller(person.port), person.again()
    missed = 0
    for number in range(changes):
        payout_id = caller.submit(amount="2000000.00", user_id=1 + number).json["id"]
        acting.act(payout_id, "reject")
        missed += not _shows(person, payout_id)
    return missed


def _list(person: Person) -> bytes:
    # The server closes a connection on which nothing is asked for a while.
    fresh = person.again()
    reply = fresh.get(REJECTED)
    fresh.close()
    assert reply.status == 200, f"the list is answered with {reply.status}"
    return reply.body


def _shows(person: Person, payout_id: int) -> bool:
    return f"/admin/payouts/payout/{payout_id}/".encode() in _list(person)


def _seconds_until_seen(here: Ground, approver: Person, other: Person) -> float:
    """By another person, who may see old lists for a while, and not for longer."""
    payout_id = here.caller(approver.port).submit(amount="2000000.00").json["id"]
    approver.again().act(payout_id, "reject")
    return until(lambda: _shows(other, payout_id), "another person sees the change")


def _seconds(person: Person) -> float:
    began_at = time.monotonic()
    _list(person)
    return time.monotonic() - began_at


def _scans(url: str) -> int:
    with psycopg.connect(url) as connection:
        (scans,) = connection.execute(SCANS).fetchone() or (0,)
        return int(scans)


def _write_on(url: str) -> str:
    try:
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE payouts_payout SET comment = comment")
    except psycopg.errors.ReadOnlySqlTransaction:
        return "refused"
    return "done"


REPLICA = Drill(
    replica,
    full=Numbers(changes=100, seen_within_seconds=LAG_SECONDS + 5),
    small=Numbers(changes=10, seen_within_seconds=math.inf),
)
