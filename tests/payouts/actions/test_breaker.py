"""A provider that does not answer is left alone, but for a probe at a time; and suspects are claimed alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions
from payouts.actions import breaker, claims
from payouts.models import Approval, Attention, Breaker, Payout
from payouts.providers import Answer, Instruction, Verdict
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, unguarded
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import claimed, make_due, pending_payout

pytestmark = pytest.mark.django_db

UNREADABLE = "UPDATE payouts_payout SET recipient = 'x', unreadable_since = now() - interval '1 hour' WHERE id = %s"
OUTAGES = (Fault.UNREACHABLE, Fault.TIMEOUT_AFTER, Fault.RESET_AFTER, Fault.HTTP_500_BEFORE, Fault.RATE_LIMITED)


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 4


def _fail(times: int) -> None:
    for _each in range(times):
        breaker.note_failures("http", [timezone.now()])


def _let_time_come() -> None:
    Breaker.objects.update(open_until=timezone.now() - timedelta(seconds=1))


def _state() -> Breaker:
    return Breaker.objects.get(provider="http")


def test_a_provider_that_fails_ten_times_in_a_row_is_left_alone() -> None:
    pending_payout()

    _fail(9)
    before = breaker.open_providers()
    _fail(1)

    assert (before, breaker.open_providers()) == ([], ["http"])
    assert actions.claim(limit=10) == []
    assert Payout.objects.get().status == "pending"


def test_an_answer_in_between_begins_the_count_anew() -> None:
    _fail(9)
    breaker.note_answer("http")
    _fail(9)

    assert breaker.open_providers() == []


def test_the_silence_of_another_provider_stops_nothing_here() -> None:
    pending_payout()
    other = pending_payout()
    Breaker.objects.create(provider="elsewhere", failures=10, open_until=timezone.now() + timedelta(minutes=1))

    taken = {each.payout_id for each in actions.claim(limit=10)}

    assert other.pk in taken
    assert len(taken) == 2


def test_when_the_pause_is_over_one_payout_is_the_probe() -> None:
    for _each in range(3):
        pending_payout()
    _fail(10)
    _let_time_come()

    first, second = actions.claim(limit=10), actions.claim(limit=10)

    assert (len(first), second) == (1, [])


def test_a_probe_is_not_wasted_while_nothing_is_due() -> None:
    _fail(10)
    _let_time_come()
    before = actions.claim(limit=10)
    pending_payout()

    assert (before, len(actions.claim(limit=10))) == ([], 1)


def test_a_payout_that_is_flagged_instead_of_called_for_does_not_use_up_the_probe() -> None:
    unreadable, sound = pending_payout(), pending_payout()
    by_hand(UNREADABLE, unreadable.pk)
    Payout.objects.filter(pk=sound.pk).update(lost_leases=1)  # so it comes second
    _fail(10)
    _let_time_come()

    taken = [each.payout_id for each in actions.claim(limit=10)]

    unreadable.refresh_from_db()
    assert (taken, unreadable.attention) == ([sound.pk], Attention.UNREADABLE)


def test_a_probe_that_only_flags_is_the_next_ones() -> None:
    payout = pending_payout()
    by_hand("UPDATE payouts_payout SET recipient = 'x' WHERE id = %s", payout.pk)
    _fail(10)
    _let_time_come()
    before = actions.claim(limit=10)
    pending_payout()

    assert (before, len(actions.claim(limit=10))) == ([], 1)


def test_a_suspect_is_the_probe_when_there_is_nothing_else() -> None:
    suspect = pending_payout()
    Payout.objects.update(lost_leases=1)
    _fail(10)
    _let_time_come()

    assert actions.claim_suspect() == []
    assert [each.payout_id for each in actions.claim(limit=10)] == [suspect.pk]


def test_a_probe_that_fails_opens_it_for_longer_and_an_answer_closes_it() -> None:
    _fail(10)
    pauses = []
    for _each in range(5):
        _let_time_come()
        pending_payout()
        (probe,) = actions.claim(limit=10)
        breaker.note_failures("http", [probe.attempt.last_called_at])
        pauses.append((_state().open_until - timezone.now()).total_seconds())

    for pause, seconds in zip(pauses, (4, 8, 15, 15, 15), strict=True):
        assert seconds * 0.8 - 1 < pause <= seconds * 1.2
    breaker.note_answer("http")
    assert breaker.open_providers() == []
    assert (_state().failures, _state().trips, _state().probing_since) == (0, 0, None)


def test_an_outage_of_any_length_can_be_counted() -> None:
    _fail(10)
    for _each in range(10):
        _let_time_come()
        pending_payout()
        (probe,) = actions.claim(limit=10)
        breaker.note_failures("http", [probe.attempt.last_called_at])

    assert _state().trips == len(breaker.OPEN_SECONDS)


def test_calls_that_were_under_way_when_it_opened_do_not_lengthen_the_pause() -> None:
    began_at = timezone.now()
    _fail(10)
    _let_time_come()
    pending_payout()
    actions.claim(limit=10)
    before = _state().open_until

    breaker.note_failures("http", [began_at] * 5)

    assert _state().open_until == before


@pytest.mark.parametrize("fault", OUTAGES)
def test_an_outage_of_any_kind_costs_few_calls_and_is_over_with_the_first_answer(
    fault: Fault, provider: DoubleProvider
) -> None:
    for _each in range(60):
        pending_payout()
    provider.script(*[fault] * 60)
    provider.look_ups_fail = True

    pump.run(provider=provider)
    calls = len(provider.calls)
    waiting = Payout.objects.filter(status="pending").count()
    provider._script.clear()
    provider.look_ups_fail = False
    _let_time_come()
    for payout in Payout.objects.filter(status="unknown"):
        make_due(payout)
    pump.run(provider=provider)

    assert calls <= 10 + 2 * 4 + 4
    assert waiting == 60 - calls
    assert set(Payout.objects.values_list("status", flat=True)) == {"processed"}
    assert breaker.open_providers() == []
    assert is_clean()


def test_a_crowd_at_which_the_provider_fails_is_not_tried_one_by_one_before_the_others() -> None:
    class Picky(DoubleProvider):
        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            if instruction.payout in crowd:
                return Answer(Verdict.UNKNOWN, code="http_500", http_status=500)
            return super().pay(instruction, deadline=deadline)

    crowd = {pending_payout().reference for _each in range(120)}
    others = [pending_payout() for _each in range(40)]
    provider, rounds = Picky(), 0

    while Payout.objects.filter(pk__in=[other.pk for other in others]).exclude(status="processed").exists():
        _let_time_come()
        pump.run(provider=provider)
        rounds += 1
        assert rounds < 80, "as many probes as the crowd has left"


@pytest.mark.parametrize(
    "answer",
    [
        recipes.SUCCEEDED,
        recipes.PENDING,
        recipes.REFUSED,
        recipes.ABSENT,
        Answer(Verdict.UNKNOWN, code="mismatch", http_status=200),
        Answer(Verdict.UNKNOWN, code="several_matches", http_status=200),
        Answer(Verdict.UNKNOWN, code="idempotency_conflict", http_status=422),
        Answer(Verdict.UNKNOWN, code="http_400", http_status=400),
    ],
    ids=lambda answer: answer.code or answer.verdict,
)
def test_what_says_something_about_a_payment_is_no_outage(answer: Answer) -> None:
    assert answer.is_heard
    assert not answer.is_outage


def test_what_could_not_be_sent_says_nothing_about_the_provider() -> None:
    answer = Answer(Verdict.UNKNOWN, code="unsendable")

    assert not answer.is_heard
    assert not answer.is_outage


@pytest.mark.parametrize("code", ["timeout", "http_500", "http_401", "rate_limited", "adapter_error"])
def test_silence_errors_and_our_own_failures_are_outages(code: str) -> None:
    assert Answer(Verdict.UNKNOWN, code=code).is_outage


def test_a_probe_that_teaches_nothing_is_the_next_ones() -> None:
    pending_payout()
    _fail(10)
    _let_time_come()

    class Mute(DoubleProvider):
        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            return Answer(Verdict.UNKNOWN, code="unsendable")

    pump.run(provider=Mute())

    assert _state().probing_since is None
    pending_payout()
    assert len(actions.claim(limit=10)) == 1


# Suspects


def _lose_lease(*payouts: Payout) -> None:
    for payout in payouts:
        claimed(payout)
    for payout in payouts:
        make_due(payout)


def test_a_payout_whose_lease_was_lost_twice_is_claimed_alone() -> None:
    suspect, mate = pending_payout(), pending_payout()
    for _each in range(2):
        _lose_lease(suspect)

    together = [each.payout_id for each in actions.claim(limit=10)]
    alone = [each.payout_id for each in actions.claim_suspect()]

    assert (together, alone) == ([mate.pk], [suspect.pk])


def test_a_payout_whose_lease_was_lost_five_times_is_left_to_a_person() -> None:
    payout = pending_payout()
    for _each in range(5):
        _lose_lease(payout)

    assert actions.claim_suspect() == []

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.UNWORKABLE, None)
    assert is_clean()


def test_a_payout_that_two_people_say_was_not_paid_is_no_suspect_when_it_is_sent_again(operator: User) -> None:
    payout = pending_payout()
    for _each in range(5):
        _lose_lease(payout)
    actions.claim_suspect()
    for _each in range(2):
        recipes._voice(payout, Approval.Decision.NOT_PAID)

    actions.retry(payout.pk, by=operator, reason="Once more.")

    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_a_record_clears_the_suspicion() -> None:
    payout = pending_payout()
    for _each in range(2):
        _lose_lease(payout)
    (assignment,) = actions.claim_suspect()

    actions.record_outcomes([(assignment, recipes.UNKNOWN)])

    payout.refresh_from_db()
    assert payout.lost_leases == 0


class Crowd(DoubleProvider):
    """Notes how many calls were under way when each began."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0
        self.seen: dict[UUID, int] = {}

    @contextmanager
    def _counted(self, instruction: Instruction) -> Iterator[None]:
        with self._lock:
            self.under_way += 1
            self.seen[instruction.payout] = max(self.under_way, self.seen.get(instruction.payout, 0))
        time.sleep(0.01)
        yield
        with self._lock:
            self.under_way -= 1

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        with self._counted(instruction):
            return super().pay(instruction, deadline=deadline)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        with self._counted(instruction):
            return super().look_up(instruction, deadline=deadline)


