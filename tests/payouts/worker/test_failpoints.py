"""A worker is killed at each point of a round, and the next one finds what it left: money leaves once, under one key.

The worker is a process of its own that kills itself (`dying.py`); the provider is the sandbox program, which outlives
it. The point is reached by patching in that process alone.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from payouts.models import Attention, Payout
from payouts.sandbox.ledger import Magic
from payouts.worker import pump
from tests.databases import application_url
from tests.payouts.observe import is_clean
from tests.payouts.providers.programs import ROOT, TOKEN, SandboxProgram, sandbox
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_CLAIM, AFTER_CLAIM = "before the claim's commit", "after the claim's commit"
AFTER_ANSWER = "after the provider's answer"
BEFORE_RECORD, AFTER_RECORD = "before the record's commit", "after the record's commit"
POINTS = (BEFORE_CLAIM, AFTER_CLAIM, AFTER_ANSWER, BEFORE_RECORD, AFTER_RECORD)


@dataclass(frozen=True)
class Calls:
    """What the provider was asked under one key, and what it booked."""

    posts: int
    look_ups: int
    payments: int


class Provider:
    """The sandbox and its ledger."""

    def __init__(self, program: SandboxProgram, ledger: Path) -> None:
        self.program = program
        self._ledger = ledger

    def calls(self, payout: Payout) -> Calls:
        """Under the payout's only key, which is the only one that was paid under."""
        key = str(payout.attempts.get().reference)
        asked = Counter(re.findall(rf"(POST|GET) /v1/payouts .*key={key}", self.program.log.read_text()))
        booked = self.booked(payout)
        assert set(booked) <= {key}
        return Calls(asked["POST"], asked["GET"], len(booked))

    def booked(self, payout: Payout) -> list[str]:
        """The keys of all payments of the payout."""
        with closing(sqlite3.connect(self._ledger)) as ledger:
            found = ledger.execute("SELECT reference FROM payments WHERE payout = ?", (str(payout.reference),))
            return [reference for (reference,) in found]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("sandbox")
    with sandbox(folder) as program:
        yield Provider(program, folder / "ledger")


type Die = Callable[..., None]


@pytest.fixture(scope="module")
def workers(django_db_setup: None, provider: Provider) -> Iterator["subprocess.Popen[str]"]:
    given = {
        "DATABASE_URL": application_url(),
        "REDIS_URL": "",
        "PROVIDER_URL": provider.program.url,
        "PROVIDER_TOKEN": TOKEN,
        "PROVIDER_CONCURRENCY": "4",
    }
    command = [sys.executable, "-m", "tests.payouts.actions.dying"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | given, stdin=pipe, stdout=pipe, text=True) as program:
        yield program
        program.kill()


@pytest.fixture
def die(workers: "subprocess.Popen[str]") -> Die:
    """A worker takes these payouts and dies at the point. What it held in the database is free when this returns."""

    def die(point: str, *payouts: Payout) -> None:
        workers.stdin.write(f"{len(payouts)} {point}\n")
        workers.stdin.flush()
        assert int(workers.stdout.readline()) == -signal.SIGKILL
        with transaction.atomic():
            list(Payout.objects.select_for_update())

    return die


@pytest.fixture(autouse=True)
def _paid_through_the_sandbox(provider: Provider, settings: Any) -> None:
    settings.PROVIDER_URL, settings.PROVIDER_TOKEN = provider.program.url, TOKEN
    settings.PROVIDER_CONCURRENCY = 4


def _lease_ends(*payouts: Payout) -> None:
    for payout in payouts:
        if Payout.objects.get(pk=payout.pk).lease_token:
            make_due(payout)


def _history(payout: Payout) -> list[str]:
    events = list(payout.events.order_by("seq"))
    assert [event.seq for event in events] == list(range(1, Payout.objects.get(pk=payout.pk).version + 1))
    return [event.event for event in events]


def _call_that_paid(payout: Payout) -> int:
    return payout.events.get(event="succeeded").facts["call"]


def _status(payout: Payout) -> str:
    return Payout.objects.get(pk=payout.pk).status


# What the provider has been asked in the end, and the number of the call whose answer made the payout processed.
FIRST_ROUND = {
    BEFORE_CLAIM: (Calls(posts=1, look_ups=0, payments=1), 1),
    AFTER_CLAIM: (Calls(posts=1, look_ups=1, payments=1), 2),
    AFTER_ANSWER: (Calls(posts=1, look_ups=1, payments=1), 2),
    BEFORE_RECORD: (Calls(posts=1, look_ups=1, payments=1), 2),
    AFTER_RECORD: (Calls(posts=1, look_ups=0, payments=1), 1),
}
LEFT_BEHIND = {
    BEFORE_CLAIM: "pending",
    AFTER_CLAIM: "processing",
    AFTER_ANSWER: "processing",
    BEFORE_RECORD: "processing",
    AFTER_RECORD: "processed",
}


@pytest.mark.parametrize("point", POINTS)
def test_a_first_round_that_is_killed_pays_each_of_its_payouts_once(point: str, die: Die, provider: Provider) -> None:
    payouts = [pending_payout(user_id=number) for number in (1, 2, 3)]

    die(point, *payouts)
    left_behind = [_status(payout) for payout in payouts]
    booked_before = sum(len(provider.booked(payout)) for payout in payouts)
    _lease_ends(*payouts)
    pump.run()

    assert left_behind == [LEFT_BEHIND[point]] * 3
    assert booked_before == {BEFORE_CLAIM: 0, AFTER_CLAIM: 0, AFTER_ANSWER: 1}.get(point, 3)
    for payout in payouts:
        assert (provider.calls(payout), _call_that_paid(payout)) == FIRST_ROUND[point]
        assert (_status(payout), _history(payout)) == ("processed", ["submitted", "claimed", "succeeded"])
    assert is_clean()


