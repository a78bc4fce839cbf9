"""The operations page: how the machinery does, provider by provider, and the pause that people can put on one.

Its figures cost little at any size: the worker's own partial index for the backlog, the index over the days for the
rates, up to SAMPLE attempts each, asked once in RATES_SECONDS.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django_q.models import Failure, OrmQ, Schedule
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from payouts import providers
from payouts.actions import pauses
from payouts.admin.dashboard import LIMIT, against_norm, cached, measure
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogsMixin, back_to, dialog_action, show_dialog
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.operations.queue_tables import ScheduleAdmin
from payouts.models import AuditRun, Breaker, Heartbeat, Payout, ProviderPause, ProviderReport
from payouts.states import Stage, Status

RATES_SECONDS = 30
SAMPLE = 50_000
HISTORY_SHOWN = 10
AUDIT_IS_SILENT_AFTER = timedelta(minutes=30)
PAUSE_PERMISSIONS = ("payouts.view_providerpause", "payouts.pause_providerpause")

SCHEDULE_WORDS = {
    "sweep": gettext_lazy("Finds what is due and was not rung for"),
    "remind of approvals": gettext_lazy("Reports approvals that wait for more than a day"),
    "count days": gettext_lazy("Counts what was paid on the days that are over"),
    "prune": gettext_lazy("Deletes old results of tasks"),
    "audit": gettext_lazy("Checks every invariant of every payout"),
}


# Figures


@dataclass(frozen=True, slots=True)
class Rate:
    """What came of a provider's attempts that ended in a window, SAMPLE at most."""

    succeeded: int = 0
    ended: int = 0
    median_seconds: float | None = None

    @property
    def share(self) -> str:
        if not self.ended:
            return "–"
        # Cut, not rounded: only a success of all is a hundred.
        percent = formats.number_format(self.succeeded * 100 / self.ended, decimal_pos=1, use_l10n=True)
        return pgettext("share of a hundred", "%(number)s%%") % {"number": percent}

    @property
    def of(self) -> str:
        """How many attempts the share is of."""
        if not self.ended:
            return _("no attempt ended")
        plus = "+" if self.ended >= SAMPLE else ""
        return _("of %(count)s") % {"count": format.number(self.ended) + plus}

    @property
    def median(self) -> str:
        return seconds_shown(self.median_seconds)


def seconds_shown(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        digits = formats.number_format(round(seconds, 1), decimal_pos=1 if seconds < 10 else 0, use_l10n=True)
        return _("%(count)s s") % {"count": digits}
    return format.duration(timedelta(seconds=seconds))


def rates(window: timedelta) -> dict[str, Rate]:
    """By provider, of the attempts that ended within the window before now."""

    def count() -> dict[str, Rate]:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT provider, count(*) FILTER (WHERE outcome = 'succeeded'), count(*),
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at))
                       FILTER (WHERE outcome = 'succeeded')
                FROM (SELECT provider, outcome, created_at, finished_at FROM payouts_attempt
                      WHERE finished_at > %s LIMIT %s) AS ended
                GROUP BY provider
                """,
                [timezone.now() - window, SAMPLE],
            )
            return {provider: Rate(*figures) for provider, *figures in cursor.fetchall()}

    return cached(f"rates:{window.total_seconds():.0f}", count, seconds=RATES_SECONDS)


@dataclass(frozen=True, slots=True)
class Load:
    """What the worker has before it (LIMIT at most), by provider: due now and since when, and sent but not ended."""

    due: int = 0
    oldest_due_at: datetime | None = None
    in_flight: int = 0
    asked_now: int = 0


def loads() -> dict[str, Load]:
    def count() -> dict[str, Load]:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT provider, sum(due)::int, min(due_at), sum(in_flight)::int, sum(asked)::int FROM (
                    (SELECT provider, 1 AS due, due_at, 0 AS in_flight, 0 AS asked FROM payouts_payout
                     WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT %(limit)s)
                    UNION ALL
                    (SELECT provider, 0, NULL, 1, (lease_token IS NOT NULL AND due_at > statement_timestamp())::int
                     FROM payouts_payout WHERE status = 'processing' ORDER BY created_at LIMIT %(limit)s)
                ) AS load GROUP BY provider
                """,
                {"limit": LIMIT},
            )
            return {provider: Load(*figures) for provider, *figures in cursor.fetchall()}

    return cached("loads", count)


