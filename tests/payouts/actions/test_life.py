"""Random lives of several payouts, every step held to the plain model of `life.py`; below them, what they found.

HYPOTHESIS_PROFILE=deep runs two thousand longer lives. A failure prints its steps, and the blob that repeats it.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import inf
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, event
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from payouts import actions
from payouts.actions import Assignment, NotAllowedError, PayoutError
from payouts.audit import broken_invariants
from payouts.models import ApiClient, Approval, Attempt, Event, VelocityLimit
from payouts.models import Payout as Row
from payouts.providers import Answer, Verdict
from payouts.worker import pump
from tests import recipes
from tests.payouts.actions.life import (
    FOUR_EYES,
    INVALID,
    LATER,
    MOST_CALLS,
    MOVES,
    NOT_ALLOWED,
    NOT_FOUND,
    Books,
    Life,
    Mood,
    Payout,
)
from tests.payouts.observe import by_hand, rings, unguarded

LEASE_SECONDS, KEY_TTL_SECONDS = 3_600, 86_400
PEOPLE, CLIENTS = ("maker", "anna", "boris", "superuser"), ("shop", "stranger")
NO_APPROVAL = Decimal("100.50")
NEEDS = {NO_APPROVAL: 0, Decimal("250000.00"): 1, Decimal("2000000.00"): 2}
MOST_PAYOUTS = 5
EVIDENCE = "Statement of 14 January, line 7"
LONG_AGO, FAR_AWAY = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

COMMON = hypothesis.settings(deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
PROFILES = {
    "quick": hypothesis.settings(COMMON, max_examples=100, stateful_step_count=50),
    "deep": hypothesis.settings(COMMON, max_examples=2_000, stateful_step_count=80),
}
BRINGS_FURTHER = ("approve", "retry", "release", "resolve")
REPORTED = (Verdict.SUCCEEDED, Verdict.PENDING, Verdict.REFUSED, Verdict.RETURNED)
NONSENSE: tuple[dict[str, Any], ...] = (
    {"amount": Decimal("1.005")},
    {"amount": Decimal("NaN")},
    {"user_id": 0},
    {"currency": "XXZ"},
    {"recipient": {}},
)

numbers = st.integers(0, 11)
people = st.sampled_from(PEOPLE)
clients = st.sampled_from(CLIENTS)
actors = st.sampled_from(PEOPLE + CLIENTS)
limits = st.integers(1, 3)
versions = st.sampled_from((None, None, None, 0, 0, 1, -1))
"""How far the version that the caller saw is from the present one; None when the caller does not say."""
moods = st.builds(
    Mood,
    new=st.sampled_from((Verdict.SUCCEEDED, Verdict.PENDING, Verdict.REFUSED, Verdict.ABSENT)),
    is_refusal_kept=st.booleans(),
    lacks_funds=st.booleans(),
    is_answer_lost=st.booleans(),
    look_up=st.sampled_from(("true", "true", "fails", "blind")),
)


@dataclass
class Job:
    """What a worker has in hand: a claim, and the provider's answer once it has called."""

    payout: Payout
    assignment: Assignment
    answer: Answer | None = None
    attempt: Any = field(init=False)
    is_late: bool = False
    """Its lease has ended, and with it the time in which a pump begins a call."""

    def __post_init__(self) -> None:
        self.attempt = self.payout.attempt

    @property
    def is_current(self) -> bool:
        return self.payout.lease == self.assignment.lease_token


@dataclass(frozen=True)
class Step:
    """One action, and what the model makes of it."""

    action: partial[Any]
    refuses: Callable[[Life, Payout, str], set[str]]
    change: Callable[[Life, Payout, str], None]


