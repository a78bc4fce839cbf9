"""A paused provider is not called at all, for payments or look-ups, until another person resumes it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions
from payouts.actions import breaker, pauses
from payouts.actions.pauses import PauseError
from payouts.models import Breaker, Payout, ProviderPause
from payouts.worker import pump
from tests import recipes
from tests.payouts.observe import is_clean, nothing_changes, rings
from tests.payouts.providers.double import DoubleProvider
from tests.recipes import claimed, make_due, pending_payout, processing_payout, unknown_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 4


def _paused(by: User, provider: str = "http") -> ProviderPause:
    return pauses.pause(provider, by=by, reason="It pays to the wrong accounts.")


def test_a_pause_says_who_when_and_why(operator: User) -> None:
    made = _paused(operator)

    assert (made.provider, made.paused_by, made.pause_reason) == ("http", operator, "It pays to the wrong accounts.")
    assert abs(made.paused_at - timezone.now()) < timedelta(minutes=1)
    assert (made.resumed_at, made.resumed_by, made.resume_reason) == (None, None, "")
    assert pauses.paused_providers() == ["http"]


def test_nothing_of_a_paused_provider_is_claimed(operator: User) -> None:
    ready, unknown, expired, suspect = pending_payout(), unknown_payout(), processing_payout(), pending_payout()
    for payout in (unknown, expired):
        make_due(payout)
    Payout.objects.filter(pk=suspect.pk).update(lost_leases=1)
    _paused(operator)

    for payout in (ready, unknown, expired, suspect):
        with nothing_changes(payout):
            assert (actions.claim(limit=10), actions.claim_suspect()) == ([], [])


def test_the_payouts_of_another_provider_go_on(operator: User) -> None:
    payout = pending_payout()
    _paused(operator, "elsewhere")

    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_what_is_under_way_ends(operator: User) -> None:
    assignment = claimed(pending_payout())
    _paused(operator)

    recorded = actions.record_outcomes([(assignment, recipes.SUCCEEDED)])

    assert recorded == 1
    assert Payout.objects.get().status == "processed"
    assert is_clean()


def test_the_breaker_does_not_probe_a_paused_provider(operator: User) -> None:
    payout = pending_payout()
    Breaker.objects.create(provider="http", failures=10, open_until=timezone.now() - timedelta(seconds=1))
    _paused(operator)

    with nothing_changes(payout):
        assert actions.claim(limit=10) == []
    assert breaker.take_probe() is None
    assert Breaker.objects.get().probing_since is None


def test_a_provider_that_is_silent_stops_no_probe_of_another_that_is_not_paused(operator: User) -> None:
    payout = pending_payout()
    Breaker.objects.create(provider="http", failures=10, open_until=timezone.now() - timedelta(seconds=1))
    _paused(operator, "elsewhere")

    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_the_pump_leaves_a_paused_provider_alone_and_ends(provider: DoubleProvider, operator: User) -> None:
    ready, unknown = pending_payout(), unknown_payout()
    make_due(unknown)
    _paused(operator)

    with nothing_changes(ready), nothing_changes(unknown):
        pump.run(provider=provider)

    assert provider.calls == []


def test_after_it_is_resumed_the_pump_pays_what_waited(
    provider: DoubleProvider, operator: User, checker: User
) -> None:
    waiting = [pending_payout() for _each in range(3)]
    held_up = _paused(operator)
    pump.run(provider=provider)

    pauses.resume(held_up.pk, by=checker, reason="The provider has mended it.")
    pump.run(provider=provider)

    assert {payout.status for payout in Payout.objects.all()} == {"processed"}
    assert [len(provider.paid(payout.reference)) for payout in waiting] == [1, 1, 1]
    assert is_clean()


def test_another_person_resumes_it_and_what_is_due_is_rung_for(operator: User, checker: User) -> None:
    pending_payout()
    made = _paused(operator)
    before = rings()

    done = pauses.resume(made.pk, by=checker, reason="The provider has mended it.")

    assert (done.resumed_by, done.resume_reason) == (checker, "The provider has mended it.")
    assert done.resumed_at is not None
    assert done.resumed_at >= done.paused_at
    assert pauses.paused_providers() == []
    assert rings() == before + 1


def test_nobody_is_rung_for_when_nothing_is_due(operator: User, checker: User) -> None:
    made = _paused(operator)

    pauses.resume(made.pk, by=checker, reason="A false alarm.")

    assert rings() == 0


def test_who_paused_it_cannot_resume_it(operator: User) -> None:
    made = _paused(operator)

    with pytest.raises(PauseError, match="You paused it, so another person must resume it"):
        pauses.resume(made.pk, by=operator, reason="It is fine.")

    made.refresh_from_db()
    assert (made.resumed_at, made.resumed_by, made.resume_reason) == (None, None, "")
    assert rings() == 0


def test_a_provider_is_paused_once(operator: User, checker: User) -> None:
    _paused(operator)

    with pytest.raises(PauseError, match="operator has already paused it"):
        _paused(checker)

    assert ProviderPause.objects.get().paused_by == operator


def test_a_pause_is_ended_once(operator: User, checker: User, second_checker: User) -> None:
    made = _paused(operator)
    pauses.resume(made.pk, by=checker, reason="Mended.")

    with pytest.raises(PauseError, match="It was resumed already by checker"):
        pauses.resume(made.pk, by=second_checker, reason="Mended, I think.")

    assert ProviderPause.objects.get().resume_reason == "Mended."


def test_a_stale_dialog_does_not_end_the_pause_that_came_after(operator: User, checker: User) -> None:
    first = _paused(operator)
    pauses.resume(first.pk, by=checker, reason="Mended.")
    second = _paused(operator)

    with pytest.raises(PauseError):
        pauses.resume(first.pk, by=checker, reason="Mended.")

    second.refresh_from_db()
    assert second.resumed_at is None


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001, "a\x00b"])
def test_a_reason_is_required_for_both(reason: str, operator: User, checker: User) -> None:
    made = _paused(operator, "elsewhere")

    with pytest.raises(PauseError):
        pauses.pause("http", by=operator, reason=reason)
    with pytest.raises(PauseError):
        pauses.resume(made.pk, by=checker, reason=reason)

    assert pauses.paused_providers() == ["elsewhere"]


def test_a_pause_that_does_not_exist_is_refused_in_words(checker: User) -> None:
    with pytest.raises(PauseError, match="no such pause"):
        pauses.resume(77, by=checker, reason="Mended.")