def open_pauses() -> dict[str, ProviderPause]:
    return {
        each.provider: each
        for each in ProviderPause.objects.filter(resumed_at=None).select_related("paused_by").order_by("provider")
    }


def provider_rows() -> list[dict[str, Any]]:
    """Every provider that is known or was used lately: its state in words, how it does, and its pause if any."""
    breakers = {each.provider: each for each in Breaker.objects.all()}
    paused, load = open_pauses(), loads()
    hour, day = rates(timedelta(hours=1)), rates(timedelta(days=1))
    names = sorted({*providers.known_names(), *breakers, *paused, *load, *hour, *day})
    return [
        {
            "name": name,
            "badge": _provider_badge(breakers.get(name), paused.get(name)),
            "said": _provider_words(breakers.get(name), paused.get(name)),
            "pause": paused.get(name),
            "load": load.get(name, Load()),
            "due": _capped(load.get(name, Load()).due),
            "in_flight": _capped(load.get(name, Load()).in_flight),
            "hour": hour.get(name, Rate()),
            "day": day.get(name, Rate()),
        }
        for name in names
    ]


def _capped(count: int) -> str:
    return f"{format.number(count)}+" if count >= LIMIT else format.number(count)


def _provider_badge(breaker: Breaker | None, paused: ProviderPause | None) -> SafeString:
    if paused:
        return format.badge(_("Paused"), tone="orange", icon="pause_circle")
    if breaker and breaker.open_until:
        return format.badge(_("Not answering"), tone="magenta", icon="cloud_off")
    if breaker and breaker.failures:
        return format.badge(_("Stumbles"), tone="amber", icon="warning")
    return format.badge(_("Answering"), tone="green", icon="check_circle")


def _provider_words(breaker: Breaker | None, paused: ProviderPause | None) -> str:
    """What its badge means just now; of a pause, who made it and why."""
    if paused:
        return _("since %(at)s by %(who)s: “%(why)s”") % {
            "at": format.exact_time(paused.paused_at),
            "who": paused.paused_by.get_username(),
            "why": paused.pause_reason,
        }
    if breaker is None or not breaker.failures:
        return _("Calls go through.")
    failures = ngettext("%(count)s failure in a row", "%(count)s failures in a row", breaker.failures) % {
        "count": format.number(breaker.failures)
    }
    if breaker.open_until is None:
        return _("%(failures)s; calls go on.") % {"failures": failures}
    if breaker.probing_since:
        return _("%(failures)s; one payout tries it just now.") % {"failures": failures}
    if breaker.open_until <= timezone.now():
        return _("%(failures)s; the next payout that is due tries it again.") % {"failures": failures}
    return _("%(failures)s; no calls before %(at)s.") % {
        "failures": failures,
        "at": format.exact_time(breaker.open_until),
    }


def alerts() -> list[dict[str, Any]]:
    """What keeps the money from moving, in sentences, for the top of the start page and of this one."""
    said: list[dict[str, Any]] = []
    if not any(is_alive(beat) for beat in Heartbeat.objects.all()):
        said.append(
            {
                "icon": "dns",
                "is_alarm": True,
                "said": _("No cluster is alive: nothing is paid."),
                "next": _("Have the worker started; payouts wait as they are."),
            }
        )
    paused = open_pauses()
    said += [_stop(each) for each in paused.values()]
    silent = Breaker.objects.filter(open_until__isnull=False).exclude(provider__in=paused).order_by("provider")
    said += [_silence(breaker) for breaker in silent]
    audit = AuditRun.objects.first()
    if audit and audit.broken_count:
        said.append(
            {
                "icon": "gpp_maybe",
                "is_alarm": True,
                "said": ngettext(
                    "The last audit found %(count)s broken invariant.",
                    "The last audit found %(count)s broken invariants.",
                    audit.broken_count,
                )
                % {"count": format.number(audit.broken_count)},
                "next": _("Nothing may be done with what was altered before somebody has looked into it."),
            }
        )
    return said