def test_no_other_call_is_under_way_beside_a_suspects() -> None:
    suspects = [pending_payout() for _each in range(3)]
    Payout.objects.update(lost_leases=1)
    others = [pending_payout() for _each in range(12)]
    crowd = Crowd()

    pump.run(provider=crowd)

    assert {Payout.objects.get(pk=payout.pk).status for payout in (*suspects, *others)} == {"processed"}
    assert [crowd.seen[payout.reference] for payout in suspects] == [1, 1, 1]
    assert max(crowd.seen[payout.reference] for payout in others) > 1
    assert is_clean()


def test_an_adapter_that_fails_at_a_payout_twice_leaves_it_to_a_person_and_the_others_go_on() -> None:
    poison, others = pending_payout(), [pending_payout() for _each in range(5)]

    class Broken(DoubleProvider):
        def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
            if instruction.payout == poison.reference:
                raise RuntimeError("not foreseen")
            return super().pay(instruction, deadline=deadline)

    pump.run(provider=Broken())
    make_due(poison)
    pump.run(provider=Broken())

    poison.refresh_from_db()
    assert (poison.status, poison.attention) == ("unknown", Attention.UNWORKABLE)
    assert {Payout.objects.get(pk=payout.pk).status for payout in others} == {"processed"}
    assert is_clean()