STEPS = {
    "approve": Step(partial(actions.approve), Life.refuses_approve, Life.approve),
    "withdraw approval": Step(
        partial(actions.withdraw_approval), Life.refuses_withdraw_approval, Life.withdraw_approval
    ),
    "ask now": Step(partial(actions.ask_now), Life.refuses_ask_now, Life.ask_now),
    "reject": Step(partial(actions.reject, reason="No contract."), Life.refuses_reject, Life.reject),
    "hold": Step(partial(actions.hold, reason="The card looks odd."), Life.refuses_hold, Life.hold),
    "release": Step(partial(actions.release), Life.refuses_release, Life.release),
    "clear flag": Step(partial(actions.clear_flag, reason="Explained."), Life.refuses_clear_flag, Life.release),
    "retry": Step(partial(actions.retry, reason="Open again."), Life.refuses_retry, Life.retry),
    "return": Step(partial(actions.record_return, evidence=EVIDENCE), Life.refuses_record_return, Life.record_return),
    "reveal": Step(partial(actions.reveal, reason="A complaint."), Life.refuses_nothing, Life.reveal),
    "cancel": Step(partial(actions.cancel), Life.refuses_unless_clear, Life.cancel),
    "settle": Step(partial(actions.settle), Life.refuses_settle, Life.settle),
    "withdraw": Step(partial(actions.withdraw), Life.refuses_withdraw, Life.withdraw),
    "put off": Step(partial(actions.schedule, scheduled_for=FAR_AWAY), Life.refuses_unless_pending, Life.put_off),
    "pay at once": Step(
        partial(actions.schedule, scheduled_for=LONG_AGO), Life.refuses_unless_pending, Life.pay_at_once
    ),
    "pay any time": Step(
        partial(actions.schedule, scheduled_for=None), Life.refuses_unless_pending, Life.pay_at_once
    ),
}
# What ends a payout's life is drawn less often than what lets it go on.
DRAWN = ("approve", "retry", "release", "hold", "reveal", "put off", "pay at once", "pay any time") * 2 + (
    "reject",
    "cancel",
    "settle",
    "withdraw",
    "return",
    "withdraw approval",
    "clear flag",
    "ask now",
)
OPEN_TO_CLIENTS = {"reveal", "put off", "pay at once", "pay any time", "cancel", "settle", "withdraw"}