def _stop(found: ProviderPause) -> dict[str, Any]:
    """A provider that somebody has paused, in words."""
    said = _("The provider %(provider)s is paused by %(who)s since %(at)s: “%(why)s”") % {
        "provider": found.provider,
        "who": found.paused_by.get_username(),
        "at": format.exact_time(found.paused_at),
        "why": found.pause_reason,
    }
    then = _("Its payouts wait as they are until another person resumes it.")
    return {"icon": "pause_circle", "is_alarm": False, "said": said, "next": then}


def _silence(breaker: Breaker) -> dict[str, Any]:
    """A provider that does not answer, in words."""
    said = ngettext(
        "The provider %(provider)s does not answer (%(count)s failure in a row). Its payouts wait as they are.",
        "The provider %(provider)s does not answer (%(count)s failures in a row). Its payouts wait as they are.",
        breaker.failures,
    ) % {"provider": breaker.provider, "count": breaker.failures}
    if breaker.open_until is None or breaker.open_until <= timezone.now():
        then = _("The next payout that is due tries it again.")
    else:
        then = _("Next try on %(at)s.") % {"at": format.exact_time(breaker.open_until)}
    return {"icon": "cloud_off", "is_alarm": True, "said": said, "next": then}


# Machinery


def is_alive(heartbeat: Heartbeat) -> bool:
    return timezone.now() - heartbeat.beat_at <= timedelta(seconds=settings.STALL_SECONDS)


def cluster_rows() -> list[dict[str, Any]]:
    """Those alive first; one that is gone is forgotten by the pruning."""
    beats = Heartbeat.objects.order_by("-beat_at")[:20]
    return [
        {
            "name": beat.cluster,
            "is_alive": is_alive(beat),
            "badge": format.badge(_("Alive"), tone="green", icon="check_circle")
            if is_alive(beat)
            else format.badge(_("Silent"), tone="gray", icon="do_not_disturb_on"),
            "beat": seconds_shown(max(0.0, (timezone.now() - beat.beat_at).total_seconds())),
            "started": format.exact_time(beat.started_at),
        }
        for beat in beats
    ]


def signs() -> list[dict[str, str]]:
    """How the machinery does, a line each, for the start page."""
    alive = sum(is_alive(beat) for beat in Heartbeat.objects.all())
    load = loads().values()
    due = sum(each.due for each in load)
    wait = against_norm(Stage.READY, _oldest_due(load))
    backlog = _("Due for the worker: %(count)s") % {"count": _capped(due)}
    said = [
        {
            "icon": "dns",
            "tone": "green" if alive else "red",
            "said": ngettext("%(count)s cluster alive", "%(count)s clusters alive", alive)
            % {"count": format.number(alive)},
        },
        {
            "icon": "inbox",
            "tone": wait["age_tone"],
            "said": f"{backlog} ({wait['age']})" if due else backlog,
        },
    ]
    run = AuditRun.objects.first()
    if run and run.broken_count:
        said.append({"icon": "gpp_maybe", "tone": "red", "said": _("The last audit found broken invariants.")})
    elif run and run.finished_at:
        words = _("Every invariant held in the audit of %(at)s.") % {"at": format.exact_time(run.started_at)}
        said.append({"icon": "verified_user", "tone": "green", "said": words})
    return said


def _oldest_due(load: Iterable[Load]) -> datetime | None:
    return min((each.oldest_due_at for each in load if each.oldest_due_at), default=None)


