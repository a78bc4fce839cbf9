"""django-q2's schedules as data, registered by name after every migrate.

An interval that staff changed stays; a schedule that is not listed here is removed. The sweep is here as a fallback:
every cluster's supervisor sends one each SWEEP_SECONDS. Look-ups need none: the pump takes them when due.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.models import Schedule

SCHEDULES: dict[str, dict[str, Any]] = {
    "sweep": {"func": "payouts.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "remind of approvals": {"func": "payouts.tasks.remind_of_approvals", "schedule_type": Schedule.HOURLY},
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
