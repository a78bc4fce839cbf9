"""Each account's days are asked for by themselves and held against our record, whatever the others do."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from time_machine import Traveller, travel

from payouts import tasks
from payouts.actions import days, pauses
from payouts.actions.days import State
from payouts.models import ReconciledDay
from payouts.providers import PaymentsPage
from payouts.statements import apply, ask
from tests import recipes
from tests.payouts.statements.listing import SILENT, Lister, listing, paid_payout, payment_of, strange

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def main(settings: Any) -> Iterator[Lister]:
    settings.PROVIDER_URL = ""
    lister = Lister()
    lister.lists()
    with listing(lister):
        yield lister


def yesterday() -> date:
    return timezone.now().astimezone(UTC).date() - DAY


def run() -> None:
    """What the schedule and the tasks that it makes do, and then the comparing."""
    OrmQ.objects.all().delete()
    tasks.reconcile_days()
    for queued in list(OrmQ.objects.order_by("pk")):
        if queued.task["func"] == "payouts.tasks.reconcile_day":
            tasks.reconcile_day(*queued.task["args"])
    for day in ReconciledDay.objects.exclude(report=None):
        apply.run(day.report_id)


def stand() -> dict[tuple[str, date], State]:
    rows = list(ReconciledDay.objects.all())
    found = days.standings(rows)
    return {(day.account, day.on): found[day.pk].state for day in rows}


def test_a_day_is_read_whole_compared_and_agrees(main: Lister) -> None:
    paid = [paid_payout() for _each in range(2)]
    main.answers = [
        PaymentsPage([payment_of(paid[0])], "next"),
        PaymentsPage([payment_of(paid[1]), payment_of(paid[0])], ""),
    ]

    day = ask_for(yesterday())

    assert (day.totals, day.unfinished, day.code) == ({"RUB": [2, "201.00"]}, 0, "")
    assert [cursor for _since, _until, cursor in main.asked] == ["", "next"]
    assert days.standings([day])[day.pk].state == State.AGREED


def ask_for(on: date) -> ReconciledDay:
    day = days.made("main", on)
    if report := ask.ask(day):
        apply.run(report.pk)
    day.refresh_from_db()
    return day


@pytest.mark.parametrize(
    ("zone", "since"),
    [("UTC", datetime(2026, 11, 24, tzinfo=UTC)), ("Europe/Moscow", datetime(2026, 11, 23, 21, tzinfo=UTC))],
)
def test_the_day_is_that_of_the_accounts_zone(zone: str, since: datetime) -> None:
    lister = Lister()
    lister.lists()
    with listing(lister, zone=zone):
        ask_for(date(2026, 11, 24))

    assert [(asked[0], asked[1]) for asked in lister.asked] == [(since, since + DAY)]


def test_what_only_they_have_is_different(main: Lister) -> None:
    main.lists(strange())

    day = ask_for(yesterday())

    found = days.standings([day])[day.pk]
    assert (found.state, found.differences) == (State.DIFFERS, {"not_ours": 1})


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([PaymentsPage([strange()], "2"), SILENT], "timeout"),
        ([PaymentsPage([strange()], "2"), PaymentsPage([strange("prv-2")], "2")], "endless"),
        ([PaymentsPage([strange()], "2"), RuntimeError("a fault of the adapter's")], "adapter_error"),
    ],
)
def test_a_list_that_does_not_come_whole_is_not_kept(main: Lister, answers: Any, code: str) -> None:
    main.answers = answers

    day = ask_for(yesterday())

    assert (day.report, day.code, bool(day.message)) == (None, code, True)
    assert days.standings([day])[day.pk].state == State.UNTOLD


def test_a_list_without_an_end_is_left(main: Lister, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "PAGES_LIMIT", 3)
    main.answers = [PaymentsPage([strange(f"prv-{page}")], str(page)) for page in range(1, 6)]

    day = ask_for(yesterday())

    assert (day.code, len(main.asked)) == ("too_many", 3)


def test_reading_ends_when_the_worker_must(main: Lister) -> None:
    day = days.made("main", yesterday())

    assert ask.ask(day, must_stop=lambda: True) is None

    day.refresh_from_db()
    assert (day.code, main.asked) == ("too_slow", [])


def test_an_earlier_list_stays_while_no_new_one_comes(main: Lister) -> None:
    main.lists(strange())
    first = ask_for(yesterday())
    main.answers = [SILENT]

    again = ask_for(yesterday())

    assert (again.report_id, again.code) == (first.report_id, "timeout")
    assert days.standings([again])[again.pk].state == State.DIFFERS


def test_a_schedule_asks_for_the_last_day_and_a_second_run_does_not(main: Lister) -> None:
    with travel(datetime(2026, 11, 26, 2, 30, tzinfo=UTC), tick=False):
        run()
        run()

        assert stand() == {("main", date(2026, 11, 25)): State.AGREED}
    assert len(main.asked) == 1


def test_a_day_is_asked_for_once_it_has_settled(main: Lister) -> None:
    with travel(datetime(2026, 11, 26, 1, 59, tzinfo=UTC), tick=False):
        run()

    assert [asked[0] for asked in main.asked] == [datetime(2026, 11, 24, tzinfo=UTC)]


def test_days_begin_with_the_first_payment_of_the_last_three(main: Lister) -> None:
    for day in (20, 24):
        recipes.processed_payout().attempts.update(finished_at=datetime(2026, 11, day, 12, tzinfo=UTC))
    with travel(datetime(2026, 11, 26, 12, tzinfo=UTC), tick=False):
        run()

        assert [on for _account, on in stand()] == [date(2026, 11, 25), date(2026, 11, 24)]


def test_days_without_a_cluster_are_asked_for_later(main: Lister) -> None:
    with travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        run()
    with travel(datetime(2026, 11, 26, 12, tzinfo=UTC), tick=False):
        run()

    assert ReconciledDay.objects.exclude(report=None).count() == 7


def test_one_accounts_failure_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    silent, broken, well = Lister("a"), Lister("b"), Lister("c")
    silent.answers, broken.answers = [SILENT], [RuntimeError("a fault of the adapter's")]
    well.lists()
    with listing(silent, broken, well):
        run()

        assert stand() == {
            ("a", yesterday()): State.UNTOLD,
            ("b", yesterday()): State.UNTOLD,
            ("c", yesterday()): State.AGREED,
        }
    assert caplog.text.count("day_not_told") == 2


def test_a_paused_account_is_asked(main: Lister) -> None:
    pauses.pause("main", by=recipes.person.make(), reason="Wrong accounts.")

    run()

    assert len(main.asked) == 1


def test_accounts_that_list_nothing_have_no_days() -> None:
    run()

    assert stand() == {}


def later(clock: Traveller, *, hours: float) -> None:
    clock.shift(timedelta(hours=hours))
    run()


def test_a_day_that_nobody_told_is_asked_for_again_each_hour(main: Lister) -> None:
    main.answers = [SILENT]
    with travel(datetime(2026, 11, 26, 2, 30, tzinfo=UTC), tick=False) as clock:
        run()
        later(clock, hours=0.5)
        later(clock, hours=0.5)
        main.lists()
        later(clock, hours=1)

        assert stand() == {("main", date(2026, 11, 25)): State.AGREED}
    assert len(main.asked) == 3


def test_a_day_that_differs_is_asked_for_daily_for_three_days(main: Lister) -> None:
    main.lists(strange())
    first = datetime(2026, 11, 25, tzinfo=UTC)
    with travel(datetime(2026, 11, 26, 2, 30, tzinfo=UTC), tick=False) as clock:
        run()
        for _day in range(4):
            later(clock, hours=12)
            later(clock, hours=12)

        assert [asked[0] for asked in main.asked].count(first) == 3
        assert stand()["main", date(2026, 11, 25)] == State.DIFFERS


def test_a_day_that_was_closed_without_a_list_is_open_again_when_its_list_comes(main: Lister) -> None:
    main.answers = [SILENT]
    with travel(datetime(2026, 11, 26, 2, 30, tzinfo=UTC), tick=False) as clock:
        run()
        day = ReconciledDay.objects.get()
        days.close(day.pk, by=recipes.person.make(), reason="Nothing was paid.")
        assert stand() == {("main", date(2026, 11, 25)): State.CLOSED}
        main.lists(strange())
        later(clock, hours=1)

        assert stand() == {("main", date(2026, 11, 25)): State.DIFFERS}
        day.refresh_from_db()
        assert (day.closed_at, day.closed_by, day.close_reason) == (None, None, "")


def test_a_later_list_that_agrees_ends_it(main: Lister) -> None:
    main.lists(strange())
    with travel(datetime(2026, 11, 26, 2, 30, tzinfo=UTC), tick=False) as clock:
        run()
        main.lists()
        later(clock, hours=24)
        later(clock, hours=1)

        assert stand()["main", date(2026, 11, 25)] == State.AGREED
        assert ReconciledDay.objects.get(on=date(2026, 11, 25)).agreed_at is not None


def test_of_two_tasks_for_a_day_one_asks(main: Lister) -> None:
    tasks.reconcile_days()
    day = ReconciledDay.objects.get()

    tasks.reconcile_day(day.pk)
    tasks.reconcile_day(day.pk)

    assert len(main.asked) == 1
