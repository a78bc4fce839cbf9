"""The schedules that are there after every migrate."""

from datetime import timedelta

import pytest
from croniter import croniter
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from payouts.worker import schedules

pytestmark = pytest.mark.django_db


def test_the_schedules_are_these_and_can_run() -> None:
    assert set(Schedule.objects.values_list("name", "func")) == {
        ("sweep", "payouts.tasks.sweep"),
        ("sample minutes", "payouts.tasks.sample_minutes"),
        ("remind of approvals", "payouts.tasks.remind_of_approvals"),
        ("ask for balances", "payouts.tasks.ask_for_balances"),
        ("reconcile days", "payouts.tasks.reconcile_days"),
        ("ask for banks", "payouts.tasks.ask_for_banks"),
        ("count days", "payouts.tasks.count_days"),
        ("merge sums", "payouts.tasks.merge_sums"),
        ("checkpoint", "payouts.tasks.checkpoint"),
        ("prune", "payouts.tasks.prune"),
        ("audit", "payouts.tasks.audit"),
    }
    for schedule in Schedule.objects.all():
        assert callable(import_string(schedule.func))
        assert schedule.repeats == -1
        assert not schedule.cron or croniter.is_valid(schedule.cron)


def test_registering_again_changes_nothing() -> None:
    before = list(Schedule.objects.order_by("pk").values())

    schedules.register()
    schedules.register()

    assert list(Schedule.objects.order_by("pk").values()) == before


def test_an_interval_that_staff_changed_stays_and_a_function_that_they_changed_does_not() -> None:
    Schedule.objects.filter(name="sweep").update(minutes=5, func="os.system", args="('true',)", hook="os.system")

    schedules.register()

    sweep = Schedule.objects.get(name="sweep")
    assert (sweep.minutes, sweep.func, sweep.args, sweep.hook) == (5, "payouts.tasks.sweep", None, None)


def test_a_missing_schedule_comes_back_and_an_unknown_one_goes() -> None:
    Schedule.objects.filter(name="audit").delete()
    Schedule.objects.create(name="mine", func="os.system")

    schedules.register()

    assert set(Schedule.objects.values_list("name", flat=True)) == set(schedules.SCHEDULES)


@pytest.mark.parametrize(
    ("name", "change", "sent"),
    [
        ("mine", {"func": "payouts.models.sealed_sets.seal_as_it_is", "args": "'bands'"}, "sweep"),
        ("mine", {"func": "payouts.tasks.async_task", "args": "'os.system', 'true'"}, "sweep"),
        ("mine", {"func": "os.system", "args": "'true'", "kwargs": "{'q_options': {'group': 'audit'}}"}, "audit"),
        (None, {"func": "os.system"}, "sweep"),
        ("audit", {"func": "os.system"}, "audit"),
        ("audit", {"args": "(9999999, 0)"}, "audit"),
        ("audit", {"hook": "os.system"}, "audit"),
        ("audit", {"kwargs": "{'q_options': {'chain': [('os.system', ('true',))]}}"}, "audit"),
    ],
)
def test_what_sql_writes_into_a_schedule_is_not_run(
    name: str | None,
    change: dict[str, str],
    sent: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Shown before: one row more, and a worker sealed a band that SQL had changed; the audit was clean."""
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)
    Schedule.objects.update(next_run=timezone.now() + timedelta(days=1))
    Schedule.objects.get_or_create(name=name)
    Schedule.objects.filter(name=name).update(**change, next_run=timezone.now() - timedelta(minutes=1))

    scheduler()

    task = OrmQ.objects.get().task
    assert (task["func"], task["args"], task["kwargs"]) == (f"payouts.tasks.{sent}", (), {})
    assert not task.keys() & {"hook", "chain", "sync"}
    assert "schedule_altered" in caplog.text


def test_a_schedule_as_it_is_listed_is_sent_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=1))

    scheduler()

    assert {each.task["func"] for each in OrmQ.objects.all()} == {
        plan["func"] for plan in schedules.SCHEDULES.values()
    }
    assert "schedule_altered" not in caplog.text