@pytest.mark.parametrize("point", [AFTER_CLAIM, AFTER_ANSWER, BEFORE_RECORD])
def test_what_a_killed_worker_held_is_left_alone_until_its_lease_ends(
    point: str, die: Die, provider: Provider
) -> None:
    payout = pending_payout()
    die(point, payout)
    before = provider.calls(payout)

    pump.run()

    assert provider.calls(payout) == before
    assert (_status(payout), payout.attempts.get().calls) == ("processing", 1)
    assert is_clean()


# The first call ends in a 500: before anything was booked, or after.
NOTHING_BOOKED, BOOKED = Magic.ERROR_BEFORE_PAYING, Magic.ERROR_AFTER_PAYING
SECOND_ROUND = {
    (NOTHING_BOOKED, BEFORE_CLAIM): (Calls(posts=2, look_ups=1, payments=1), 2),
    (NOTHING_BOOKED, AFTER_CLAIM): (Calls(posts=2, look_ups=1, payments=1), 3),
    (NOTHING_BOOKED, AFTER_ANSWER): (Calls(posts=2, look_ups=2, payments=1), 3),
    (NOTHING_BOOKED, BEFORE_RECORD): (Calls(posts=2, look_ups=2, payments=1), 3),
    (NOTHING_BOOKED, AFTER_RECORD): (Calls(posts=2, look_ups=1, payments=1), 2),
    (BOOKED, BEFORE_CLAIM): (Calls(posts=1, look_ups=1, payments=1), 2),
    (BOOKED, AFTER_CLAIM): (Calls(posts=1, look_ups=1, payments=1), 3),
    (BOOKED, AFTER_ANSWER): (Calls(posts=1, look_ups=2, payments=1), 3),
    (BOOKED, BEFORE_RECORD): (Calls(posts=1, look_ups=2, payments=1), 3),
    (BOOKED, AFTER_RECORD): (Calls(posts=1, look_ups=1, payments=1), 2),
}


@pytest.mark.parametrize("amount", [NOTHING_BOOKED, BOOKED], ids=["nothing booked", "booked"])
@pytest.mark.parametrize("point", POINTS)
def test_a_second_round_that_is_killed_pays_once(point: str, amount: Magic, die: Die, provider: Provider) -> None:
    payout = pending_payout(amount=amount.value)
    pump.run()
    make_due(payout)

    die(point, payout)
    left_behind = _status(payout)
    _lease_ends(payout)
    pump.run()

    assert (left_behind, _status(payout)) == ("processed" if point == AFTER_RECORD else "unknown", "processed")
    assert (provider.calls(payout), _call_that_paid(payout)) == SECOND_ROUND[amount, point]
    assert _history(payout) == ["submitted", "claimed", "outcome_unknown", "succeeded"]
    assert is_clean()


def test_a_key_that_grew_too_old_after_the_crash_is_never_sent(die: Die, provider: Provider, settings: Any) -> None:
    payout = pending_payout()
    die(AFTER_CLAIM, payout)
    settings.PROVIDER_KEY_TTL_SECONDS = 0

    _lease_ends(payout)
    pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.NOT_FOUND, None)
    assert provider.calls(payout) == Calls(posts=0, look_ups=1, payments=0)
    assert _history(payout) == ["submitted", "claimed", "flagged"]
    assert is_clean()


@pytest.mark.parametrize("point", [AFTER_ANSWER, BEFORE_RECORD])
def test_a_payment_is_found_though_its_key_grew_too_old_after_the_crash(
    point: str, die: Die, provider: Provider, settings: Any
) -> None:
    payout = pending_payout()
    die(point, payout)
    settings.PROVIDER_KEY_TTL_SECONDS = 0

    _lease_ends(payout)
    pump.run()

    assert _status(payout) == "processed"
    assert provider.calls(payout) == Calls(posts=1, look_ups=1, payments=1)
    assert is_clean()


def test_after_two_deaths_each_payout_is_taken_alone(die: Die, provider: Provider) -> None:
    payouts = [pending_payout(user_id=number) for number in (1, 2, 3)]
    for _each in range(2):
        die(AFTER_CLAIM, *payouts)
        _lease_ends(*payouts)

    die(AFTER_CLAIM, *payouts)
    calls = sorted(payout.attempts.get().calls for payout in payouts)
    _lease_ends(*payouts)
    pump.run()

    assert calls == [2, 2, 3]
    for payout in payouts:
        assert provider.calls(payout) == Calls(posts=1, look_ups=1, payments=1)
        assert (_status(payout), _history(payout)) == ("processed", ["submitted", "claimed", "succeeded"])
    assert is_clean()


def test_after_five_deaths_a_person_is_asked(die: Die, provider: Provider) -> None:
    payout = pending_payout()
    for _each in range(5):
        die(AFTER_CLAIM, payout)
        _lease_ends(payout)

    pump.run()

    payout.refresh_from_db()
    assert (payout.status, payout.attention) == ("unknown", Attention.UNWORKABLE)
    assert provider.calls(payout) == Calls(posts=0, look_ups=0, payments=0)
    assert is_clean()