def _without_attempt(payout: Payout) -> None:
    """As an older row that is put back with its seal: processing, and no attempt for it."""
    with unguarded("payouts_attempt"), unguarded("payouts_exchange"):
        by_hand("DELETE FROM payouts_exchange e USING payouts_attempt a WHERE a.reference = e.attempt_id")
        by_hand("DELETE FROM payouts_attempt WHERE payout_id = %s", payout.pk)


def test_a_payout_that_cannot_be_claimed_is_flagged_among_others_that_can() -> None:
    poison, others = recipes.unknown_payout(), [pending_payout() for _each in range(5)]
    _without_attempt(poison)
    make_due(poison)

    taken = {each.payout_id for each in actions.claim(limit=10)}

    poison.refresh_from_db()
    assert taken == {payout.pk for payout in others}
    assert (poison.attention, poison.due_at) == (Attention.UNWORKABLE, None)


def test_a_payout_that_somebody_else_could_claim_meanwhile_is_not_flagged() -> None:
    payout = pending_payout()
    assignment = claimed(payout)

    claims._flag_unworkable(payout.pk)

    assert actions.record_outcomes([(assignment, recipes.SUCCEEDED)]) == 1


def test_when_none_of_many_can_be_claimed_they_wait_and_nobody_is_called_for_each() -> None:
    payouts = [recipes.unknown_payout() for _each in range(4)]
    for payout in payouts:
        _without_attempt(payout)
        make_due(payout)

    assert actions.claim(limit=10) == []

    assert set(Payout.objects.values_list("attention", flat=True)) == {""}
    assert not Payout.objects.due().exists()
