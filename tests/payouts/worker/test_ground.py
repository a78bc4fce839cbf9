"""What is there after every migrate and at every start: schedules, groups, the tasks' own work."""

from datetime import timedelta
from typing import Any

import pytest
from croniter import croniter
from django.contrib.auth.models import Group, Permission
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule, Task
from structlog.testing import capture_logs

from payouts import tasks
from payouts.models import AuditRun, Heartbeat, Payout, WebhookMessage
from payouts.staff import groups
from payouts.worker import broker, schedules
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, queued, rings
from tests.recipes import CARD, awaiting_payout, pending_payout

pytestmark = pytest.mark.django_db


# Schedules


def test_the_schedules_are_these_and_can_run() -> None:
    assert set(Schedule.objects.values_list("name", "func")) == {
        ("sweep", "payouts.tasks.sweep"),
        ("remind of approvals", "payouts.tasks.remind_of_approvals"),
        ("count days", "payouts.tasks.count_days"),
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


# Groups


def test_the_groups_may_do_these_things_and_no_more() -> None:
    view = {
        f"view_{model}"
        for model in (
            *("payout", "event", "attempt", "approval", "apiclient", "apikey", "approvalband", "heartbeat"),
            *("providerreport", "reportline", "reviewrule", "payoutlimit", "providerpause", "batch"),
        )
    }
    evidence = {"add_providerreport", "return_payout"}
    queue = {"view_schedule", "view_task", "view_success", "view_failure", "view_ormq"}

    may = {group.name: set(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()}

    assert may["Operator"] == view | {"add_batch", "add_payout", "hold_payout", "cancel_payout", "retry_payout"}
    assert may["Approver"] == view | evidence | {
        "approve_payout",
        "hold_payout",
        "resolve_payout",
        "pause_providerpause",
        "export_payout",
    }
    assert may["Auditor"] == view | queue | {"reveal_payout", "view_accessevent", "export_payout", "view_export"}
    assert may["Admin"] >= view | queue | evidence | {
        *("approve_payout", "settle_payout", "resolve_payout", "change_schedule", "pause_providerpause")
    }
    assert set(may) == {"Operator", "Approver", "Auditor", "Admin"}


def test_no_group_may_change_or_delete_money_or_its_history() -> None:
    forbidden = {
        f"{verb}_{model}" for verb in ("change", "delete") for model in ("payout", "event", "attempt", "approval")
    } | {"add_event", "add_attempt", "add_approval", "add_ormq", "change_ormq", "add_schedule", "delete_user"}

    given = set(Permission.objects.filter(group__isnull=False).values_list("codename", flat=True))

    assert given & forbidden == set()


def test_making_the_groups_again_mends_them_and_leaves_others_alone() -> None:
    operator, other = Group.objects.get(name="Operator"), Group.objects.create(name="Night shift")
    wanted = set(operator.permissions.all())
    operator.permissions.clear()
    operator.permissions.add(Permission.objects.get(codename="settle_payout"))
    other.permissions.add(Permission.objects.get(codename="hold_payout"))

    groups.make_groups()

    assert set(operator.permissions.all()) == wanted
    assert other.permissions.count() == 1


# Tasks


def test_the_pump_task_pays_what_is_due(provider: Any) -> None:
    payout = pending_payout()

    with provider.registered():
        tasks.pump()

    payout.refresh_from_db()
    assert payout.status == "processed"


def test_the_sweep_leaves_a_sign_of_life_of_its_cluster() -> None:
    tasks.sweep("east-1")
    first = Heartbeat.objects.get()
    tasks.sweep("east-1")
    second = Heartbeat.objects.get()

    assert (first.cluster, first.started_at) == ("east-1", second.started_at)
    assert second.beat_at > first.beat_at


def test_a_reminder_counts_what_has_waited_for_a_day() -> None:
    old, _fresh = awaiting_payout(), awaiting_payout()
    Payout.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))

    with capture_logs() as lines:
        tasks.remind_of_approvals()

    assert [(line["event"], line["count"]) for line in lines] == [("approvals_overdue", 1)]


