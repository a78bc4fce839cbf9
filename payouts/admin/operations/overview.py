"""The operations page: backlog, pictures of the last hour and day, providers, clusters, schedules, audit, pauses."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts import operation_rules
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.kit.person import person
from payouts.admin.operations.alerts import alerts
from payouts.admin.operations.balances import balance_rows
from payouts.admin.operations.clusters import cluster_rows
from payouts.admin.operations.figures import capped, loads, oldest_due
from payouts.admin.operations.pauses import PAUSE_PERMISSIONS, history
from payouts.admin.operations.pictures import pictures
from payouts.admin.operations.providers import provider_rows
from payouts.admin.operations.queue_tables import queue_figures, schedule_rows
from payouts.admin.operations.recovery import END_PERMISSIONS, recovery_card
from payouts.admin.payouts.depths import Depth, against_target, measure
from payouts.admin.velocity_limits import limits_card
from payouts.models import AuditRun, Payout, ProviderPause, ProviderReport
from payouts.states import Stage, Status

HISTORY_SHOWN = 10
AUDIT_IS_SILENT_AFTER = timedelta(minutes=30)


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
        row["obstacle"] = operation_rules.why_not_resume(open_pause, person(request)) if open_pause else ""
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
        "pictures": pictures(),
        "providers": rows,
        "balances": balance_rows(),
        "limits": limits_card() if user.has_perm("payouts.view_velocitylimit") else None,
        "clusters": cluster_rows(),
        "schedules": schedule_rows(may_view=sees_queue),
        "queue": queue_figures(),
        "queue_url": _list_url(user, "ormq"),
        "failures_url": _list_url(user, "failure"),
        "audit": audit_row(),
        "sees_payouts": sees_payouts,
        "reports": reports_under_way() if user.has_perm("payouts.view_providerreport") else [],
        "sees_pauses": sees_pauses,
        "recovery": recovery_card(may_begin=user.has_perms(END_PERMISSIONS))
        if user.has_perm("payouts.view_recovery")
        else None,
        "history": history(found),
        "history_url": reverse("admin:payouts_providerpause_changelist"),
        "looked_at": format.exact_time(timezone.now()),
    }
    return TemplateResponse(request, "admin/payouts/operations.html", context)


def _list_url(user: Any, model: str) -> str:
    """The address of one of q2's tables; empty for those who may not see it."""
    return reverse(f"admin:django_q_{model}_changelist") if user.has_perm(f"django_q.view_{model}") else ""


def _cards(load: Any, *, sees_payouts: bool) -> list[dict[str, Any]]:
    due, in_flight = sum(each.due for each in load), sum(each.in_flight for each in load)
    asked = sum(each.asked_now for each in load)
    unknown = cached("unknown", Depth, lambda: measure(Payout.objects.in_stage(Stage.UNKNOWN)))
    listed = reverse("admin:payouts_payout_changelist") if sees_payouts else ""
    wait = against_target(Stage.READY, oldest_due(load))
    return [
        {
            "title": _("In the worker's queue"),
            "icon": "inbox",
            "tone": "amber" if wait["age_tone"] == "red" else "blue" if due else "gray",
            "count": capped(due),
            "is_empty": not due,
            **wait,
        },
        {
            "title": _("In flight"),
            "icon": "sync",
            "tone": "blue" if in_flight else "gray",
            "count": capped(in_flight),
            "is_empty": not in_flight,
            "url": f"{listed}?stage={Status.PROCESSING.value}" if listed else "",
            "age": ngettext(
                "sent, no outcome yet; %(count)s being asked about now",
                "sent, no outcome yet; %(count)s being asked about now",
                asked,
            )
            % {"count": format.number(asked)},
        },
        {
            "title": _("Outcome unknown"),
            "icon": "help",
            "tone": "magenta" if unknown.count else "gray",
            "count": unknown.shown,
            "is_empty": not unknown.count,
            "sums": unknown.sums_shown,
            "url": f"{listed}?stage={Status.UNKNOWN.value}" if listed else "",
            **against_target(Stage.UNKNOWN, unknown.oldest_at),
        },
    ]


def audit_row() -> dict[str, Any] | None:
    """The last run of the audit in words; None before the first."""
    run = AuditRun.objects.first()
    if run is None:
        return None
    if run.finished_at is None and timezone.now() - run.seen_at > AUDIT_IS_SILENT_AFTER:
        badge = format.badge(_("Interrupted"), tone="amber", icon="warning")
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
    open_reports = ProviderReport.objects.filter(applied_at=None, superseded_at=None).select_related("uploaded_by")[
        :HISTORY_SHOWN
    ]
    return [
        {
            "name": report.name,
            "url": reverse("admin:payouts_providerreport_change", args=(report.pk,)),
            "who": report.uploaded_by.get_username() if report.uploaded_by else report.provider,
            "at": format.exact_time(report.uploaded_at),
        }
        for report in open_reports
    ]