def schedule_rows(*, may_view: bool) -> list[dict[str, Any]]:
    """q2 keeps only failures, so a last run that left none went well or has not ended. No pickle is read."""
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
                "name": schedule.name,
                "words": SCHEDULE_WORDS.get(schedule.name, ""),
                "timing": describe.timing(schedule),
                "next": format.exact_time(schedule.next_run),
                "result": _schedule_badge(schedule, has_failed=has_failed),
                "failed_at": format.exact_time(last["stopped"]) if last else "",
                "url": reverse("admin:django_q_schedule_change", args=(schedule.pk,)) if may_view else "",
            }
        )
    return rows


SCHEDULE_FIELDS = ("name", "func", "schedule_type", "minutes", "cron", "next_run", "task")


def _schedule_badge(schedule: Schedule, *, has_failed: bool) -> SafeString:
    if has_failed:
        return format.badge(_("Ended in failure"), tone="red", icon="error")
    if not schedule.task:
        return format.badge(_("Has not run yet"), tone="gray", icon="hourglass_empty")
    return format.badge(_("No failure"), tone="green", icon="check_circle")


def queue_figures() -> dict[str, Any]:
    now = timezone.now()
    waiting = OrmQ.objects.filter(lock__lte=now)
    failures = Failure.objects.order_by()[: LIMIT + 1].count()
    oldest = waiting.order_by("lock").values_list("lock", flat=True).first()
    return {
        "waiting": format.number(waiting.count()),
        "taken": format.number(OrmQ.objects.filter(lock__gt=now).count()),
        "oldest": format.duration(now - oldest) if oldest else "",
        "failures": format.number(failures),
        "has_failures": bool(failures),
    }


def audit_row() -> dict[str, Any] | None:
    """The last run of the audit in words; None before the first."""
    run = AuditRun.objects.first()
    if run is None:
        return None
    if run.finished_at is None and timezone.now() - run.seen_at > AUDIT_IS_SILENT_AFTER:
        badge = format.badge(_("Broken off"), tone="amber", icon="warning")
    elif run.broken_count:
        badge = format.badge(_("Broken invariants"), tone="red", icon="gpp_maybe")
    elif run.finished_at is None:
        badge = format.badge(_("Running"), tone="blue", icon="sync")
    else:
        badge = format.badge(_("Every invariant holds"), tone="green", icon="verified_user")
    return {
        "badge": badge,
        "started": format.exact_time(run.started_at),
        "finished": format.exact_time(run.finished_at),
        "count": format.number(run.broken_count) if run.broken_count else "",
        "is_cut": run.broken_count > len(run.findings),
        "findings": [
            {
                **found,
                "label": f"#{found['payout_id']}" if found["payout_id"] else _("database"),
                "url": reverse("admin:payouts_payout_change", args=(found["payout_id"],))
                if found["payout_id"]
                else "",
            }
            for found in run.findings
        ],
    }


def reports_under_way() -> list[dict[str, Any]]:
    open_reports = ProviderReport.objects.filter(applied_at=None).select_related("uploaded_by")[:HISTORY_SHOWN]
    return [
        {
            "name": report.name,
            "url": reverse("admin:payouts_providerreport_change", args=(report.pk,)),
            "who": report.uploaded_by.get_username(),
            "at": format.exact_time(report.uploaded_at),
        }
        for report in open_reports
    ]


def history(found: Iterable[ProviderPause]) -> list[dict[str, Any]]:
    return [
        {
            "provider": each.provider,
            "url": reverse("admin:payouts_providerpause_change", args=(each.pk,)),
            "paused_at": format.exact_time(each.paused_at),
            "paused_by": each.paused_by.get_username(),
            "pause_reason": each.pause_reason,
            "resumed_at": format.exact_time(each.resumed_at),
            "resumed_by": each.resumed_by.get_username() if each.resumed_by else "",
            "resume_reason": each.resume_reason,
            "took": format.duration((each.resumed_at or timezone.now()) - each.paused_at),
        }
        for each in found
    ]


# The page