@pytest.mark.django_db(transaction=True)
def test_the_audit_task_logs_each_broken_invariant() -> None:
    payout = pending_payout()
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)

    with capture_logs() as lines:
        tasks.audit()

    assert [(line["event"], line["log_level"], line["payout"], line["invariant"]) for line in lines] == [
        ("invariant_broken", "error", payout.pk, "row_sealed")
    ]


@pytest.mark.django_db(transaction=True)
def test_a_run_of_the_audit_keeps_what_it_found(monkeypatch: Any) -> None:
    monkeypatch.setattr("payouts.tasks.FINDINGS_KEPT", 1)
    payouts = [pending_payout() for _each in range(2)]
    tasks.audit()
    for payout in payouts:
        by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)

    tasks.audit()

    clean, broken = AuditRun.objects.order_by("pk")
    assert (clean.broken_count, clean.findings) == (0, [])
    assert clean.finished_at is not None
    assert broken.broken_count == 2
    assert [(found["payout_id"], found["invariant"]) for found in broken.findings] == [(payouts[0].pk, "row_sealed")]


def test_prune_deletes_old_results_and_orphaned_queues_and_no_payout() -> None:
    now = timezone.now()
    for name, age_days in (("old", 15), ("young", 13)):
        Task.objects.create(
            id=name, name=name, func="x", started=now, stopped=now - timedelta(days=age_days), success=True
        )
        Heartbeat.objects.create(cluster=name, beat_at=now - timedelta(days=age_days))
        WebhookMessage.objects.create(message_id=name, received_at=now - timedelta(days=age_days))
    OrmQ.objects.create(key="payouts:gone", payload="x", lock=now - timedelta(hours=2))
    OrmQ.objects.create(key="payouts:here", payload="x", lock=now)
    OrmQ.objects.create(key="payouts", payload="x", lock=now - timedelta(days=2))
    payout = recipes.processed_payout()
    OrmQ.objects.filter(key="payouts", lock__gt=now).delete()

    tasks.prune()

    assert [each.message_id for each in WebhookMessage.objects.all()] == ["young"]
    assert list(Task.objects.values_list("id", flat=True)) == ["young"]
    assert list(Heartbeat.objects.values_list("cluster", flat=True)) == ["young"]
    assert set(OrmQ.objects.values_list("key", flat=True)) == {"payouts:here", "payouts"}
    assert Payout.objects.get() == payout
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_no_recipient_reaches_the_queue_or_the_log(provider: Any) -> None:
    with capture_logs() as lines:
        payout = pending_payout()
        by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)
        pending_payout()
        with provider.registered():
            tasks.pump()
        tasks.audit()

    seen = repr(lines) + repr([task.task for task in OrmQ.objects.all()]) + repr(list(OrmQ.objects.values()))
    assert rings() > 0
    assert "1111 1111" not in seen
    assert CARD["name"] not in seen


def test_an_audit_that_takes_too_long_goes_on_in_a_task_of_its_own(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("payouts.audit.BATCH", 1)
    settings.Q_TIMEOUT_SECONDS = -1
    payouts = [pending_payout() for _each in range(2)]
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payouts[1].pk)
    OrmQ.objects.all().delete()

    with capture_logs() as first:
        tasks.audit()
    queued = OrmQ.objects.get().task
    with capture_logs() as second:
        tasks.audit(*queued["args"])

    run = AuditRun.objects.get()
    assert (queued["func"], queued["args"]) == ("payouts.tasks.audit", (payouts[0].pk, run.pk))
    assert run.finished_at is None
    assert run.broken_count == 1
    assert [line for line in first if line["event"] == "invariant_broken"] == []
    assert {line["payout"] for line in second if line["event"] == "invariant_broken"} == {payouts[1].pk}


def test_an_audit_makes_way_when_the_cluster_is_to_stop(monkeypatch: Any) -> None:
    monkeypatch.setattr("payouts.audit.BATCH", 1)
    progress = broker.Progress("payouts-1")
    progress.drain()
    monkeypatch.setattr(broker, "progress", progress)
    payouts = [pending_payout() for _each in range(2)]

    tasks.audit()

    run = AuditRun.objects.get()
    assert run.finished_at is None
    assert queued("payouts.tasks.audit") == [(payouts[0].pk, run.pk)]
