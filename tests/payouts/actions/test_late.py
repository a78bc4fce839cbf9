"""Late truths: a result without its lease, and a refusal that turns out to have been a payment."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions, rules
from payouts.actions import NotAllowedError, late
from payouts.admin.payouts.next_step import next_step
from payouts.api.status_detail import status_detail
from payouts.models import Attention, Payout, contradicted_attempts
from payouts.providers import Answer, Verdict
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, nothing_changes
from tests.payouts.providers.double import DoubleProvider, Fault
from tests.recipes import (
    ABSENT,
    PENDING,
    REFUSED,
    SUCCEEDED,
    UNKNOWN,
    answered,
    claimed,
    failed_payout,
    make_due,
    pending_payout,
)

pytestmark = pytest.mark.django_db

RETURNED = Answer(Verdict.RETURNED, provider_id="prv_1", http_status=200)
OUTCOMES = {"succeeded": SUCCEEDED, "refused": REFUSED, "pending": PENDING, "unknown": UNKNOWN, "absent": ABSENT}


def _fresh(payout: Payout) -> Payout:
    return Payout.objects.get(pk=payout.pk)


def _is_due(payout: Payout) -> bool:
    return Payout.objects.due().filter(pk=payout.pk).exists()


def _kept(payout: Payout) -> list[tuple[int, str]]:
    (attempt,) = payout.attempts.all()
    return list(attempt.exchanges.order_by("call").values_list("call", "verdict"))


def _overtaken(last: Answer, slow: Answer) -> Payout:
    """Two workers had it: the second, with the lease, recorded `last`; then the first came back with `slow`."""
    payout = pending_payout()
    first = claimed(payout)
    second = claimed(payout)
    assert actions.record_outcomes([(second, last)]) == 1
    assert actions.record_outcomes([(first, slow)]) == 0
    return _fresh(payout)


# Results whose lease was lost


@pytest.mark.parametrize("slow", OUTCOMES.values(), ids=OUTCOMES)
def test_a_result_whose_lease_was_lost_moves_nothing_and_is_kept(slow: Answer) -> None:
    payout = pending_payout()
    first = claimed(payout)
    second = claimed(payout)

    before = _fresh(payout)

    assert actions.record_outcomes([(first, slow)]) == 0

    after = _fresh(payout)
    assert (after.status, after.version, after.lease_token) == (before.status, before.version, before.lease_token)
    assert _kept(payout) == [(1, slow.verdict)]
    assert actions.record_outcomes([(second, SUCCEEDED)]) == 1
    assert _fresh(payout).status == "processed"
    assert is_clean()


def test_a_late_result_is_news_and_a_refusal_that_may_be_older_fails_nothing() -> None:
    payout = pending_payout()
    first = claimed(payout)
    second = claimed(payout)

    actions.record_outcomes([(first, SUCCEEDED)])
    actions.record_outcomes([(second, REFUSED)])

    assert (_fresh(payout).status, _is_due(payout)) == ("unknown", True)


def test_two_results_of_one_payout_in_one_batch_are_both_kept() -> None:
    payout = pending_payout()
    first = claimed(payout)
    second = claimed(payout)

    assert actions.record_outcomes([(second, REFUSED), (first, SUCCEEDED)]) == 1

    assert _kept(payout) == [(1, "succeeded"), (2, "refused")]
    assert (_fresh(payout).status, _is_due(payout)) == ("failed", True)


@pytest.mark.parametrize("slow", [SUCCEEDED, UNKNOWN, PENDING])
def test_a_late_result_after_a_refusal_has_the_provider_asked_and_nobody_sends_it_again_meanwhile(
    slow: Answer, operator: User
) -> None:
    payout = _overtaken(REFUSED, slow)

    assert (payout.status, payout.attention, _is_due(payout)) == ("failed", "", True)
    with nothing_changes(payout), pytest.raises(NotAllowedError, match="paid after all"):
        actions.retry(payout.pk, by=operator, reason="Again.")


@pytest.mark.parametrize("slow", [REFUSED, ABSENT])
def test_a_late_result_that_agrees_with_a_refusal_is_kept_and_asks_for_nothing(slow: Answer) -> None:
    payout = _overtaken(REFUSED, slow)

    assert (payout.status, payout.due_at, payout.news_at) == ("failed", None, None)
    assert len(_kept(payout)) == 2


def test_a_late_result_that_is_recorded_twice_is_news_once() -> None:
    payout = pending_payout()
    first = claimed(payout)
    second = claimed(payout)
    actions.record_outcomes([(second, REFUSED)])
    actions.record_outcomes([(first, SUCCEEDED)])
    answered(payout, REFUSED)

    with nothing_changes(payout):
        assert actions.record_outcomes([(first, SUCCEEDED)]) == 0


def test_the_late_result_of_an_altered_payout_is_kept_and_moves_nothing() -> None:
    payout = pending_payout()
    assignment = claimed(payout)
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)

    actions.record_outcomes([(assignment, SUCCEEDED)])

    assert _kept(payout) == [(1, "succeeded")]
    assert (_fresh(payout).status, _fresh(payout).attention) == ("processing", Attention.ALTERED)


def test_a_late_success_of_a_refused_attempt_stops_a_payout_that_was_sent_again() -> None:
    payout = pending_payout()
    first = claimed(payout)
    second = claimed(payout)
    actions.record_outcomes([(second, REFUSED)])
    actions.retry(payout.pk, by=recipes.person.make(), reason="Again.")
    third = claimed(payout)

    actions.record_outcomes([(first, SUCCEEDED)])
    between = _fresh(payout)
    actions.record_outcomes([(third, SUCCEEDED)])

    assert (between.status, between.attention, between.due_at) == ("unknown", Attention.CONTRADICTED, None)
    assert _fresh(payout).attention == Attention.CONTRADICTED
    assert actions.claim(limit=10) == []
    exchanges = [each for attempt in payout.attempts.all() for each in attempt.exchanges.values_list("verdict")]
    assert exchanges == [("succeeded",), ("refused",), ("succeeded",)]
    assert is_clean()


def test_a_late_refusal_of_a_paid_payout_is_asked_about() -> None:
    payout = _overtaken(SUCCEEDED, REFUSED)

    assert (payout.status, _is_due(payout)) == ("processed", True)
    assert answered(payout, SUCCEEDED).due_at is None


@pytest.mark.parametrize("slow", [SUCCEEDED, PENDING, UNKNOWN, ABSENT])
def test_a_late_result_that_says_nothing_new_of_a_paid_payout_is_kept_and_asks_for_nothing(slow: Answer) -> None:
    payout = _overtaken(SUCCEEDED, slow)

    assert (payout.status, payout.due_at, payout.news_at) == ("processed", None, None)


# A failed payout whose refusal is in doubt


def test_a_failed_payout_that_was_paid_becomes_processed_on_the_providers_word() -> None:
    payout = answered(_overtaken(REFUSED, SUCCEEDED), SUCCEEDED)

    attempt = payout.attempts.get()
    assert (payout.status, payout.due_at, payout.attention, payout.failure_code) == ("processed", None, "", "")
    assert (attempt.outcome, attempt.finished_at) == ("succeeded", payout.processed_at)
    assert last_event(payout)[:4] == ("succeeded", "failed", "processed", "system:worker")
    assert payout.events.latest("seq").facts["attempt"] == str(attempt.reference)
    assert is_clean()


def test_a_failed_payout_that_was_paid_and_came_back_becomes_returned() -> None:
    payout = answered(_overtaken(REFUSED, SUCCEEDED), RETURNED)

    moves = list(payout.events.order_by("seq").values_list("from_status", "to_status"))[-2:]
    assert moves == [("failed", "processed"), ("processed", "returned")]
    assert is_clean()


def test_a_failed_payout_that_the_provider_refuses_again_stays_failed_and_may_be_sent_again(operator: User) -> None:
    payout = answered(_overtaken(REFUSED, SUCCEEDED), REFUSED)

    assert (payout.status, payout.due_at, payout.news_at, payout.attention) == ("failed", None, None, "")
    assert actions.retry(payout.pk, by=operator, reason="Again.").status == "pending"
    assert is_clean()


def test_a_look_up_that_finds_nothing_after_a_time_out_agrees_with_the_refusal() -> None:
    payout = answered(_overtaken(REFUSED, UNKNOWN), ABSENT)

    assert (payout.status, payout.due_at, payout.attention) == ("failed", None, "")


@pytest.mark.parametrize("unclear", [ABSENT, UNKNOWN])
def test_what_stays_unclear_is_asked_with_growing_pauses_and_then_left_to_people(unclear: Answer) -> None:
    payout = _overtaken(REFUSED, SUCCEEDED)
    looks = 0

    while payout.due_at:
        payout = answered(payout, unclear)
        looks += 1
        assert payout.status == "failed"

    assert looks == late.DOUBTFUL_CALLS - 2
    assert payout.attention == Attention.CONTRADICTED
    assert payout.events.latest("seq").facts["attempt"] == str(payout.attempts.get().reference)
    assert is_clean()


def test_what_is_left_to_people_is_the_attempt_that_the_provider_spoke_of() -> None:
    payout = answered(recipes.retried_payout(), REFUSED)
    first, _second = payout.attempts.order_by("number")
    actions.hear(message_id="m", reference=first.reference, reported=Verdict.SUCCEEDED)

    for _call in range(late.DOUBTFUL_CALLS):
        if not _fresh(payout).attention:
            make_due(payout)
            payout = answered(payout, ABSENT)

    assert payout.attention == Attention.CONTRADICTED
    assert contradicted_attempts([payout])[payout.pk] == [str(first.reference)]
    assert is_clean()


def test_what_the_provider_still_works_on_is_waited_for(settings: Any) -> None:
    settings.MAX_ATTEMPT_CALLS = 12
    payout = _overtaken(REFUSED, SUCCEEDED)

    while payout.due_at:
        payout = answered(payout, PENDING)

    assert (payout.attention, payout.attempts.get().calls) == (Attention.CONTRADICTED, 12)


def test_news_during_the_look_up_of_a_failed_payout_has_it_asked_once_more() -> None:
    payout = _overtaken(REFUSED, SUCCEEDED)
    assignment = claimed(payout)
    key = payout.attempts.get().reference

    actions.hear(message_id="msg_1", reference=key, reported=Verdict.SUCCEEDED)
    actions.record_outcomes([(assignment, REFUSED)])

    assert (_fresh(payout).status, _is_due(payout)) == ("failed", True)


def test_a_webhook_of_a_payment_has_a_failed_payout_looked_up() -> None:
    payout = failed_payout()

    actions.hear(message_id="msg_1", reference=payout.attempts.get().reference, reported=Verdict.SUCCEEDED)
    between = (_fresh(payout).status, _is_due(payout))
    payout = answered(payout, SUCCEEDED)

    assert (between, payout.status) == (("failed", True), "processed")
    assert is_clean()


def test_workers_that_die_over_a_doubtful_failed_payout_leave_it_to_two_people() -> None:
    payout = _overtaken(REFUSED, SUCCEEDED)

    for _each in range(6):
        make_due(payout)
        actions.claim_suspect() or actions.claim(limit=1)

    assert (_fresh(payout).status, _fresh(payout).attention) == ("failed", Attention.CONTRADICTED)


# What was made to happen on the running product


def test_a_worker_that_outlives_its_lease_pays_once_although_another_was_refused(
    provider: DoubleProvider, operator: User
) -> None:
    """Its POST gets through after the other's refusal. The success was dropped, and a retry paid again."""
    payout = pending_payout()
    slow, quick = claimed(payout), claimed(payout)
    provider.script(Fault.REFUSED)
    actions.record_outcomes([(quick, _posted(provider, quick))])
    actions.record_outcomes([(slow, _posted(provider, slow))])

    with pytest.raises(NotAllowedError):
        actions.retry(payout.pk, by=operator, reason="Again.")
    pump.run(provider=provider)

    assert _fresh(payout).status == "processed"
    assert len(provider.paid(payout.reference)) == 1
    assert is_clean()


def _posted(provider: DoubleProvider, assignment: actions.Assignment) -> Answer:
    return provider.pay(assignment.instruction, deadline=0)


def test_a_failed_payout_in_doubt_tells_the_client_and_staff_not_to_pay_it_in_another_way() -> None:
    payout = _overtaken(REFUSED, SUCCEEDED)

    step = next_step(
        payout,
        who=rules.standing(payout, recipes.person.make()),
        attempts=payout.attempts.all(),
        approvals=(),
        may_approve=False,
        is_silent=False,
    )

    assert "Do not pay it in another way" in step.why
    assert "Do not pay it in another way" in status_detail(payout, [])
