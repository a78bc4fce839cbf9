"""What django-q2 runs. Tasks carry no content: the payouts' rows say what is to be done.

Queued tasks and schedules hold these names, so keep a retired one for a release.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any, cast

import structlog
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import Task
from django_q.tasks import async_task

from payouts import daily_totals, doorbell
from payouts.actions import due, keys, recovery, submitted, unsigned_news, velocity
from payouts.audit import anchored, batches, of_database, sealed
from payouts.audit.findings import Broken
from payouts.batches import check, retention, submit
from payouts.batches.check import CHECK
from payouts.batches.submit import SUBMIT
from payouts.checkpoints import erased
from payouts.checkpoints.make import make_due
from payouts.checkpoints.outside import keep_outside
from payouts.exports import request, write
from payouts.exports.request import WRITE, Rows
from payouts.figures import totals
from payouts.jobs import Stop, half_time, run_slice
from payouts.models import AuditRun, Heartbeat, Payout, WebhookMessage
from payouts.places import PlaceError
from payouts.staff import access_log, login_limits, sessions
from payouts.statements import apply, ask
from payouts.statements.lines import APPLY
from payouts.worker import broker, minutes
from payouts.worker.ask_banks import refresh
from payouts.worker.balances import poll
from payouts.worker.pump import run
from payouts.worker.unsigned_news import ask_providers

log = structlog.get_logger(__name__)

PRUNE_AFTER = timedelta(days=14)
PRUNED_AT_ONCE = 5_000
APPROVAL_WAITS_TOO_LONG = timedelta(hours=24)
FINDINGS_KEPT = 50


def pump() -> None:
    """Pay what is due."""
    doorbell.answered()
    run(must_stop=broker.must_make_way)


def apply_report(report_id: int) -> None:
    """Compare a provider's report with our record, in slices."""
    keys.begin_writing()
    run_slice(APPLY.ring, apply.run, report_id, must_make_way=broker.must_make_way)


def write_exports() -> None:
    """Give one export its turn; a new task goes on, behind those that wait by now."""
    # The list is a screen, and tasks know none.
    rows_of: Rows = cast(Any, apps.get_app_config("payouts")).rows_of
    if not write.run(rows_of=rows_of, must_stop=broker.must_make_way):
        WRITE.ring()


def check_batch(batch_id: int) -> None:
    """Read a batch's file and check its rows, in slices."""
    keys.begin_writing()
    run_slice(CHECK.ring, check.run, batch_id, must_make_way=broker.must_make_way)


def submit_batch(batch_id: int) -> None:
    """Make payouts of an approved batch's rows, in slices."""
    keys.begin_writing()
    run_slice(SUBMIT.ring, submit.run, batch_id, must_make_way=broker.must_make_way)


def count_days() -> None:
    """Count what was paid on the days that are over, in slices."""
    go_on = partial(async_task, "payouts.tasks.count_days")
    run_slice(go_on, daily_totals.count_days, must_make_way=broker.must_make_way)


def sweep(cluster: str = "") -> None:
    """Wake the worker for due payouts that it missed, and for files whose task was lost; see what the database is.

    It is its cluster's sign of life too, behind what pays: a cluster that the database refuses shows none.
    """
    recovery.look()
    if due.is_anything():
        doorbell.ring()
    if unsigned_news.is_anything():
        unsigned_news.ring()
    if cluster:
        Heartbeat.objects.update_or_create(cluster=cluster, defaults={"beat_at": Now()})
    for job in (APPLY, WRITE, CHECK, SUBMIT):
        job.ring_for_forgotten()


def sample_minutes() -> None:
    """Count what happened in the minutes that are over, and look at what is due; in slices."""
    go_on = partial(async_task, "payouts.tasks.sample_minutes")
    run_slice(go_on, minutes.sample, must_make_way=broker.must_make_way)


def remind_of_approvals() -> None:
    """Report payouts that have waited for approval for more than a day."""
    waiting = Payout.objects.in_stage("awaiting_approval").filter(
        created_at__lt=timezone.now() - APPROVAL_WAITS_TOO_LONG
    )
    if count := waiting.count():
        log.warning("approvals_overdue", count=count)


def ask_for_balances() -> None:
    """Ask every account that tells one for its balance, unless people have paused it; see what waits for funds."""
    poll(must_stop=half_time(broker.must_make_way))


def reconcile_days() -> None:
    """Make a task for each day of an account whose provider is to be asked for its list of payments."""
    ask.ring_due()


def reconcile_day(day_id: int) -> None:
    """Ask for the day's list, and have it compared with our record."""
    keys.begin_writing()
    ask.ask_if_due(day_id, must_stop=half_time(broker.must_make_way))


def ask_about_news() -> None:
    """Ask the providers about payments that unsigned webhooks spoke of and that we do not know."""
    ask_providers(must_stop=half_time(broker.must_make_way))


def ask_for_banks() -> None:
    """Ask the providers that list banks for their list, where there is none of the last day."""
    refresh(must_stop=half_time(broker.must_make_way))


def merge_sums() -> None:
    """Merge the parts of what was submitted in past hours; delete use that no velocity limit counts any more."""
    submitted.tidy()
    velocity.prune()