def view(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not user.has_perm("payouts.view_heartbeat"):
        raise PermissionDenied
    sees_payouts = user.has_perm("payouts.view_payout")
    sees_queue = user.has_perm("django_q.view_schedule")
    sees_pauses = user.has_perm("payouts.view_providerpause")
    may_pause = user.has_perms(PAUSE_PERMISSIONS)
    load = loads().values()
    rows = provider_rows()
    for row in rows:
        open_pause = row["pause"]
        row["is_mine"] = bool(open_pause and open_pause.paused_by_id == user.pk)
        row["resume_url"] = (
            reverse("admin:payouts_providerpause_resume", args=(open_pause.pk,)) if may_pause and open_pause else ""
        )
        row["pause_url"] = (
            reverse("admin:payouts_providerpause_pause", args=(row["name"],)) if may_pause and not open_pause else ""
        )
    found = ProviderPause.objects.select_related("paused_by", "resumed_by")[:HISTORY_SHOWN] if sees_pauses else []
    context = {
        **admin.site.each_context(request),
        "title": _("Operations"),
        "alerts": alerts(),
        "cards": _cards(load, sees_payouts=sees_payouts),
        "providers": rows,
        "clusters": cluster_rows(),
        "schedules": schedule_rows(may_view=sees_queue),
        "queue": queue_figures(),
        "queue_url": _list_url(user, "ormq"),
        "failures_url": _list_url(user, "failure"),
        "audit": audit_row(),
        "sees_payouts": sees_payouts,
        "reports": reports_under_way() if user.has_perm("payouts.view_providerreport") else [],
        "sees_pauses": sees_pauses,
        "history": history(found),
        "history_url": reverse("admin:payouts_providerpause_changelist"),
        "looked_at": format.exact_time(timezone.now()),
    }
    return TemplateResponse(request, "admin/payouts/operations.html", context)


def _list_url(user: Any, model: str) -> str:
    """Of one of q2's tables; empty for who may not see it."""
    return reverse(f"admin:django_q_{model}_changelist") if user.has_perm(f"django_q.view_{model}") else ""


def _cards(load: Any, *, sees_payouts: bool) -> list[dict[str, Any]]:
    due, in_flight = sum(each.due for each in load), sum(each.in_flight for each in load)
    asked = sum(each.asked_now for each in load)
    unknown = cached("unknown", lambda: measure(Payout.objects.in_stage(Stage.UNKNOWN)))
    listed = reverse("admin:payouts_payout_changelist") if sees_payouts else ""
    wait = against_norm(Stage.READY, _oldest_due(load))
    return [
        {
            "title": _("Due for the worker"),
            "icon": "inbox",
            "tone": "amber" if wait["age_tone"] == "red" else "blue" if due else "gray",
            "count": _capped(due),
            "is_empty": not due,
            "sums": [],
            "url": "",
            **wait,
        },
        {
            "title": _("In flight"),
            "icon": "sync",
            "tone": "blue" if in_flight else "gray",
            "count": _capped(in_flight),
            "is_empty": not in_flight,
            "sums": [],
            "url": f"{listed}?stage={Status.PROCESSING.value}" if listed else "",
            "age": ngettext(
                "sent, not final; %(count)s is being asked about now",
                "sent, not final; %(count)s are being asked about now",
                asked,
            )
            % {"count": format.number(asked)},
            "age_tone": "",
        },
        {
            "title": _("Outcome unknown"),
            "icon": "help",
            "tone": "magenta" if unknown.count else "gray",
            "count": unknown.shown,
            "is_empty": not unknown.count,
            "sums": unknown.sums_shown,
            "url": f"{listed}?stage={Status.UNKNOWN.value}" if listed else "",
            **against_norm(Stage.UNKNOWN, unknown.oldest_at),
        },
    ]


# Pauses


class PauseForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=pauses.REASON_LIMIT,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=gettext_lazy("It stands in the history of pauses for good."),
    )


