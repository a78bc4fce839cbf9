"""What the provider says, and what becomes of the payout: the whole matrix, in literals."""

from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions
from payouts.actions.moves import Move, move_all
from payouts.models import Attention, EventName, Payout
from payouts.providers import Answer, Verdict
from payouts.states import Status
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, nothing_changes
from tests.recipes import (
    ABSENT,
    LACKS_FUNDS,
    PENDING,
    REFUSED,
    SUCCEEDED,
    UNKNOWN,
    accepted_payout,
    claimed,
    pending_payout,
    processing_payout,
    unknown_payout,
)

pytestmark = pytest.mark.django_db


def _accepted_unknown_payout() -> Payout:
    return recipes.answered(unknown_payout(), PENDING)


BEFORE = {
    "processing": processing_payout,
    "processing, accepted": accepted_payout,
    "unknown": unknown_payout,
    "unknown, accepted": _accepted_unknown_payout,
}
ANSWERS = {
    "succeeded": SUCCEEDED,
    "refused": REFUSED,
    "pending": PENDING,
    "unknown": UNKNOWN,
    "absent": ABSENT,
}
# From, answer → status, event (None when nothing is worth one), outcome of the attempt.
MATRIX: dict[tuple[str, str], tuple[str, str | None, str]] = {
    ("processing", "succeeded"): ("processed", "succeeded", "succeeded"),
    ("processing", "refused"): ("failed", "refused", "refused"),
    ("processing", "pending"): ("processing", "accepted", "open"),
    ("processing", "unknown"): ("unknown", "outcome_unknown", "open"),
    ("processing", "absent"): ("unknown", "outcome_unknown", "open"),
    ("processing, accepted", "succeeded"): ("processed", "succeeded", "succeeded"),
    ("processing, accepted", "refused"): ("failed", "refused", "refused"),
    ("processing, accepted", "pending"): ("processing", None, "open"),
    ("processing, accepted", "unknown"): ("processing", None, "open"),
    ("processing, accepted", "absent"): ("processing", None, "open"),
    ("unknown", "succeeded"): ("processed", "succeeded", "succeeded"),
    ("unknown", "refused"): ("failed", "refused", "refused"),
    ("unknown", "pending"): ("unknown", "accepted", "open"),
    ("unknown", "unknown"): ("unknown", None, "open"),
    ("unknown", "absent"): ("unknown", None, "open"),
    ("unknown, accepted", "succeeded"): ("processed", "succeeded", "succeeded"),
    ("unknown, accepted", "refused"): ("failed", "refused", "refused"),
    ("unknown, accepted", "pending"): ("unknown", None, "open"),
    ("unknown, accepted", "unknown"): ("unknown", None, "open"),
    ("unknown, accepted", "absent"): ("unknown", None, "open"),
}


@pytest.mark.parametrize(("before", "answer"), list(product(BEFORE, ANSWERS)))
def test_an_answer_makes_of_a_payout_what_the_matrix_says(before: str, answer: str) -> None:
    payout = BEFORE[before]()
    version = Payout.objects.get(pk=payout.pk).version
    assignment = claimed(payout)

    recorded = actions.record_outcomes([(assignment, ANSWERS[answer])])

    payout.refresh_from_db()
    attempt = payout.attempts.get()
    status, event, outcome = MATRIX[before, answer]
    assert recorded == 1
    assert (payout.status, attempt.outcome) == (status, outcome)
    assert payout.version == version + (event is not None)
    if event:
        assert (last_event(payout)[0], last_event(payout)[3]) == (event, "system:worker")
        assert payout.events.latest("seq").facts["attempt"] == str(attempt.reference)
    assert payout.lease_token is None
    is_final = status in ("processed", "failed")
    assert (payout.due_at is None, attempt.finished_at is not None) == (is_final, is_final)
    assert (payout.processed_at is not None) == (status == "processed")
    assert is_clean()


def test_only_a_refusal_fails_a_payout_and_says_why() -> None:
    payout = recipes.failed_payout()

    payout.refresh_from_db()
    assert (payout.failure_code, payout.failure_message) == ("account_closed", "The account is closed.")
    assert last_event(payout)[4] == "The account is closed."


@pytest.mark.parametrize("before", BEFORE)
def test_a_refusal_for_want_of_funds_is_no_failure_the_payout_waits(before: str) -> None:
    payout = BEFORE[before]()
    version = Payout.objects.get(pk=payout.pk).version

    payout = recipes.answered(payout, LACKS_FUNDS)

    attempt = payout.attempts.get()
    assert (payout.status, payout.version, payout.waits_for) == ("pending", version + 1, "funds:refused")
    assert (payout.failure_code, payout.attention, payout.lease_token) == ("", "", None)
    assert payout.due_at is not None
    assert payout.waits_since is not None
    assert payout.due_at == payout.waits_since + timedelta(minutes=1)
    assert attempt.outcome == "refused"
    assert last_event(payout)[0] == "lacked_funds"
    assert payout.events.latest("seq").facts["code"] == "insufficient_funds"
    assert is_clean()


@pytest.mark.parametrize("recipe", [processing_payout, unknown_payout, accepted_payout])
@pytest.mark.parametrize("act", [actions.retry, actions.hold, actions.cancel])
def test_nobody_sends_back_to_pending_what_may_have_been_paid(recipe: Any, act: Any, operator: User) -> None:
    payout = recipe()

    with nothing_changes(payout), pytest.raises(actions.NotAllowedError):
        act(payout.pk, by=operator, reason="Again.")


