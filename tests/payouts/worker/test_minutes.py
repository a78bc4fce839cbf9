"""The samples of minutes: counted when they are over, by index, and again for what was committed late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone

from payouts import tasks
from payouts.models import CALL_SECONDS, Exchange, FigureSource, MinuteSample, Payout
from payouts.providers import Verdict
from payouts.worker import minutes
from tests import recipes
from tests.payouts.figures.scraped import scraped
from tests.payouts.observe import by_hand, unguarded
from tests.recipes import SUCCEEDED, answered

pytestmark = pytest.mark.django_db


def _this_minute() -> datetime:
    return timezone.now().replace(second=0, microsecond=0)


def _happened(minutes_ago: int, *payouts: Payout) -> datetime:
    """Let all of it have happened so many minutes ago; returns that minute."""
    at = _this_minute() - timedelta(minutes=minutes_ago) + timedelta(seconds=5)
    with unguarded("payouts_event"):
        for payout in payouts:
            by_hand("UPDATE payouts_event SET at = %s WHERE payout_id = %s", at, payout.pk)
            exchanges = Exchange.objects.filter(attempt__payout=payout)
            exchanges.update(called_at=at - timedelta(milliseconds=120), answered_at=at)
    return at.replace(second=0)


def _counts(at: datetime) -> tuple[int, int, int]:
    sample = MinuteSample.objects.get(at=at, provider="http")
    return sample.paid, sample.refused, sample.unknown


def test_what_was_paid_refused_and_unknown_is_counted_by_minute() -> None:
    first = _happened(7, recipes.processed_payout(), recipes.processed_payout(), recipes.failed_payout())
    second = _happened(5, recipes.unknown_payout())

    assert minutes.sample()

    assert (_counts(first), _counts(second)) == ((2, 1, 0), (0, 0, 1))


def test_calls_are_counted_by_how_long_they_took() -> None:
    at = _happened(7, recipes.processed_payout(), recipes.failed_payout())

    minutes.sample()

    calls = MinuteSample.objects.get(at=at).calls
    assert len(calls) == len(CALL_SECONDS) + 1
    assert {CALL_SECONDS[step]: count for step, count in enumerate(calls) if count} == {0.15: 2}


def test_the_present_minute_has_what_is_due_and_is_counted_when_it_is_over() -> None:
    at = _happened(-1, recipes.processed_payout())  # it is not over, though one ends before we look
    recipes.make_due(recipes.pending_payout())

    minutes.sample()

    sample = MinuteSample.objects.get(due__isnull=False)
    assert (sample.due, sample.paid, sample.calls) == (1, 0, [])
    assert not MinuteSample.objects.filter(at=at, paid__gt=0).exists()


def test_a_minute_is_counted_again_for_what_was_committed_late_and_keeps_what_was_due() -> None:
    late = recipes.processed_payout()
    recipes.pending_payout()
    minutes.sample()
    at = _happened(2, late)
    MinuteSample.objects.filter(due__isnull=False).update(at=at)

    minutes.sample()

    sample = MinuteSample.objects.get(at=at)
    assert (sample.paid, sample.due) == (1, 1)


def test_counting_twice_gives_the_same() -> None:
    at = _happened(2, recipes.processed_payout())

    minutes.sample()
    minutes.sample()

    assert _counts(at) == (1, 0, 0)


def test_what_was_missed_while_no_cluster_ran_is_counted_for_a_day_and_no_longer() -> None:
    yesterday = _happened(23 * 60, recipes.processed_payout())
    _happened(25 * 60, recipes.processed_payout())

    minutes.sample()

    assert _counts(yesterday) == (1, 0, 0)
    assert MinuteSample.objects.filter(paid__gt=0).count() == 1


def test_a_long_count_goes_on_in_another_task() -> None:
    _happened(23 * 60, recipes.processed_payout())

    is_done = minutes.sample(must_stop=lambda: True)

    assert not is_done
    assert not MinuteSample.objects.filter(due__isnull=False).exists()


def test_a_count_that_must_make_way_each_time_gets_to_its_end_all_the_same() -> None:
    """It began anew with the first hour of the day each time."""
    at = _happened(3, recipes.processed_payout())
    slices = 0
    while not minutes.sample(must_stop=lambda: True):
        slices += 1
        assert slices < 30

    assert _counts(at) == (1, 0, 0)
    assert MinuteSample.objects.filter(due__isnull=False).exists()


def test_a_clock_that_was_set_back_counts_what_happens_by_it() -> None:
    minutes.sample()
    at = _happened(2, recipes.processed_payout())
    FigureSource.objects.update(counted_to=F("counted_to") + 60)

    minutes.sample()

    assert _counts(at) == (1, 0, 0)


def test_the_minutes_and_the_running_totals_count_the_same() -> None:
    for minute, make in ((9, recipes.processed_payout), (7, recipes.failed_payout), (6, recipes.unknown_payout)):
        _happened(minute, make(), make())
    looked_up = recipes.unknown_payout()
    recipes.make_due(looked_up)
    answered(looked_up, SUCCEEDED)
    _happened(5, looked_up)

    minutes.sample()
    found = scraped()

    names = {"paid": "processed", "refused": "failed", "unknown": "unknown"}
    sums = MinuteSample.objects.aggregate(**{name: Sum(name) for name in names})
    place = {"currency": "RUB", "provider": "http"}
    assert sums == {name: found.value("moves_total", status=to, **place) for name, to in names.items()}
    calls = sum(sum(each) for each in MinuteSample.objects.values_list("calls", flat=True))
    assert calls == found.value("call_seconds_count", account="http")
    assert calls == sum(found.value("calls_total", account="http", verdict=each.value) or 0 for each in Verdict)


def test_old_samples_are_pruned() -> None:
    now = datetime.now(UTC)
    for hours in (1, 30, 49):
        MinuteSample.objects.create(at=now - timedelta(hours=hours), provider="http")

    tasks.prune()

    assert MinuteSample.objects.count() == 2


def test_the_task_counts(settings: Any) -> None:
    at = _happened(3, recipes.processed_payout())

    tasks.sample_minutes()

    assert _counts(at) == (1, 0, 0)


@pytest.mark.parametrize(
    ("statement", "given", "index", "tables"),
    [
        (minutes.MOVED, [], "event_by_minute", ("payouts_event", "payouts_payout")),
        (minutes.CALLED, [list(CALL_SECONDS)], "exchange_by_minute", ("payouts_exchange", "payouts_attempt")),
    ],
)
def test_a_minute_is_found_by_index(statement: str, given: list[Any], index: str, tables: tuple[str, ...]) -> None:
    now = timezone.now()
    # Of a table of few rows every plan costs the same: leave those alone that go by ranges of pages, or by a key.
    for other in ("seqscan", "indexscan", "indexonlyscan"):
        by_hand(f"SET LOCAL enable_{other} = off")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", [*given, now - timedelta(minutes=3), now])
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert index in plan
    assert not any(f"Seq Scan on {table}" in plan for table in tables)