class Lives(RuleBasedStateMachine):
    @initialize(amounts=st.lists(st.sampled_from((*NEEDS, NO_APPROVAL)), min_size=1, max_size=3))
    def begin(self, amounts: list[Decimal]) -> None:
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.life, self.books = Life(), Books()
        self.jobs: list[Job] = []
        self.people: dict[str, User] = {
            name: recipes.person.make(username=name, is_superuser=name in {"maker", "superuser"}) for name in PEOPLE
        }
        self.clients: dict[str, ApiClient] = {
            "shop": recipes.client.make(name="shop", owner=self.people["maker"]),
            "stranger": recipes.client.make(name="stranger"),
        }
        for number, amount in enumerate(amounts, start=1):
            self._submit("shop", amount, f"order-{number}", None)

    def teardown(self) -> None:
        if not hasattr(self, "transaction"):
            return
        try:
            self._end_well()
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def _end_well(self) -> None:
        connection.check_constraints()
        assert list(broken_invariants()) == []
        for stage in {payout.stage for payout in self.life.payouts}:
            expected = {payout.id for payout in self.life.payouts if payout.stage == stage}
            assert set(Row.objects.in_stage(stage).values_list("pk", flat=True)) == expected

    # People decide

    @precondition(lambda self: len(self.life.payouts) < MOST_PAYOUTS)
    @rule(
        by=st.sampled_from(("maker", *CLIENTS)),
        amount=st.sampled_from((*NEEDS, NO_APPROVAL, NO_APPROVAL)),
        key=st.sampled_from((None, None, "order-1", "order-2")),
        scheduled_for=st.sampled_from((None, None, FAR_AWAY)),
        nonsense=st.sampled_from(({}, {}, {}, *NONSENSE)),
    )
    def submit(
        self, by: str, amount: Decimal, key: str | None, scheduled_for: datetime | None, nonsense: dict[str, Any]
    ) -> None:
        if nonsense:
            before = self._digest()
            self._is_refused(lambda: recipes.pending_payout(maker=self.people["maker"], **nonsense), INVALID)
            assert self._digest() == before
        else:
            self._submit(by, amount, key if by in CLIENTS else None, scheduled_for)

    def _submit(self, by: str, amount: Decimal, key: str | None, scheduled_for: datetime | None) -> None:
        client = by if by in CLIENTS else None
        first, refusals = self.life.earlier(client, key, (amount, scheduled_for))
        queue = rings()

        def submit() -> Row:
            whose = {"client": self._actor(by)} if client else {"client": None, "maker": self._actor(by)}
            return recipes.pending_payout(amount=amount, scheduled_for=scheduled_for, idempotency_key=key, **whose)

        if first:
            before = self._digest()
            if refusals:
                self._is_refused(submit, refusals)
            else:
                again = submit()
                assert (again.pk, again.is_replay) == (first.id, True)
            assert self._digest() == before
            return
        needs = self.life.needs(NEEDS[amount], client, amount, key)
        row = submit()
        maker = by if client is None else "maker" if by == "shop" else None
        payout = Payout(row.pk, row.reference, client, maker, needs, scheduled_for is not None)
        self.life.submit(payout, key, (amount, scheduled_for), amount)
        assert not row.is_replay
        assert payout not in self.life.due() or rings() > queue, "nobody was told that it is due"

    @precondition(lambda self: self.life.payouts)
    @rule(step=st.sampled_from(DRAWN), number=numbers, by=actors, version=versions)
    def decide(self, step: str, number: int, by: str, version: int | None) -> None:
        """Somebody does something, allowed or not."""
        if by in CLIENTS and step not in OPEN_TO_CLIENTS:
            by = "maker"
        if by in PEOPLE and step == "withdraw":
            by = "shop"
        self._act(step, number, by, version)

    @precondition(lambda self: any(payout.attempts for payout in self.life.payouts))
    @rule(
        number=numbers,
        by=people,
        version=versions,
        said=st.sampled_from(("what is true", "paid", "not_paid")),
        evidence=st.sampled_from((EVIDENCE, EVIDENCE, " ")),
    )
    def testify(self, number: int, by: str, version: int | None, said: str, evidence: str) -> None:
        payout = self._choose(number, lambda payout: not self.life.refuses_resolve(payout, by, evidence))
        self._resolve(payout, by, version, said, evidence)

    @precondition(lambda self: self._steps_refused_for(set(), *BRINGS_FURTHER))
    @rule(number=st.integers(0, 99))
    def help_on(self, number: int) -> None:
        """Somebody who may does what brings a payout further; without this few would live long."""
        self._step_of(self._steps_refused_for(set(), *BRINGS_FURTHER), number)

    @precondition(lambda self: any(self._oversteps().values()))
    @rule(number=st.integers(0, 99), kind=st.sampled_from(("own", "twice", "too early")))
    def overreach(self, number: int, kind: str) -> None:
        """Somebody does what only another person may, or does it too early: asked just now, held, not approved."""
        steps = self._oversteps()
        self._step_of(steps[kind] or next(filter(None, steps.values())), number)

    def _oversteps(self) -> dict[str, list[tuple[str, Payout, str]]]:
        barred = self._steps_refused_for(FOUR_EYES, *BRINGS_FURTHER, "return")
        return {
            "own": [step for step in barred if step[2] == step[1].maker],
            "twice": [step for step in barred if step[2] != step[1].maker],
            "too early": [
                (name, payout, by)
                for name, payout, by in self._steps_refused_for(NOT_ALLOWED, "resolve", "settle")
                if payout.status == {"resolve": "unknown", "settle": "pending"}[name]
            ],
        }

    def _steps_refused_for(self, refusals: set[str], *names: str) -> list[tuple[str, Payout, str]]:
        def refuses(name: str, payout: Payout, by: str) -> set[str]:
            if name == "resolve":
                return self.life.refuses_resolve(payout, by, EVIDENCE)
            return STEPS[name].refuses(self.life, payout, by)

        return [
            (name, payout, by)
            for payout in self.life.payouts
            for name in names
            for by in PEOPLE
            if refuses(name, payout, by) == refusals
        ]

    def _step_of(self, steps: list[tuple[str, Payout, str]], number: int) -> None:
        name, payout, by = steps[number % len(steps)]
        if name == "resolve":
            self._resolve(payout, by, None, "what is true", EVIDENCE)
        else:
            self._do(STEPS[name], payout, by, payout.version)

    def _resolve(self, payout: Payout, by: str, version: int | None, said: str, evidence: str) -> None:
        is_asked = payout.status == "unknown" or payout.attention == "contradicted"
        was_paid = self.books.was_paid(payout.in_question.key) if is_asked else False
        decision = ("paid" if was_paid else "not_paid") if said == "what is true" else said
        step = Step(
            partial(actions.resolve, decision=Approval.Decision(decision), evidence=evidence),
            lambda life, payout, by: life.refuses_resolve(payout, by, evidence, decision),
            lambda life, payout, by: life.resolve(payout, by, decision, was_paid=was_paid),
        )
        self._do(step, payout, by, None if version is None else payout.version + version)

    def _act(self, name: str, number: int, by: str, version: int | None) -> None:
        step = STEPS[name]
        payout = self._choose(number, lambda payout: not step.refuses(self.life, payout, by))
        if name == "reveal":
            version = None
        self._do(step, payout, by, None if version is None else payout.version + version)

    def _do(self, step: Step, payout: Payout, by: str, version: int | None) -> None:
        """Do it in both worlds, or be refused in both and leave everything as it was."""
        general = self.life.refuses(payout, client=by if by in CLIENTS else None, version=version)
        refusals = general if general == NOT_FOUND else general | step.refuses(self.life, payout, by)
        do = partial(step.action, payout.id, by=self._actor(by))
        if version is not None:
            do = partial(do, version=version)
        event(f"{do.func.__name__}: {'refused' if refusals else 'done'}")
        if refusals:
            before = self._digest()
            refusal = self._is_refused(do, refusals)
            if isinstance(refusal, NotAllowedError):
                assert (refusal.status, refusal.allowed) == (payout.status, sorted(MOVES[payout.status]))
            assert self._digest() == before
        else:
            queue, was_due = rings(), payout in self.life.due()
            do()
            step.change(self.life, payout, by)
            assert was_due or payout not in self.life.due() or rings() > queue, "nobody was told that it is due"

    # The worker

    @precondition(lambda self: self.life.due())
    @rule(limit=limits)
    def claim(self, limit: int) -> None:
        self._claim(limit)

    @precondition(lambda self: self.life.due())
    @rule(limit=limits, mood=moods)
    def work(self, limit: int, mood: Mood) -> None:
        """A round of a worker whom nothing befalls."""
        jobs = self._claim(limit)
        for job in jobs:
            self._call(job, mood)
        self._record(jobs)

    @precondition(lambda self: self.life.due())
    @rule(limit=limits, mood=moods, times=st.integers(1, 3))
    def work_in_vain(self, limit: int, mood: Mood, times: int) -> None:
        """A worker calls and dies, and another, and their leases end."""
        for _each in range(times):
            for job in self._claim(limit):
                self._call(job, mood)
                self._come_due(job.payout)

    def _claim(self, limit: int) -> list[Job]:
        """As a pump begins: one suspect alone, or a batch without any."""
        expected = self.life.claim_suspect()
        assignments = actions.claim_suspect()
        if not expected:
            expected = self.life.claim(limit)
            assignments += actions.claim(limit=limit)

        event(f"claim: {len(assignments)}")
        claimed = [(each.payout_id, each.is_first_call, each.may_post) for each in assignments]
        jobs = []
        assert claimed == [(payout.id, is_first, may_post) for payout, is_first, may_post in expected]
        for (payout, is_first, _may_post), assignment in zip(expected, assignments, strict=True):
            key = assignment.attempt.reference
            assert assignment.instruction.reference == key
            assert assignment.lease_token != payout.lease
            if is_first:
                assert key not in {attempt.key for each in self.life.payouts for attempt in each.attempts}
                payout.attempt.key = key
            assert payout.attempt.key == key
            payout.lease = assignment.lease_token
            jobs.append(Job(payout, assignment))
        self.jobs += jobs
        return jobs

    @precondition(lambda self: self._callable())
    @rule(number=numbers, mood=moods)
    def call(self, number: int, mood: Mood) -> None:
        jobs = self._callable()
        self._call(jobs[number % len(jobs)], mood)

    def _call(self, job: Job, mood: Mood) -> None:
        """The first call pays; every later one looks up, and pays again only if there is nothing and it may.

        Before it pays every earlier key is looked up, and a refusal of a key sent before is looked up too.
        """
        self.books.mood, self.books.calls, self.books.is_refusing = mood, [], False
        expected = self._expected_calls(job)

        job.answer = pump._exchange(self.books, job.assignment, inf)

        if self.books.is_refusing and not job.assignment.is_first_call:
            expected.append("look_up")
        assert self.books.calls == expected
        event(f"call: {'+'.join(expected)}, {job.answer.verdict}")

    def _expected_calls(self, job: Job) -> list[str]:
        unpaid = {Verdict.ABSENT, Verdict.REFUSED}
        is_doubted = job.assignment.attempt.outcome == "refused"
        expected = []
        if not job.assignment.is_first_call:
            expected.append("look_up")
            said = self.books.says(job.attempt.key)
            goes_on = said in unpaid if is_doubted else said == Verdict.ABSENT and job.assignment.may_post
            if not goes_on:
                return expected
        for earlier in job.payout.attempts[: job.attempt.number - 1]:
            expected.append("look_up")
            if self.books.says(earlier.key) not in unpaid:
                return expected
        return expected if is_doubted else [*expected, "pay"]

    def _callable(self) -> list[Job]:
        return [job for job in self.jobs if job.answer is None and not job.is_late]

    @precondition(lambda self: any(job.answer for job in self.jobs))
    @rule(picked=st.lists(numbers, min_size=1, max_size=3))
    def record(self, picked: list[int]) -> None:
        """Answers come back in any order, late and twice too; those that have lost their lease are news."""
        answered = [job for job in self.jobs if job.answer]
        jobs = {job.payout.id: job for job in (answered[-1 - number % len(answered)] for number in picked)}
        self._record(list(jobs.values()))

    def _record(self, jobs: list[Job]) -> None:
        current = [job for job in jobs if job.is_current]

        stands = actions.record_outcomes([(job.assignment, job.answer) for job in jobs])

        event(f"record: {len(current)} stand, {len(jobs) - len(current)} late")
        assert stands == len(current)
        late = [job for job in jobs if job not in current]
        for job in current:
            may_post, about = job.assignment.may_post, job.answer.about
            lacks_funds = job.answer.lacks_funds
            self.life.record(job.payout, job.answer.verdict, may_post=may_post, about=about, lacks_funds=lacks_funds)
        for job in late:
            self._heard_late(job, job.answer)

    def _heard_late(self, job: Job, answer: Answer) -> None:
        call = job.assignment.attempt.calls
        self.life.hear_late(job.payout, job.attempt, call, answer.verdict, answer.about)

    @precondition(lambda self: any(not job.is_current for job in self.jobs))
    @rule(number=numbers, verdict=st.sampled_from(list(Verdict)), is_foreign=st.booleans())
    def record_without_a_lease(self, number: int, verdict: Verdict, is_foreign: bool) -> None:
        jobs = [job for job in self.jobs if not job.is_current]
        job = jobs[number % len(jobs)]
        assignment = job.assignment
        if is_foreign:
            assignment = replace(assignment, lease_token=uuid4())

        assert actions.record_outcomes([(assignment, Answer(verdict))]) == 0

        self._heard_late(job, Answer(verdict))

    @precondition(lambda self: any(job.answer is None for job in self.jobs))
    @rule(number=numbers)
    def give_back(self, number: int) -> None:
        jobs = [job for job in self.jobs if job.answer is None]
        job = jobs[-1 - number % len(jobs)]
        before = self._digest()

        actions.give_back([job.assignment])

        event(f"give_back: {'done' if job.is_current else 'dropped'}")
        if job.is_current:
            self.life.give_back(job.payout)
        else:
            assert self._digest() == before
        job.is_late = True

    # Time and the provider

    @precondition(lambda self: self._waiting())
    @rule(number=numbers)
    def time_passes(self, number: int) -> None:
        """A lease ends, a look-up comes up, or a payout that waits for funds may be tried again."""
        waiting = self._waiting()
        self._come_due(waiting[number % len(waiting)])

    def _waiting(self) -> list[Payout]:
        later = [payout for payout in self.life.payouts if payout.due == LATER]
        return [payout for payout in later if payout.status != "pending" or payout.waits_for_funds]

    def _come_due(self, payout: Payout) -> None:
        for job in self.jobs:
            job.is_late |= job.payout is payout
        payout.due = self.life.now()
        by_hand("UPDATE payouts_payout SET due_at = clock_timestamp() WHERE id = %s", payout.id)

    @precondition(lambda self: any(payout.attempts for payout in self.life.payouts))
    @rule(is_over=st.booleans())
    def keys_grow_old(self, is_over: bool) -> None:
        """A day passes, or all of it but half a lease: what a worker has in hand then is past its time."""
        age_seconds = KEY_TTL_SECONDS + 1 if is_over else KEY_TTL_SECONDS - LEASE_SECONDS / 2
        with unguarded("payouts_attempt"):
            by_hand("UPDATE payouts_attempt SET created_at = created_at - %s", timedelta(seconds=age_seconds))
        if is_over:
            self.books.forget_keys()
        for payout in self.life.payouts:
            for attempt in payout.attempts:
                attempt.outlives_a_lease = False
            if payout.is_being_called:
                self._come_due(payout)

    @precondition(lambda self: self.books.open())
    @rule(number=numbers, is_paid=st.booleans())
    def the_provider_decides(self, number: int, is_paid: bool) -> None:
        """What was pending is paid or refused; what was paid comes back."""
        payments = self.books.open()
        payment = payments[number % len(payments)]
        if payment.state == Verdict.SUCCEEDED:
            payment.state = Verdict.RETURNED
        else:
            payment.state = Verdict.SUCCEEDED if is_paid else Verdict.REFUSED

    @precondition(lambda self: any(payout.attempts for payout in self.life.payouts))
    @rule(number=numbers, reported=st.sampled_from(REPORTED), is_repeated=st.booleans())
    def hear(self, number: int, reported: Verdict, is_repeated: bool) -> None:
        """A webhook comes, true or not, once or twice, and for an old attempt too."""
        attempts = [(payout, attempt) for payout in self.life.payouts for attempt in payout.attempts]
        payout, attempt = attempts[number % len(attempts)]
        said = {"message_id": f"msg_{uuid4()}", "reference": attempt.key, "reported": reported}
        queue, was_due = rings(), payout in self.life.due()

        assert actions.hear(**said)

        self.life.hear(payout, attempt, reported)
        event(f"hear: {payout.status}, {reported}")
        assert was_due or payout not in self.life.due() or rings() > queue, "nobody was told that it is due"
        if is_repeated:
            before = self._digest()
            assert not actions.hear(**said)
            assert self._digest() == before

    # Both worlds

    @invariant()
    def both_worlds_agree(self) -> None:
        if not hasattr(self, "life"):
            return
        stored = _stored()
        assert list(stored) == [payout.id for payout in self.life.payouts]
        for payout in self.life.payouts:
            assert stored[payout.id] == _told(payout)
        due = list(Row.objects.due().order_by("due_at").values_list("pk", flat=True))
        assert due == [payout.id for payout in self.life.due()]

    @invariant()
    def money_leaves_once(self) -> None:
        """Where no two people have testified against the books, they hold what the status says."""
        if not hasattr(self, "life"):
            return
        for payout in self.life.payouts:
            if payout.was_misjudged:
                continue
            payments = self.books.of(payout.reference)
            assert len(payments) <= 1, "paid twice"
            if payout.status in {"pending", "failed", "rejected", "cancelled"}:
                assert not payments, f"{payout.status}, and money has left"
            if payout.status == "processed":
                settled = [name for name, *_statuses in payout.events].count("settled")
                paid = [payment for payment in payments if payment.state != Verdict.PENDING]
                assert len(paid) + settled == 1, "processed, and not paid once"

    def _choose(self, number: int, fits: Callable[[Payout], bool]) -> Payout:
        """Two times out of three one that the step fits, if there is any."""
        fitting = [payout for payout in self.life.payouts if fits(payout)] if number % 3 else []
        payouts = fitting or self.life.payouts
        return payouts[number // 3 % len(payouts)]

    def _actor(self, by: str) -> User | ApiClient:
        return self.clients[by] if by in CLIENTS else self.people[by]

    def _is_refused(self, do: Callable[[], Any], refusals: Collection[str]) -> PayoutError:
        with pytest.raises(PayoutError) as refused:
            do()
        assert type(refused.value).__name__ in refusals
        assert str(refused.value)
        return refused.value

    def _digest(self) -> str:
        """Of every row that an action may write."""
        with connection.cursor() as cursor:
            cursor.execute(DIGEST)
            return cursor.fetchone()[0]


TABLES = ("payouts_payout", "payouts_event", "payouts_attempt", "payouts_approval", "django_q_ormq")
DIGEST = "SELECT concat_ws(' ', {})".format(
    ", ".join(f"(SELECT md5(string_agg(row::text, ' ' ORDER BY row.id)) FROM {table} row)" for table in TABLES)
)


def _told(payout: Payout) -> dict[str, Any]:
    """A payout as the model has it."""
    return {
        "status": payout.status,
        "stage": payout.stage,
        "version": payout.version,
        "approvals": (payout.needs, len(payout.approved_by), sorted(payout.approved_by)),
        "is held": payout.is_held,
        "attention": payout.attention,
        "is withdrawn": payout.is_withdrawn,
        "is paid": payout.status in {"processed", "returned"},
        "lost leases": payout.lost_leases,
        "lease": payout.lease,
        "due": "never" if payout.due is None else "later" if payout.due == LATER else "now",
        "events": payout.events,
        "attempts": [
            (attempt.number, attempt.key, attempt.outcome, attempt.calls, attempt.is_accepted, attempt.voices)
            for attempt in payout.attempts
        ],
    }


def _stored() -> dict[int, dict[str, Any]]:
    """All payouts as the database has them, in the model's words."""
    stored: dict[int, dict[str, Any]] = {}
    now = timezone.now()
    for row in Row.objects.order_by("pk"):
        stored[row.pk] = {
            "status": row.status,
            "stage": str(row.stage),
            "version": row.version,
            "approvals": (row.approvals_required, row.approvals_given, []),
            "is held": row.held_at is not None,
            "attention": row.attention,
            "is withdrawn": row.withdrawn_at is not None,
            "is paid": row.processed_at is not None,
            "lost leases": row.lost_leases,
            "lease": row.lease_token,
            "due": "never" if row.due_at is None else "later" if row.due_at > now else "now",
            "events": [],
            "attempts": [],
        }
    for event_row in Event.objects.order_by("payout", "seq"):
        stored[event_row.payout_id]["events"].append((event_row.event, event_row.from_status, event_row.to_status))
    voices: dict[int, dict[str, str]] = {}
    for approval in Approval.objects.select_related("checker").order_by("pk"):
        name = approval.checker.get_username()
        standing = stored[approval.payout_id]["approvals"][2]
        if approval.decision == Approval.Decision.APPROVE:
            standing.append(name)
        elif approval.decision == Approval.Decision.WITHDRAW:
            standing.remove(name)
        else:
            voices.setdefault(approval.attempt_id, {})[name] = approval.decision
    for row in stored.values():
        row["approvals"][2].sort()
    for attempt in Attempt.objects.order_by("payout", "number"):
        stored[attempt.payout_id]["attempts"].append(
            (
                attempt.number,
                attempt.reference,
                attempt.outcome,
                attempt.calls,
                attempt.accepted_at is not None,
                voices.get(attempt.pk, {}),
            )
        )
    return stored


@pytest.fixture
def rules_of_lives(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR", logger="payouts.actions")  # late answers are dropped by the hundred
    settings.LEASE_SECONDS = LEASE_SECONDS
    settings.PROVIDER_KEY_TTL_SECONDS = KEY_TTL_SECONDS
    settings.MAX_ATTEMPT_CALLS = MOST_CALLS
    VelocityLimit.objects.all().delete()  # these have tests of their own


@pytest.mark.takes_long
@pytest.mark.timeout(0)
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("rules_of_lives")
def test_random_lives_keep_to_the_rules() -> None:
    run_state_machine_as_test(Lives, settings=PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "quick")])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("rules_of_lives")
