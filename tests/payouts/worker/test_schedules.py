"""The schedules that are there after every migrate."""

import pytest
from croniter import croniter
from django.utils.module_loading import import_string
from django_q.models import Schedule

from payouts.worker import schedules

pytestmark = pytest.mark.django_db


def test_the_schedules_are_these_and_can_run() -> None:
    assert set(Schedule.objects.values_list("name", "func")) == {
        ("sweep", "payouts.tasks.sweep"),
        ("remind of approvals", "payouts.tasks.remind_of_approvals"),
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
