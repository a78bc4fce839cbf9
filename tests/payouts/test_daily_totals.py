"""What was paid by day: counted once when the day is over, without gaps, in portions."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from payouts import actions, daily_totals, tasks
from payouts.models import DailyTotal, Payout
from tests import recipes
from tests.payouts.observe import by_hand
from tests.recipes import pending_payout, processed_payout

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


def _paid(at: datetime, **given: Any) -> Payout:
    """Paid at that moment. The database's clock is its own, so the moment is written past the actions."""
    payout = processed_payout(**given)
    by_hand("UPDATE payouts_payout SET processed_at = %s WHERE id = %s", at, payout.pk)
    return payout


def _counted() -> list[tuple[str, str, int, Decimal]]:
    return [(str(row.on), row.currency, row.paid_count, row.paid_amount) for row in DailyTotal.objects.all()]


def test_a_day_is_counted_by_currency() -> None:
    _paid(NOON)
    _paid(NOON + timedelta(hours=1), amount=Decimal("0.25"))
    _paid(NOON, currency="EUR", amount=Decimal("10.00"))
    pending_payout()

    is_done = daily_totals.count_days()

    assert is_done
    assert _counted() == [
        ("2026-03-05", "EUR", 1, Decimal("10.00")),
        ("2026-03-05", "RUB", 2, Decimal("100.75")),
    ]


def test_a_day_ends_at_midnight_utc() -> None:
    for at in ("2026-03-05 00:00:00+00", "2026-03-05 23:59:59.999999+00", "2026-03-06 00:00:00+00"):
        _paid(datetime.fromisoformat(at))

    daily_totals.count_days()

    assert [(on, count) for on, _currency, count, _amount in _counted()] == [("2026-03-05", 2), ("2026-03-06", 1)]


def test_days_without_payments_are_no_rows_and_stop_nothing() -> None:
    _paid(NOON)
    _paid(NOON + timedelta(days=40))

    daily_totals.count_days()

    assert [row[0] for row in _counted()] == ["2026-03-05", "2026-04-14"]
    assert daily_totals.next_uncounted() is None


def test_counting_twice_counts_once() -> None:
    _paid(NOON)

    daily_totals.count_days()
    daily_totals.count_days()

    assert _counted() == [("2026-03-05", "RUB", 1, Decimal("100.50"))]


def test_today_is_not_over() -> None:
    processed_payout()

    daily_totals.count_days()

    assert _counted() == []
    today = timezone.now().astimezone(UTC).date()
    assert daily_totals.paid_since(today) == {(today, "RUB"): (1, Decimal("100.50"))}


def test_a_payout_that_came_back_was_paid_on_its_day_all_the_same() -> None:
    payout = _paid(NOON)
    sealed = Payout.objects.get(pk=payout.pk)
    by_hand("UPDATE payouts_payout SET seal = %s WHERE id = %s", sealed.expected_seal(), payout.pk)
    actions.record_return(payout.pk, by=recipes.person.make(), evidence="Statement, line 2")

    daily_totals.count_days()

    assert _counted() == [("2026-03-05", "RUB", 1, Decimal("100.50"))]


def test_it_goes_on_where_it_stopped() -> None:
    for day in range(3):
        _paid(NOON + timedelta(days=day))
    stops = iter([False, True])

    is_done = daily_totals.count_days(must_stop=lambda: next(stops))
    between = len(_counted())
    daily_totals.count_days()

    assert (is_done, between, len(_counted())) == (False, 1, 3)


def test_the_task_that_runs_out_of_time_sends_another(settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = 0
    _paid(NOON)

    tasks.count_days()

    assert [task.task["func"] for task in OrmQ.objects.all()][-1:] == ["payouts.tasks.count_days"]
    assert _counted() == []


def test_the_task_counts_what_is_over() -> None:
    _paid(NOON)

    tasks.count_days()

    assert DailyTotal.objects.get().on == date(2026, 3, 5)