@pytest.mark.parametrize("recipe", [processing_payout, unknown_payout])
def test_the_mover_sends_back_to_pending_by_the_one_event_alone(recipe: Any) -> None:
    payout = Payout.objects.get(pk=recipe().pk)

    with nothing_changes(payout), pytest.raises(actions.NotAllowedError):
        move_all([Move(payout, EventName.RETRIED, Status.PENDING)], at=timezone.now(), actor="system:worker")


def test_a_refusal_for_want_of_funds_that_may_be_older_than_news_is_not_believed() -> None:
    payout = processing_payout()
    attempt = payout.attempts.get()
    assignment = claimed(payout)
    actions.hear(message_id="m-1", reference=attempt.reference, reported=Verdict.SUCCEEDED)

    actions.record_outcomes([(assignment, LACKS_FUNDS)])

    payout.refresh_from_db()
    assert (payout.status, payout.attempts.get().outcome) == ("unknown", "open")


def test_what_the_provider_took_is_kept_and_not_forgotten() -> None:
    payout = recipes.answered(pending_payout(), Answer(Verdict.PENDING, provider_id="prv_1", fee=Decimal("3.50")))

    payout = recipes.answered(payout, SUCCEEDED)

    assert payout.attempts.get().fee == Decimal("3.50")


def test_what_the_provider_said_is_kept_with_the_attempt() -> None:
    payout = pending_payout()
    answer = Answer(
        Verdict.UNKNOWN, provider_id="prv_9", code="http_500", message="HTTP 500.", http_status=500, excerpt="oops"
    )

    recipes.answered(payout, answer)
    recipes.answered(payout, Answer(Verdict.UNKNOWN, code="timeout", message="Silence."))

    attempt = payout.attempts.get()
    assert (attempt.provider_id, attempt.last_code, attempt.last_message, attempt.last_answer) == (
        "prv_9",
        "timeout",
        "Silence.",
        "",
    )


def test_every_answer_to_a_call_is_kept() -> None:
    payout = recipes.answered(unknown_payout(), REFUSED)

    attempt = payout.attempts.get()
    kept = list(attempt.exchanges.values_list("call", "verdict", "http_status", "code", "message"))
    assert kept == [
        (1, "unknown", None, "timeout", "No answer before the deadline."),
        (2, "refused", 422, "account_closed", "The account is closed."),
    ]
    assert attempt.exchanges.get(call=2).called_at == attempt.last_called_at


@pytest.mark.parametrize("late", [SUCCEEDED, REFUSED, UNKNOWN])
def test_a_result_is_recorded_once(late: Answer) -> None:
    payout = pending_payout()
    assignment = claimed(payout)
    actions.record_outcomes([(assignment, REFUSED)])

    with nothing_changes(payout):
        assert actions.record_outcomes([(assignment, late)]) == 0


def test_one_batch_takes_every_verdict_and_a_late_one() -> None:
    verdicts = {verdict: pending_payout() for verdict in ANSWERS}
    late = pending_payout()
    claims = {each.payout_id: each for each in actions.claim(limit=50)}
    current = claimed(late)

    recorded = actions.record_outcomes(
        [(claims[payout.pk], ANSWERS[verdict]) for verdict, payout in verdicts.items()] + [(claims[late.pk], REFUSED)]
    )

    statuses = {verdict: Payout.objects.get(pk=payout.pk).status for verdict, payout in verdicts.items()}
    assert recorded == 5
    assert statuses == {
        "succeeded": "processed",
        "refused": "failed",
        "pending": "processing",
        "unknown": "unknown",
        "absent": "unknown",
    }
    late.refresh_from_db()
    assert (late.status, late.lease_token) == ("processing", current.lease_token)
    assert is_clean()


def test_no_outcome_is_no_work() -> None:
    assert actions.record_outcomes([]) == 0


def test_the_outcome_of_an_altered_payout_moves_nothing_and_the_others_stand() -> None:
    altered, sound = pending_payout(), pending_payout()
    claims = actions.claim(limit=10)
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", altered.pk)

    recorded = actions.record_outcomes([(each, SUCCEEDED) for each in claims])

    altered.refresh_from_db()
    sound.refresh_from_db()
    assert recorded == 1
    assert (altered.status, altered.attention, altered.due_at) == ("processing", Attention.ALTERED, None)
    assert sound.status == "processed"


def test_the_pauses_between_looks_grow_to_a_day(settings: Any) -> None:
    payout = unknown_payout()
    pauses = []
    for _each in range(8):
        payout.refresh_from_db()
        attempt = payout.attempts.get()
        pauses.append((payout.due_at - attempt.last_called_at).total_seconds())
        recipes.answered(payout, UNKNOWN)

    for pause, expected in zip(pauses, (2, 5, 15, 60, 300, 3_600, 86_400, 86_400), strict=True):
        assert expected * 0.79 <= pause <= expected * 1.21 + 5


def test_accepted_is_noted_once_and_kept() -> None:
    payout = accepted_payout()
    accepted_at = payout.attempts.get().accepted_at

    recipes.answered(payout, PENDING)
    recipes.answered(payout, UNKNOWN)

    assert accepted_at is not None
    assert payout.attempts.get().accepted_at == accepted_at
    assert list(payout.events.values_list("event", flat=True)) == ["submitted", "claimed", "accepted"]


def test_a_provider_that_asks_for_time_is_given_it() -> None:
    payout = pending_payout()
    assignment = recipes.claimed(payout)

    actions.record_outcomes([(assignment, Answer(Verdict.UNKNOWN, code="rate_limited", retry_after_seconds=900))])

    payout.refresh_from_db()
    assert payout.due_at is not None
    assert payout.due_at - payout.updated_at >= timedelta(seconds=900)