def prune() -> None:
    """Delete what nobody needs any more.

    q2's old results, webhooks' ids that are refused by their age, old exports' files, what clusters that are gone
    left, sessions that are over, failed logins that count no more, the samples of minutes that no picture shows, the
    access log's old lines; and, by a task of its own, the recipients in batches that are over.
    """
    request.prune()
    sessions.forget()
    login_limits.forget()
    access_log.forget()
    minutes.forget()
    async_task("payouts.tasks.forget_batches", 0)
    _prune_results()
    Heartbeat.objects.filter(beat_at__lt=timezone.now() - PRUNE_AFTER).delete()
    go_on = partial(async_task, "payouts.tasks.prune")
    run_slice(go_on, _prune_webhooks, must_make_way=broker.must_make_way)


def forget_batches(after_id: int) -> None:
    """Forget the recipients in batches that have been over for FILES_RETENTION_DAYS, behind that id; in slices.

    Before, the masks of those who were erased.
    """
    keys.begin_writing()
    must_stop = half_time(broker.must_make_way)
    if not retention.unmask(must_stop=must_stop):
        async_task("payouts.tasks.forget_batches", after_id)
        return
    last_id = retention.forget(after_id, must_stop=must_stop)
    if last_id is not None:
        async_task("payouts.tasks.forget_batches", last_id)


def _prune_webhooks(*, must_stop: Stop) -> bool:
    """Returns whether none is left. There may be millions: one statement for all would run into its time limit."""
    found = WebhookMessage.objects.filter(received_at__lt=timezone.now() - PRUNE_AFTER).order_by("received_at")
    while WebhookMessage.objects.filter(pk__in=found.values("pk")[:PRUNED_AT_ONCE]).delete()[0]:
        if must_stop():
            return not found.exists()
    return True


def _prune_results() -> None:
    """q2's old results. Failures among them stay counted."""
    old = Task.objects.filter(stopped__lt=timezone.now() - PRUNE_AFTER)
    with transaction.atomic():
        failed, _by_model = old.filter(success=False).delete()
        totals.keep(totals.TASK_FAILURES, (), failed)
        old.delete()


def audit(after_id: int = 0, run_id: int = 0) -> None:
    """Check every invariant; what is broken is logged as an error, by payout and invariant, and kept in the run.

    In slices: a task of its own goes on behind the last payout.
    """
    keys.require_fit()
    must_stop = half_time(broker.must_make_way)
    if after_id == 0:
        run_id = AuditRun.objects.create().pk
        _report(run_id, of_database())
    if _goes_through(batches(after_id), run_id, "payouts.tasks.audit", must_stop):
        _audit_recipient_keys(0, run_id, must_stop)


def audit_recipient_keys(after_id: int, run_id: int) -> None:
    """Go on with the audit behind this data key."""
    keys.require_fit()
    _audit_recipient_keys(after_id, run_id, half_time(broker.must_make_way))


def _audit_recipient_keys(after_id: int, run_id: int, must_stop: Stop) -> None:
    if _goes_through(sealed.recipient_keys(after_id), run_id, "payouts.tasks.audit_recipient_keys", must_stop):
        _audit_checkpoints(0, run_id, must_stop)


def audit_checkpoints(after_number: int, run_id: int) -> None:
    """Go on with the audit behind this checkpoint."""
    keys.require_fit()
    _audit_checkpoints(after_number, run_id, half_time(broker.must_make_way))


def _audit_checkpoints(after_number: int, run_id: int, must_stop: Stop) -> None:
    if not _goes_through(anchored.own(after_number), run_id, "payouts.tasks.audit_checkpoints", must_stop):
        return
    if settings.CHECKPOINTS:
        try:
            _report(run_id, anchored.kept_outside())
        except PlaceError as error:
            log.error("checkpoints_unreachable", reason=str(error))
    AuditRun.objects.filter(pk=run_id).update(seen_at=Now(), finished_at=Now())


def _goes_through(slices: Iterable[tuple[int, Iterable[Broken]]], run_id: int, task: str, must_stop: Stop) -> bool:
    """Report what the slices find. False where it must stop: the task goes on behind what it came to."""
    for last, broken in slices:
        _report(run_id, broken)
        if last and must_stop():
            AuditRun.objects.filter(pk=run_id).update(seen_at=Now())
            async_task(task, last, run_id)
            return False
    return True


def checkpoint() -> None:
    """Make a checkpoint of all payouts' histories, and write it outside."""
    keys.begin_writing()
    make_due()
    try:
        keep_outside()
        erased.keep_outside()
    except PlaceError as error:
        log.error("checkpoints_unreachable", reason=str(error))


def _report(run_id: int, broken: Iterable[Broken]) -> None:
    found = list(broken)
    for item in found:
        log.error("invariant_broken", payout=item.payout_id, invariant=item.invariant, detail=item.detail)
    if not found:
        return
    with transaction.atomic():
        for run in AuditRun.objects.select_for_update().filter(pk=run_id):
            run.broken_count += len(found)
            run.findings = [*run.findings, *(asdict(item) for item in found)][:FINDINGS_KEPT]
            run.save(update_fields=["broken_count", "findings"])
