"""What django-q2 runs: the work itself, in slices, and the sweep that finds what was lost."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ, Task
from structlog.testing import capture_logs

from payouts import tasks
from payouts.batches import check, decide, submit
from payouts.exports.request import WRITE
from payouts.models import (
    AccessEvent,
    AuditRun,
    Batch,
    BatchState,
    Export,
    Heartbeat,
    Payout,
    ProviderReport,
    StaffSession,
    WebhookMessage,
)
from payouts.statements import read
from payouts.statements.lines import APPLY
from payouts.worker import broker
from tests import recipes
from tests.payouts.exports.files import member, written
from tests.payouts.observe import by_hand, is_clean, queued, rings
from tests.payouts.statements.lines import applied, csv_of, key_of
from tests.recipes import (
    BATCH_ROW,
    BATCH_ROWS,
    CARD,
    approved_batch,
    awaiting_payout,
    pending_payout,
    stored_batch,
    submitted_batch,
    unknown_payout,
)

pytestmark = pytest.mark.django_db


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


def test_prune_deletes_old_results_and_no_payout() -> None:
    now = timezone.now()
    for name, age_days in (("old", 15), ("young", 13)):
        Task.objects.create(
            id=name, name=name, func="x", started=now, stopped=now - timedelta(days=age_days), success=True
        )
        Heartbeat.objects.create(cluster=name, beat_at=now - timedelta(days=age_days))
        WebhookMessage.objects.create(message_id=name, received_at=now - timedelta(days=age_days))
    OrmQ.objects.create(key="payouts", payload="x", lock=now - timedelta(days=2))
    payout = recipes.processed_payout()
    OrmQ.objects.filter(key="payouts", lock__gt=now).delete()

    tasks.prune()

    assert [each.message_id for each in WebhookMessage.objects.all()] == ["young"]
    assert list(Task.objects.values_list("id", flat=True)) == ["young"]
    assert list(Heartbeat.objects.values_list("cluster", flat=True)) == ["young"]
    assert set(OrmQ.objects.values_list("key", flat=True)) == {"payouts"}
    assert Payout.objects.get() == payout
    assert is_clean()


def test_prune_deletes_webhooks_some_at_a_time(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    for number in range(5):
        WebhookMessage.objects.create(message_id=str(number), received_at=timezone.now() - timedelta(days=15))
    monkeypatch.setattr(tasks, "PRUNED_AT_ONCE", 3)
    settings.Q_TIMEOUT_SECONDS = -1  # its time is over after each

    left = []
    for _run in range(2):
        tasks.prune()
        left.append((WebhookMessage.objects.count(), len(queued("payouts.tasks.prune"))))

    assert left == [(2, 1), (0, 1)]


@pytest.mark.django_db
def test_prune_deletes_sessions_that_are_over_failures_that_count_no_more_and_old_lines_of_the_access_log(
    settings: Any,
) -> None:
    now = timezone.now()
    for name, is_over in (("over", True), ("open", False)):
        expires_at = now + timedelta(hours=-1 if is_over else 1)
        StaffSession.objects.create(session_key=name, session_data="", expire_date=expires_at)
        Session.objects.create(session_key=name, session_data="", expire_date=expires_at)
        AccessEvent.objects.create(kind="logged_in", at=now - timedelta(days=401 if is_over else 399))
        AccessAttempt.objects.create(username=name, failures_since_start=1)
    AccessAttempt.objects.filter(username="over").update(attempt_time=now - timedelta(hours=25))

    tasks.prune()

    assert [each.pk for each in StaffSession.objects.all()] == ["open"]
    assert [each.pk for each in Session.objects.all()] == ["open"]
    assert [each.username for each in AccessAttempt.objects.all()] == ["open"]
    assert AccessEvent.objects.get().at > now - timedelta(days=400)
    settings.ACCESS_LOG_RETENTION_DAYS = 0
    by_hand("UPDATE payouts_accessevent SET at = at - interval '9999 days'")
    tasks.prune()
    assert AccessEvent.objects.count() == 1


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


# Batches


def test_the_tasks_do_the_work_and_ask_for_another_when_time_is_up(
    settings: Any, checker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payouts.batches.check.CHECKED_AT_ONCE", 2)
    batch = stored_batch(*recipes.batch_rows(3))
    settings.Q_TIMEOUT_SECONDS = 0
    tasks.check_batch(batch.pk)
    again = len(queued(check.CHECK.task))
    settings.Q_TIMEOUT_SECONDS = 60
    tasks.check_batch(batch.pk)
    decide.send(batch.pk, by=batch.uploaded_by, revision=1)
    decide.approve(batch.pk, by=checker, revision=2)
    tasks.submit_batch(batch.pk)

    assert again == 2
    assert Batch.objects.get().state == BatchState.SUBMITTED


def test_a_batch_whose_task_was_lost_is_found_by_the_sweep() -> None:
    unchecked, unsubmitted = stored_batch(), approved_batch(BATCH_ROW, BATCH_ROW)
    done = submitted_batch(*BATCH_ROWS)
    OrmQ.objects.all().delete()

    tasks.sweep()
    fresh = (queued(check.CHECK.task), queued(submit.SUBMIT.task))
    Batch.objects.update(seen_at=F("seen_at") - timedelta(minutes=3))
    tasks.sweep()
    tasks.sweep()

    assert fresh == ([], [])
    assert (queued(check.CHECK.task), queued(submit.SUBMIT.task)) == ([(unchecked.pk,)], [(unsubmitted.pk,)])
    assert done.finished_at is not None
    assert timezone.now() - Batch.objects.get(pk=unchecked.pk).seen_at < timedelta(minutes=1)  # type: ignore[operator]


# Exports


def test_an_export_whose_task_was_lost_is_rung_for_once() -> None:
    approver = member("Approver")
    recipes.pending_payout()
    recipes.asked_export("", format="csv", by=approver)
    OrmQ.objects.all().delete()
    Export.objects.update(seen_at=timezone.now() - timedelta(minutes=3))

    tasks.sweep()
    tasks.sweep()

    assert len(queued(WRITE.task)) == 1
    tasks.write_exports()
    assert Export.objects.get().is_kept


def test_files_are_deleted_a_while_after_they_expire_and_the_record_stays() -> None:
    recipes.pending_payout()
    export = written(member("Approver"))
    tasks.prune()
    assert export.chunks.exists()

    Export.objects.update(expires_at=timezone.now() - timedelta(days=1))
    tasks.prune()

    export.refresh_from_db()
    assert (export.chunks.count(), export.is_kept, export.rows_done) == (0, False, 1)


# Statements


def test_the_task_applies_the_report(operator: User) -> None:
    report = read.store(csv_of(("r-1", "succeeded")), name="x", by=operator)

    tasks.apply_report(report.pk)

    report.refresh_from_db()
    assert report.applied_at is not None


def test_a_task_whose_time_is_up_goes_on_in_one_of_its_own(operator: User, settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = 0
    payout = unknown_payout()
    report = read.store(csv_of((key_of(payout), "succeeded")), name="x", by=operator)
    OrmQ.objects.all().delete()

    tasks.apply_report(report.pk)

    report.refresh_from_db()
    assert report.applied_at is None
    assert queued(APPLY.task) == [(report.pk,)]


def test_the_sweep_finds_a_report_whose_task_was_lost_and_rings_once(operator: User) -> None:
    report = read.store(csv_of(("r-1", "succeeded")), name="x", by=operator)
    OrmQ.objects.all().delete()

    tasks.sweep()
    fresh = queued(APPLY.task)
    ProviderReport.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    tasks.sweep()
    tasks.sweep()

    assert fresh == []
    assert queued(APPLY.task) == [(report.pk,)]


def test_the_sweep_leaves_an_applied_report_alone(operator: User) -> None:
    report = applied(csv_of(("r-1", "succeeded")), operator)
    OrmQ.objects.all().delete()
    ProviderReport.objects.filter(pk=report.pk).update(seen_at=timezone.now() - timedelta(minutes=5))

    tasks.sweep()

    assert queued(APPLY.task) == []
