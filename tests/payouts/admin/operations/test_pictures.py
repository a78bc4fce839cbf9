"""The last hour and day as pictures on the operations page, and the same as a table."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payouts.admin.operations import pictures
from payouts.models import CALL_SECONDS, MinuteSample
from tests.payouts.admin.operations.acts import OPERATIONS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept(time_machine: Any) -> None:
    """And no minute ends between what a test does and what it looks at."""
    time_machine.move_to(timezone.now().replace(minute=7, second=30), tick=False)
    cache.clear()


def _calls(**counts: int) -> list[int]:
    steps = [0] * (len(CALL_SECONDS) + 1)
    for name, count in counts.items():
        steps[int(name.removeprefix("step"))] = count
    return steps


def _sampled(minutes_ago: int, **facts: Any) -> datetime:
    at = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    MinuteSample.objects.create(at=at, provider=facts.pop("provider", "http"), **facts)
    return at


def _found() -> tuple[dict[str, Any], dict[str, Any]]:
    hour, day = pictures.pictures()
    return hour, day


def _said(picture: dict[str, Any]) -> dict[str, str]:
    return {strip["name"]: strip["total"] for group in picture["groups"] for strip in group["strips"]}


def test_before_the_first_sample_there_is_a_sentence(as_group: Any) -> None:
    text = as_group("Operator").get(OPERATIONS).content.decode()

    assert "No minute has been counted yet." in text


def test_the_hour_and_the_day_are_summed_over_providers() -> None:
    _sampled(3, paid=5, refused=1, due=2, oldest_seconds=70)
    _sampled(3, provider="main", paid=2, unknown=1, due=1, oldest_seconds=20)
    _sampled(90, paid=100, due=0, oldest_seconds=0)

    hour, day = _found()

    assert _said(hour) == {
        "Paid": "7",
        "Refused": "1",
        "Outcome unknown": "1",
        "Due": "3",
        "Wait of the oldest": "1 min",
    }
    assert _said(day)["Paid"] == "107"
    assert (len(hour["rows"]), len(day["rows"])) == (60, 96)


def test_each_minute_is_a_row_of_the_table_the_newest_first(as_group: Any) -> None:
    at = _sampled(1, paid=5, refused=1, due=2, oldest_seconds=600, calls=_calls(step6=10))
    _sampled(30, paid=1)

    hour, _day = _found()

    newest = hour["rows"][0]
    assert newest["time"] == f"{timezone.localtime(at):%H:%M}"
    assert newest["counts"] == ["5", "1", "0", "2", "10 min"]
    assert newest["answers"] == ["0.1 s / 0.1 s / 0.1 s"]
    assert hour["rows"][29]["counts"] == ["1", "0", "0", "–", "–"]
    text = as_group("Operator").get(OPERATIONS).content.decode()
    assert text.count("The same as a table") == 2
    assert f"{timezone.localtime(at):%H:%M}</th>" in text


def test_a_quarter_shows_the_most_that_was_due_in_it() -> None:
    for ago in (60, 61, 62):
        _sampled(ago, due=ago, oldest_seconds=ago)

    _hour, day = _found()

    assert [row["counts"][3] for row in day["rows"] if row["counts"][3] != "–"] == ["62"]


@pytest.mark.parametrize(
    ("calls", "share", "seconds"),
    [
        ([], 0.5, None),
        (_calls(), 0.5, None),
        (_calls(step0=10), 0.5, 0.005),
        (_calls(step5=50, step11=50), 0.5, 0.1),
        (_calls(step5=50, step11=50), 0.75, 0.875),
        (_calls(step23=1), 0.99, 120.0),
    ],
)
def test_a_percentile_is_as_exact_as_the_steps(calls: list[int], share: float, seconds: float | None) -> None:
    found = pictures.percentile_seconds(calls, share)

    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_line_has_gaps_where_nothing_was_answered_and_a_dot_is_seen() -> None:
    path = pictures._line([None, 1.0, 2.0, None, 0.5], 2.0)

    assert path == "M1.5 50.0h.01L2.5 0.0M4.5 75.0h.01"


def test_bars_are_as_high_as_their_share_and_the_least_is_seen() -> None:
    assert pictures._bars([0, 1000, 1], 1000) == "M1.15 100v-100.0h.7V100zM2.15 100v-3.0h.7V100z"


def test_what_nobody_counts_any_more_says_so() -> None:
    _sampled(30, due=0, oldest_seconds=0)

    hour, day = _found()

    assert "no cluster counts the minutes since" in hour["late"] == day["late"]


def test_a_provider_has_its_own_picture_of_answers_the_busiest_six() -> None:
    for number in range(8):
        _sampled(2, provider=f"account{number}", calls=_calls(step3=number + 1), due=0, oldest_seconds=0)

    hour, _day = _found()

    assert hour["providers"] == [f"account{number}" for number in range(2, 8)]
    assert len(hour["groups"]) == 2 + 6


def test_the_pictures_are_read_from_the_samples_alone_and_once_for_all_who_look() -> None:
    _sampled(2, paid=1, due=0, oldest_seconds=0)

    with CaptureQueriesContext(connection) as found:
        pictures.pictures()
        pictures.pictures()

    asked = [query["sql"] for query in found.captured_queries]
    assert len(asked) == 1
    assert "payouts_minutesample" in asked[0]
    assert "payouts_payout" not in asked[0]


def test_a_picture_is_told_to_those_who_do_not_see_it(as_group: Any) -> None:
    at = _sampled(2, paid=7, due=0, oldest_seconds=0)

    text = as_group("Auditor").get(OPERATIONS).content.decode()

    assert f'role="img" aria-label="Paid: 7; peak: 7 at {timezone.localtime(at):%H:%M}."' in text
    assert "<script" not in text.partition('id="po-picture-hour"')[2].partition("</section>")[0]