@admin.register(ProviderPause)
class ProviderPauseAdmin(DialogsMixin, ViewOnlyAdmin):
    list_display = ("provider", "state", "paused", "pause_reason", "resumed", "resume_reason")
    list_display_links = ("provider",)
    list_select_related = ("paused_by", "resumed_by")
    list_fullwidth = True
    ordering = ("-id",)
    fields = ("provider", "state", "paused", "pause_reason", "resumed", "resume_reason")
    readonly_fields = fields
    actions_detail = ("resume",)

    def has_pause_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(PAUSE_PERMISSIONS)

    def get_urls(self) -> list[Any]:
        pause = self.admin_site.admin_view(self.pause_view)
        return [path("pause/<str:provider>/", pause, name="payouts_providerpause_pause"), *super().get_urls()]

    @display(description=gettext_lazy("State"))
    def state(self, found: ProviderPause) -> SafeString:
        if found.resumed_at:
            return format.badge(_("Resumed"), tone="gray", icon="play_circle")
        return format.badge(_("Paused"), tone="orange", icon="pause_circle")

    @display(description=gettext_lazy("Paused"))
    def paused(self, found: ProviderPause) -> str:
        return f"{found.paused_by.get_username()}, {format.exact_time(found.paused_at)}"

    @display(description=gettext_lazy("Resumed"))
    def resumed(self, found: ProviderPause) -> str:
        return (
            f"{found.resumed_by.get_username()}, {format.exact_time(found.resumed_at)}" if found.resumed_by else "–"
        )

    # Dialogs, which lead back to the operations page

    def page_url(self, instance: ProviderPause) -> str:
        return reverse("operations")

    def dialog_summary(self, instance: ProviderPause) -> dict[str, Any]:
        load = loads().get(instance.provider, Load())
        facts = [
            _("due now: %(count)s") % {"count": _capped(load.due)},
            _("in flight: %(count)s") % {"count": _capped(load.in_flight)},
        ]
        if instance.pk:
            facts.insert(0, _provider_words(None, instance))
        return {
            "heading": _("Provider %(name)s") % {"name": instance.provider},
            "badge": self.state(instance) if instance.pk else "",
            "recipient": " · ".join(facts),
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: ProviderPause) -> str:
        """Why the button is not offered. `payouts.pauses` decides again, under lock."""
        if instance.resumed_by:
            return _("It was resumed already by %(who)s.") % {"who": instance.resumed_by.get_username()}
        if instance.paused_by_id == request.user.pk:
            return _("You paused it, so another person must resume it.")
        return ""

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        found = self.get_object(request, str(object_id))
        if found is None or self.dialog_obstacle(request, "resume", found):
            return []
        buttons: list[Any] = super().get_actions_detail(request, object_id)
        return buttons

    def pause_view(self, request: HttpRequest, provider: str) -> HttpResponse:
        """The dialog of a pause that is yet to be made; only POST makes it."""
        if not self.has_pause_permission(request):
            raise PermissionDenied
        if provider not in {row["name"] for row in provider_rows()}:
            raise Http404
        form = PauseForm(request.POST if request.method == "POST" else None)
        wanted = ProviderPause(provider=provider)
        if request.method == "POST" and form.is_valid():
            try:
                pauses.pause(provider, by=person(request), reason=form.cleaned_data["reason"])
            except pauses.PauseError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("The provider %(name)s is paused.") % {"name": provider})
                return back_to(request, self.page_url(wanted))
        return show_dialog(
            request,
            self,
            wanted,
            {
                "title": _("Pause the provider"),
                "warning": _(
                    "Nothing is paid through it or asked of it until another person resumes it. What is under way"
                    " ends."
                ),
                "submit": _("Pause"),
                "form": form,
            },
        )

    @dialog_action(
        form_class=PauseForm,
        permission="pause",
        description=gettext_lazy("Resume"),
        title=gettext_lazy("Resume the provider"),
        submit=gettext_lazy("Resume"),
        warning=gettext_lazy("What is due is paid at once, and what is unknown is asked about."),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, request: HttpRequest, form: Form, found: ProviderPause) -> str:
        done = pauses.resume(found.pk, by=person(request), reason=form.cleaned_data["reason"])
        return _("The provider %(name)s is resumed.") % {"name": done.provider}
