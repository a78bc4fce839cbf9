"""No day agrees that does not: not by what the provider says later, by a person's file, or by a list in between."""

from datetime import UTC, date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from payouts import actions
from payouts.actions import days
from payouts.actions.days import State
from payouts.models import ReconciledDay
from payouts.providers import Answer, Verdict
from tests import recipes
from tests.payouts.statements.lines import applied, csv_of, key_of
from tests.payouts.statements.listing import Lister, paid_payout, payment_of, strange
from tests.payouts.statements.test_ask import ask_for, main, yesterday

__all__ = ["main"]

pytestmark = pytest.mark.django_db

REFUSED = Answer(Verdict.REFUSED, code="general_decline")


def settled(day: ReconciledDay) -> tuple[State, dict[str, int], bool]:
    days.settle(now=timezone.now())
    day.refresh_from_db()
    found = days.standings([day])[day.pk]
    return found.state, found.differences, day.agreed_at is not None


def test_what_is_paid_there_and_then_refused_here_is_different(main: Lister) -> None:
    payout = recipes.unknown_payout()
    main.lists(payment_of(payout, provider_id="prv-1"))
    day = ask_for(yesterday())
    before = settled(day)

    recipes.answered(payout, REFUSED)

    assert before == (State.ASKED, {}, False)
    assert settled(day) == (State.DIFFERS, {"contradicts": 1}, False)


def test_what_is_refused_there_and_paid_here_does_not_agree_before_the_provider_is_asked(main: Lister) -> None:
    payout = paid_payout()
    main.lists(payment_of(payout, verdict=Verdict.REFUSED))

    day = ask_for(yesterday())

    assert settled(day) == (State.ASKED, {}, False)


def test_what_is_refused_there_and_said_to_be_paid_again_is_different(main: Lister) -> None:
    payout = paid_payout()
    main.lists(payment_of(payout, verdict=Verdict.REFUSED))
    day = ask_for(yesterday())

    recipes.answered(payout, Answer(Verdict.SUCCEEDED, provider_id=payout.attempts.get().provider_id))

    assert settled(day) == (State.DIFFERS, {"contradicts": 1}, False)


@pytest.mark.parametrize("verdict", [Verdict.SUCCEEDED, Verdict.REFUSED])
def test_what_the_provider_confirms_agrees(main: Lister, verdict: Verdict) -> None:
    payout = recipes.unknown_payout()
    main.lists(payment_of(payout, provider_id="prv-1", verdict=verdict))
    day = ask_for(yesterday())

    recipes.answered(payout, Answer(verdict, provider_id="prv-1"))

    assert settled(day) == (State.AGREED, {}, True)


def test_what_had_not_ended_there_and_is_paid_here_agrees_once_the_provider_confirms_it(main: Lister) -> None:
    payout = paid_payout()
    main.lists(payment_of(payout, verdict=Verdict.PENDING))
    day = ask_for(yesterday())
    before = settled(day)

    recipes.answered(payout, Answer(Verdict.SUCCEEDED, provider_id=payout.attempts.get().provider_id))

    assert before == (State.ASKED, {}, False)
    assert days.standings([day])[day.pk].state == State.AGREED


def test_what_has_not_ended_there_and_is_paid_here_is_different(main: Lister) -> None:
    payout = paid_payout()
    main.lists(payment_of(payout, verdict=Verdict.PENDING))
    day = ask_for(yesterday())

    recipes.answered(payout, Answer(Verdict.PENDING, provider_id=payout.attempts.get().provider_id))

    assert settled(day) == (State.DIFFERS, {"contradicts": 1}, False)


def test_a_list_that_comes_while_days_are_marked_is_not_taken_for_the_one_before(
    main: Lister, monkeypatch: pytest.MonkeyPatch
) -> None:
    main.lists()
    day = ask_for(yesterday())
    standings = days.standings

    def slowly(rows: Any) -> Any:
        found = standings(rows)
        main.lists(strange())
        ask_for(yesterday())
        return found

    with monkeypatch.context() as patched:
        patched.setattr(days, "standings", slowly)
        days.settle(now=timezone.now())

    assert settled(day) == (State.DIFFERS, {"not_ours": 1}, False)


def test_a_day_that_cannot_be_compared_is_an_alarm_in_the_end(main: Lister, monkeypatch: pytest.MonkeyPatch) -> None:
    main.lists(payment_of(recipes.unknown_payout(), provider_id="prv-1"))
    monkeypatch.setattr(actions, "reconcile", None)

    ask_for(yesterday())

    alarms = [days.alarms(now=timezone.now() + timedelta(days=later)) for later in (1, 2)]
    assert [[found.state for _day, found in each] for each in alarms] == [[], [State.COMPARING]]
    assert days.figures(now=timezone.now() + timedelta(days=2))[0].differs == 1


@pytest.mark.parametrize("status", ["succeeded", "rejected"])
def test_what_the_provider_does_not_list_is_missing_whatever_a_persons_file_says(
    main: Lister, operator: User, status: str
) -> None:
    payout = paid_payout()
    applied(csv_of((key_of(payout), status)), operator, account="main")

    main.lists()
    around = [ask_for(today() + timedelta(days=each)) for each in (-1, 0, 1)]

    assert {"missing": 1} in [days.standings([day])[day.pk].differences for day in around]


def today() -> date:
    return timezone.now().astimezone(UTC).date()
