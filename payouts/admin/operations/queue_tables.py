"""django-q2's tables, to read only. Their pickles are not even read (nor loaded, see worker/packages.py).

Only a schedule's timing can be changed: its function and arguments are code.
"""

from typing import Any

from croniter import croniter
from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.decorators import display

from payouts.admin.kit import format
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.payouts.depths import LIMIT
from payouts.jobs import in_queues

for model in (Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


SCHEDULE_WORDS = {
    "sweep": gettext_lazy("Picks up missed payouts"),
    "sample minutes": gettext_lazy("Counts what happened in each minute, for the pictures of this page"),
    "remind of approvals": gettext_lazy("Reports approvals that wait for more than a day"),
    "ask for balances": gettext_lazy("Asks providers for the balances of our accounts"),
    "reconcile days": gettext_lazy("Asks providers what they paid on past days, and compares it with our record"),
    "ask for banks": gettext_lazy("Asks providers for the banks that a recipient can have"),
    "merge sums": gettext_lazy("Adds up what was submitted in past hours"),
    "checkpoint": gettext_lazy("Signs what has happened to all payouts, and keeps it outside the database"),
    "count days": gettext_lazy("Adds up what was paid on past days"),
    "prune": gettext_lazy("Deletes old results of tasks"),
    "audit": gettext_lazy("Checks every invariant of every payout"),
}
SCHEDULE_FIELDS = ("name", "func", "schedule_type", "minutes", "cron", "next_run", "task")


class ScheduleForm(forms.ModelForm):
    class Meta:
        model = Schedule
        fields = ("schedule_type", "minutes", "cron")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kind = cleaned.get("schedule_type")
        if kind == Schedule.ONCE:
            self.add_error("schedule_type", _("A one-time schedule would be deleted after its run."))
        if kind == Schedule.MINUTES and not cleaned.get("minutes") and "minutes" not in self.errors:
            self.add_error("minutes", _("Give the number of minutes."))
        cron = cleaned.get("cron")
        if kind == Schedule.CRON and "cron" not in self.errors and not (cron and croniter.is_valid(cron)):
            self.add_error("cron", _("Give a cron expression of five fields, as in 20 3 * * *."))
        return cleaned


@admin.register(Schedule)
class ScheduleAdmin(ViewOnlyAdmin):
    form = ScheduleForm
    list_display = ("title", "func", "timing", "next")
    list_display_links = ("title",)
    ordering = ("name",)
    fields = ("name", "func", "next", "schedule_type", "minutes", "cron")
    readonly_fields = ("name", "func", "next")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("django_q.change_schedule")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        schedules: QuerySet[Schedule] = super().get_queryset(request)
        return schedules.defer("args", "kwargs", "hook")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Count the new timing from now. The scheduler writes the other columns, so they are left alone."""
        obj.next_run = obj.calculate_next_run(timezone.now())
        obj.save(update_fields=["schedule_type", "minutes", "cron", "next_run"])

    @display(description=gettext_lazy("Name"))
    def title(self, schedule: Schedule) -> str:
        return str(SCHEDULE_WORDS.get(schedule.name, schedule.name or schedule.func))

    @display(description=gettext_lazy("Timing"))
    def timing(self, schedule: Schedule) -> str:
        if schedule.schedule_type == Schedule.CRON:
            return f"{schedule.get_schedule_type_display()}: {schedule.cron}"
        if schedule.schedule_type == Schedule.MINUTES:
            minutes = schedule.minutes or 1
            return _("every minute") if minutes == 1 else _("every %(count)s min") % {"count": minutes}
        return str(schedule.get_schedule_type_display())

    @display(description=gettext_lazy("Next run"))
    def next(self, schedule: Schedule) -> str:
        return format.exact_time(schedule.next_run) or "–"


@admin.register(Failure)
class FailureAdmin(ViewOnlyAdmin):
    list_display = ("name", "func", "began", "ended", "attempt_count")
    ordering = ("-stopped",)
    fields = ("name", "func", "cluster", "began", "ended", "attempt_count")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Failure]:
        failures: QuerySet[Failure] = super().get_queryset(request)
        return failures.defer("args", "kwargs", "result")

    @display(description=gettext_lazy("Started"))
    def began(self, task: Failure) -> str:
        return format.exact_time(task.started)

    @display(description=gettext_lazy("Stopped"))
    def ended(self, task: Failure) -> str:
        return format.exact_time(task.stopped)


@admin.register(OrmQ)
class QueueAdmin(ViewOnlyAdmin):
    list_display = ("number", "key", "locked_until")
    list_display_links = None
    ordering = ("id",)
    fields = ("key", "locked_until")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrmQ]:
        queued: QuerySet[OrmQ] = super().get_queryset(request)
        return queued.defer("payload")

    @display(description=gettext_lazy("ID"))
    def number(self, task: OrmQ) -> str:
        return str(task.pk)

    @display(description=gettext_lazy("Taken until"))
    def locked_until(self, task: OrmQ) -> str:
        is_free = task.lock is None or task.lock <= timezone.now()
        return _("free") if is_free else format.exact_time(task.lock)


def schedule_rows(*, may_view: bool) -> list[dict[str, Any]]:
    """The schedules with their next and last run.

    q2 keeps failures only, so a last run without one went well or has not ended. No pickle is read.
    """
    found = list(Schedule.objects.order_by("next_run").only("id", *SCHEDULE_FIELDS))
    failed = {
        each["func"]: each
        for each in Failure.objects.filter(func__in=[each.func for each in found])
        .order_by("stopped")
        .values("id", "func", "stopped")
    }
    describe = ScheduleAdmin(Schedule, admin.site)
    rows = []
    for schedule in found:
        last = failed.get(schedule.func)
        has_failed = bool(last and last["id"] == schedule.task)
        rows.append(
            {
                "name": describe.title(schedule),
                "timing": describe.timing(schedule),
                "next": format.exact_time(schedule.next_run),
                "result": _schedule_badge(schedule, has_failed=has_failed),
                "failed_at": format.exact_time(last["stopped"]) if last else "",
                "url": reverse("admin:django_q_schedule_change", args=(schedule.pk,)) if may_view else "",
            }
        )
    return rows


def _schedule_badge(schedule: Schedule, *, has_failed: bool) -> SafeString:
    if has_failed:
        return format.badge(_("Ended in failure"), tone="red", icon="error")
    if not schedule.task:
        return format.badge(_("Has not run yet"), tone="gray", icon="hourglass_empty")
    return format.badge(_("No failure"), tone="green", icon="check_circle")


def queue_figures() -> dict[str, Any]:
    counts = in_queues()
    failures = Failure.objects.order_by()[: LIMIT + 1].count()
    return {
        "waiting": format.number(counts[0]) if counts else "–",
        "taken": format.number(counts[1]) if counts else "–",
        "failures": format.number(failures),
        "has_failures": bool(failures),
    }