def test_people_may_say_of_a_refused_attempt_that_it_was_not_paid_when_a_later_one_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(globals(), "event", lambda _name: None)  # hypothesis takes it from its own tests alone
    life = Lives()
    life.begin(amounts=[Decimal("250000.00")])
    life.help_on(number=0)
    for verdict in (Verdict.REFUSED, Verdict.SUCCEEDED):
        life.work(limit=1, mood=Mood(new=verdict, is_refusal_kept=False, is_answer_lost=False, look_up="true"))
        life.keys_grow_old(is_over=False)
        if verdict == Verdict.REFUSED:
            life.help_on(number=0)
    life.hear(is_repeated=False, number=0, reported=Verdict.SUCCEEDED)
    (payout,) = life.life.payouts
    assert (payout.status, payout.attention) == ("processed", "contradicted")

    for _person in range(2):
        life.help_on(number=0)
        life.both_worlds_agree()

    assert (payout.status, payout.attention) == ("processed", "")
    life.teardown()


@pytest.mark.django_db
def test_what_ended_an_attempt_ends_the_suspicion_against_the_payout_too(checker: User, second_checker: User) -> None:
    row = recipes.pending_payout()
    for _each in range(6):
        recipes.make_due(row)
        assert actions.claim_suspect() or actions.claim(limit=1) or row.attempts.get().calls == 5
    for by in (checker, second_checker):
        actions.resolve(row.pk, by=by, decision=Approval.Decision.NOT_PAID, evidence=EVIDENCE)

    actions.retry(row.pk, by=checker, reason="The worker is mended.")

    (assignment,) = actions.claim(limit=1)
    assert (assignment.payout_id, assignment.is_first_call) == (row.pk, True)


@pytest.mark.django_db
def test_money_that_came_back_while_it_was_looked_up_is_looked_up_again() -> None:
    row = recipes.processed_payout()
    key = row.attempts.get().reference
    actions.hear(message_id="msg_1", reference=key, reported=Verdict.RETURNED)
    assignment = recipes.claimed(row, may_wait=False)

    actions.hear(message_id="msg_2", reference=key, reported=Verdict.RETURNED)
    actions.record_outcomes([(assignment, recipes.SUCCEEDED)])

    assert recipes.claimed(row, may_wait=False).may_post is False


@pytest.mark.django_db
def test_a_payout_that_was_cancelled_on_hold_is_not_released(checker: User) -> None:
    row = recipes.held_payout()
    actions.cancel(row.pk, by=checker)

    with pytest.raises(NotAllowedError):
        actions.release(row.pk, by=checker)

    assert row.events.latest("seq").event == "cancelled"
