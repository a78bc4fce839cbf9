"""django-q2's schedules as data, registered by name after every migrate.

An interval that staff changed stays; a schedule that is not listed here is removed. The sweep is here as a fallback:
every cluster's supervisor sends one each SWEEP_SECONDS. Look-ups need none: the pump takes them when due.

A row names what a worker runs, and SQL can write a row: only what is listed here is sent (`only_listed`).
"""

from datetime import timedelta
from typing import Any

import structlog
from django.utils import timezone
from django_q.models import Schedule

log = structlog.get_logger(__name__)

SCHEDULES: dict[str, dict[str, Any]] = {
    "sweep": {"func": "payouts.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "sample minutes": {
        "func": "payouts.tasks.sample_minutes",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
    },
    "remind of approvals": {"func": "payouts.tasks.remind_of_approvals", "schedule_type": Schedule.HOURLY},
    "ask for balances": {
        "func": "payouts.tasks.ask_for_balances",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
    },
    "reconcile days": {
        "func": "payouts.tasks.reconcile_days",
        "schedule_type": Schedule.CRON,
        "cron": "25 * * * *",
    },
    # The list is asked for once a day; each hour sees whether it is time, or whether there is none yet.
    "ask for banks": {"func": "payouts.tasks.ask_for_banks", "schedule_type": Schedule.HOURLY},
    "count days": {"func": "payouts.tasks.count_days", "schedule_type": Schedule.CRON, "cron": "12 * * * *"},
    "merge sums": {"func": "payouts.tasks.merge_sums", "schedule_type": Schedule.CRON, "cron": "7 * * * *"},
    "checkpoint": {"func": "payouts.tasks.checkpoint", "schedule_type": Schedule.CRON, "cron": "5 * * * *"},
    "prune": {"func": "payouts.tasks.prune", "schedule_type": Schedule.CRON, "cron": "20 3 * * *"},
    "audit": {"func": "payouts.tasks.audit", "schedule_type": Schedule.CRON, "cron": "40 3 * * *"},
}


def register(**_kwargs: object) -> None:
    """Make the schedules as they are listed. Called after every migrate, as often as you like."""
    for name, plan in SCHEDULES.items():
        Schedule.objects.update_or_create(
            name=name,
            defaults={"func": plan["func"], "repeats": -1, "args": None, "kwargs": None, "hook": None},
            create_defaults={**plan, "next_run": timezone.now() + timedelta(minutes=1)},
        )
    Schedule.objects.exclude(name__in=SCHEDULES).delete()


# What q2 would do for a task besides running it; no task of ours asks for it.
BESIDE = ("hook", "chain", "sync", "cached", "iter_count", "iter_cached", "timeout")


def only_listed(task: dict[str, Any], **_kwargs: object) -> None:
    """Receiver of q2's pre_enqueue: a schedule that is not as it is listed sends its listed task, or a sweep.

    To raise would keep q2 from all schedules that come after it. What our own code sends has no group.
    """
    if "group" not in task:
        return
    task.update(name=str(task["name"]), group=str(task["group"]))
    plan = SCHEDULES.get(task["group"])
    beside = [name for name in BESIDE if task.pop(name, None) is not None]
    if plan is None or plan["func"] != task["func"] or task["args"] or task["kwargs"] or beside:
        log.error("schedule_altered", schedule=task["group"], function=str(task["func"]))
        task.update(func=(plan or SCHEDULES["sweep"])["func"], args=(), kwargs={}, cluster=None)
