"""Races with real threads and connections on PostgreSQL: of two who want one payout, one gets it."""

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.db.models import Sum

from payouts import actions
from payouts.actions import Assignment, NotAllowedError, PayoutError, pauses, submitted
from payouts.actions.pauses import PauseError
from payouts.audit import broken_invariants
from payouts.models import (
    ApiClient,
    Approval,
    Attempt,
    Event,
    Payout,
    PayoutLimit,
    ProviderPause,
    Route,
    SubmittedSum,
)
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, rings
from tests.payouts.providers.double import DoubleProvider
from tests.recipes import SUCCEEDED, awaiting_payout, claimed, make_due, pending_payout, unknown_payout
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)

RACES = 25


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run the jobs in threads that start together; what each returned, or the PayoutError that refused it."""
    barrier = threading.Barrier(len(jobs), timeout=PATIENCE_SECONDS)
    results: list[Any] = [None] * len(jobs)

    def run(place: int) -> None:
        try:
            connection.ensure_connection()
            barrier.wait()
            results[place] = jobs[place]()
        except PayoutError as refusal:
            results[place] = refusal
        except BaseException as error:
            results[place] = error
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_SECONDS)
    unexpected = [each for each in results if isinstance(each, BaseException) and not isinstance(each, PayoutError)]
    assert unexpected == []
    return results


def accepted(results: Sequence[Any]) -> list[Any]:
    return [each for each in results if not isinstance(each, PayoutError)]


def test_of_eight_equal_submissions_without_a_key_seven_are_possible_duplicates(client: ApiClient) -> None:
    results = at_once(*[lambda: pending_payout(client=client)] * 8)

    assert sorted(payout.review_flags for payout in results) == [[], *[["possible_duplicate"]] * 7]
    assert Payout.objects.filter(approvals_required=0).count() == 1


def test_what_is_submitted_at_once_is_added_up_without_loss(client: ApiClient) -> None:
    PayoutLimit.objects.create(currency="RUB", recipient_amount=Decimal("300.00"), day_amount=Decimal("500.00"))

    def submit(number: int) -> None:
        for each in range(5):
            pending_payout(client=client, amount=Decimal("10.00"), idempotency_key=f"order-{number}-{each}")

    at_once(*[lambda number=number: submit(number) for number in range(8)])
    after = pending_payout(client=client, user_id=9, amount=Decimal("0.01"))

    sums = SubmittedSum.objects.values_list("kind").annotate(Sum("count"), Sum("amount")).order_by("kind")
    assert list(sums) == [("currency", 41, Decimal("400.01")), ("recipient", 41, Decimal("400.01"))]
    assert after.review_flags == ["above_recipient_limit"]
    submitted.tidy()
    assert list(sums) == [("currency", 41, Decimal("400.01")), ("recipient", 41, Decimal("400.01"))]


def test_a_submission_that_is_stuck_holds_up_no_other(client: ApiClient) -> None:
    """As a transaction does whose web server was stopped in its middle."""
    PayoutLimit.objects.create(currency="RUB", recipient_amount=Decimal("300.00"), day_amount=Decimal("500.00"))
    pending_payout(client=client, idempotency_key="first")
    is_stuck, is_over = threading.Event(), threading.Event()

    def be_stuck() -> None:
        with transaction.atomic():
            pending_payout(client=client, idempotency_key="stuck")
            is_stuck.set()
            assert is_over.wait(30)

    def go_on() -> list[Payout]:
        assert is_stuck.wait(30)
        by_hand("SET lock_timeout = '1s'")
        try:
            return [pending_payout(client=client, idempotency_key=f"other-{number}") for number in range(3)]
        finally:
            is_over.set()

    _stuck, others = at_once(be_stuck, go_on)

    assert [payout.review_flags for payout in others] == [[], *[["above_recipient_limit"]] * 2]
    assert SubmittedSum.objects.filter(kind="currency").count() == 2


def test_eight_submissions_with_one_key_make_one_payout(client: ApiClient) -> None:
    results = at_once(*[lambda: pending_payout(client=client, idempotency_key="order-7")] * 8)

    assert len({payout.pk for payout in results}) == 1
    assert sorted(payout.is_replay for payout in results) == [False] + [True] * 7
    assert Payout.objects.count() == Event.objects.count() == 1
    assert rings() == 1
    assert is_clean()


def test_eight_submissions_with_one_key_and_eight_contents_make_one_payout(client: ApiClient) -> None:
    jobs = [
        lambda user_id=user_id: pending_payout(client=client, idempotency_key="order-7", user_id=user_id)
        for user_id in range(1, 9)
    ]

    results = at_once(*jobs)

    assert len(accepted(results)) == 1
    assert {type(each) for each in results} == {Payout, actions.IdempotencyError}
    assert Payout.objects.get() == accepted(results)[0]


def test_of_eight_people_who_pause_a_provider_at_once_one_does_and_of_eight_who_resume_it_one_does() -> None:
    people = [recipes.person.make() for _each in range(9)]

    def told(job: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            try:
                return job()
            except PauseError as refusal:
                return str(refusal)

        return run

    pausing = at_once(*[told(lambda by=by: pauses.pause("http", by=by, reason="Odd.")) for by in people[:8]])
    (made,) = (each for each in pausing if isinstance(each, ProviderPause))
    others = [person for person in people if person != made.paused_by]
    resuming = at_once(*[told(lambda by=by: pauses.resume(made.pk, by=by, reason="Fine.")) for by in others])

    assert [each for each in pausing if each != made] == [f"{made.paused_by} has already paused it."] * 7
    (done,) = (each for each in resuming if isinstance(each, ProviderPause))
    assert [each for each in resuming if each != done] == [f"It was resumed already by {done.resumed_by}."] * 7


def test_of_eight_checkers_at_once_only_as_many_stand_as_are_needed() -> None:
    payout = awaiting_payout()
    checkers = [recipes.person.make() for _each in range(8)]

    results = at_once(*[lambda by=by: actions.approve(payout.pk, by=by) for by in checkers])

    payout.refresh_from_db()
    assert len(accepted(results)) == 1
    assert (payout.approvals_given, payout.version, Approval.objects.count(), rings()) == (1, 2, 1, 1)
    assert is_clean()


def test_of_eight_checkers_at_once_two_stand_where_two_are_needed() -> None:
    payout = awaiting_payout(amount=recipes.TWO_APPROVALS)
    checkers = [recipes.person.make() for _each in range(8)]

    results = at_once(*[lambda by=by: actions.approve(payout.pk, by=by) for by in checkers])

    payout.refresh_from_db()
    assert len(accepted(results)) == 2
    assert (payout.approvals_given, Approval.objects.count(), rings()) == (2, 2, 1)


def test_one_checker_eight_times_at_once_is_one_voice(checker: User) -> None:
    payout = awaiting_payout(amount=recipes.TWO_APPROVALS)

    results = at_once(*[lambda: actions.approve(payout.pk, by=checker)] * 8)

    payout.refresh_from_db()
    assert len(accepted(results)) == 1
    assert (payout.approvals_given, payout.due_at) == (1, None)


def test_one_person_eight_times_at_once_is_one_voice_on_an_outcome(checker: User) -> None:
    payout = unknown_payout()
    decision = Approval.Decision.NOT_PAID

    results = at_once(*[lambda: actions.resolve(payout.pk, by=checker, decision=decision, evidence="x")] * 8)

    payout.refresh_from_db()
    assert len(accepted(results)) == 1
    assert (payout.status, Approval.objects.count()) == ("unknown", 1)


def test_a_version_can_be_used_once(operator: User) -> None:
    payout = pending_payout()

    results = at_once(*[lambda: actions.schedule(payout.pk, by=operator, scheduled_for=None, version=1)] * 8)

    payout.refresh_from_db()
    assert len(accepted(results)) == 1
    assert payout.version == 2


def _take() -> list[Assignment]:
    return actions.claim(limit=1)


AGAINST_CLAIM: dict[str, tuple[Callable[[Payout, User, ApiClient], object], str]] = {
    "cancel": (lambda payout, operator, client: actions.cancel(payout.pk, by=operator), "cancelled"),
    "withdraw": (lambda payout, operator, client: actions.withdraw(payout.pk, by=client), "cancelled"),
    "hold": (lambda payout, operator, client: actions.hold(payout.pk, by=operator, reason="Wait."), "pending"),
    "settle": (lambda payout, operator, client: actions.settle(payout.pk, by=operator), "processed"),
    "reject": (lambda payout, operator, client: actions.reject(payout.pk, by=operator, reason="No."), "rejected"),
}


@pytest.mark.parametrize("name", AGAINST_CLAIM)
def test_a_decision_and_a_claim_never_both_succeed(name: str, operator: User, client: ApiClient) -> None:
    decide, status = AGAINST_CLAIM[name]

    for race in range(RACES * (4 if name == "cancel" else 1)):
        payout = pending_payout(client=client, user_id=race + 1)

        decision, claims = at_once(lambda payout=payout: decide(payout, operator, client), _take)

        payout.refresh_from_db()
        if isinstance(decision, PayoutError):
            assert isinstance(decision, NotAllowedError)
            assert [each.payout_id for each in claims] == [payout.pk]
            assert payout.status == "processing"
            actions.record_outcomes([(claims[0], SUCCEEDED)])
        else:
            assert claims == []
            assert payout.status == status
            assert not Attempt.objects.filter(payout=payout).exists()
    assert is_clean()


def test_eight_claimers_share_what_is_due_and_nothing_is_claimed_twice() -> None:
    payouts = [pending_payout() for _each in range(40)]

    batches = at_once(*[lambda: actions.claim(limit=8)] * 8)
    batches.append(actions.claim(limit=100))

    ids = [each.payout_id for batch in batches for each in batch]
    assert sorted(ids) == [payout.pk for payout in payouts]
    assert Attempt.objects.count() == 40


def test_a_claim_skips_what_another_transaction_holds() -> None:
    locked, free = pending_payout(), pending_payout()
    with transaction.atomic():
        Payout.objects.select_for_update().get(pk=locked.pk)

        (taken,) = at_once(lambda: actions.claim(limit=10))

    assert [each.payout_id for each in taken] == [free.pk]


def test_an_expired_lease_is_taken_by_one_of_eight() -> None:
    payout = pending_payout()
    late = claimed(payout)
    make_due(payout)

    batches = at_once(*[lambda: actions.claim(limit=8)] * 8)

    (current,) = [each for batch in batches for each in batch]
    assert Attempt.objects.get().calls == 2
    assert actions.record_outcomes([(late, SUCCEEDED)]) == 0
    assert actions.record_outcomes([(current, SUCCEEDED)]) == 1


def test_a_result_recorded_eight_times_at_once_stands_once() -> None:
    payout = pending_payout()
    assignment = claimed(payout)

    results = at_once(*[lambda: actions.record_outcomes([(assignment, SUCCEEDED)])] * 8)

    assert sorted(results) == [0] * 7 + [1]
    assert Event.objects.filter(payout=payout, event="succeeded").count() == 1
    assert is_clean()


def test_the_second_voice_and_the_providers_answer_never_both_decide(checker: User, second_checker: User) -> None:
    not_paid = Approval.Decision.NOT_PAID

    for _race in range(RACES):
        payout = unknown_payout()
        actions.resolve(payout.pk, by=checker, decision=not_paid, evidence="Statement")
        make_due(payout)

        voice, recorded = at_once(
            lambda payout=payout: actions.resolve(payout.pk, by=second_checker, decision=not_paid, evidence="Letter"),
            lambda: actions.record_outcomes([(each, SUCCEEDED) for each in actions.claim(limit=1)]),
        )

        payout.refresh_from_db()
        assert payout.status == ("processed" if recorded else "failed")
        assert isinstance(voice, PayoutError) == bool(recorded)
    assert is_clean()


def test_two_retries_at_once_make_one_attempt(operator: User) -> None:
    payout = recipes.failed_payout()

    results = at_once(*[lambda: actions.retry(payout.pk, by=operator, reason="Again.")] * 8)
    batches = at_once(*[lambda: actions.claim(limit=8)] * 4)

    assert len(accepted(results)) == 1
    assert sum(map(len, batches)) == 1
    assert Attempt.objects.filter(payout=payout).count() == 2


def test_four_pumps_at_once_pay_everything_once(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 4
    provider = DoubleProvider(delay_seconds=0.002)
    payouts = [pending_payout() for _each in range(60)]

    at_once(*[lambda: pump.run(provider=provider)] * 4)

    assert set(Payout.objects.values_list("status", flat=True)) == {"processed"}
    assert [len(provider.paid(payout.reference)) for payout in payouts] == [1] * 60
    assert len(provider.calls) == 60
    assert is_clean()


def test_the_audit_sees_no_payout_half_moved() -> None:
    payouts = [pending_payout() for _each in range(30)]
    is_moving = threading.Event()
    is_moving.set()

    def move() -> None:
        while is_moving.is_set():
            for payout in payouts:
                actions.reveal(payout.pk, by=auditor, reason="x")

    auditor = recipes.person.make()

    def audit() -> list[Any]:
        try:
            return [broken for _each in range(12) for broken in broken_invariants()]
        finally:
            is_moving.clear()

    _moved, broken = at_once(move, audit)

    assert broken == []


def test_events_follow_each_other_in_time_though_they_waited_for_the_lock(operator: User) -> None:
    payout = pending_payout()

    at_once(*[lambda: actions.reveal(payout.pk, by=operator, reason="x")] * 8)

    times = list(payout.events.order_by("seq").values_list("at", flat=True))
    assert times == sorted(times)
    assert is_clean()


def test_a_payout_that_is_claimed_and_routed_anew_at_once_is_sent_where_its_row_says(settings: Any) -> None:
    settings.PROVIDERS = {"http": "http", "eu": "http"}
    settings.PROVIDER_VALUES = {"eu": {"URL": "https://eu.test", "TOKEN": "t"}}
    operator = recipes.person.make()
    for _each in range(RACES):
        Route.objects.all().delete()
        payout = pending_payout()
        Route.objects.create(position=10, account="eu")

        claimed_now, routed = at_once(
            lambda: actions.claim(limit=1),
            lambda payout=payout: actions.route(payout.pk, by=operator, reason="The first bank is closed."),
        )

        for assignment in claimed_now or actions.claim(limit=1):
            assert assignment.attempt.provider == Payout.objects.get(pk=payout.pk).provider
        payout.refresh_from_db()
        assert payout.provider == ("http" if isinstance(routed, NotAllowedError) else "eu")
        assert [each.provider for each in payout.attempts.all()] == [payout.provider]
    assert is_clean()
