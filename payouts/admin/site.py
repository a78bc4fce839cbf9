"""The frame around the screens: navigation, environment label, start page. UNFOLD names each."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payouts.admin import daily_volume, dashboard
from payouts.admin.operations.alerts import alerts, signs
from payouts.admin.operations.balances import balance_rows_counted_once
from payouts.admin.operations.providers import provider_rows
from payouts.admin.proposals import waiting


def environment(request: HttpRequest) -> list[str] | None:
    return [_("Development"), "info"] if settings.DEBUG else None


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The entries of the sidebar that this person may open."""
    groups: list[dict[str, Any]] = [
        {"title": _("Work"), "items": _work()},
        {"title": _("Rules and access"), "separator": True, "items": _rules_and_access()},
        {"title": pgettext("navigation", "System"), "separator": True, "items": _system()},
    ]
    shown_groups = []
    for group in groups:
        items = [item for item in group["items"] if not item["needs"] or request.user.has_perm(item["needs"])]
        if items:
            shown_groups.append({**group, "items": items})
    return shown_groups


def _work() -> list[dict[str, Any]]:
    return [
        _item(_("Home"), "home", "admin:index"),
        _list(pgettext("list", "Payouts"), "payments", "payouts.payout"),
        {
            **_item(_("Approvals"), "approval", "approvals", "payouts.view_payout"),
            "badge": "payouts.admin.payouts.approvals.badge",
            "badge_variant": "primary",
        },
        _list(_("Batches"), "upload_file", "payouts.batch"),
        _list(_("Provider reports"), "fact_check", "payouts.providerreport"),
        _list(_("Daily reconciliation"), "event_available", "payouts.reconciledday"),
        _item(_("Exports"), "download", "admin:payouts_export_changelist", "payouts.export_payout"),
    ]


def _rules_and_access() -> list[dict[str, Any]]:
    return [
        {
            **_list(_("Proposed changes"), "how_to_reg", "payouts.proposal"),
            "badge": "payouts.admin.proposals.waiting.badge",
            "badge_variant": "primary",
        },
        _list(_("Review rules"), "flag_check", "payouts.reviewrule"),
        _list(_("Limits"), "speed", "payouts.payoutlimit"),
        _list(_("Velocity limits"), "shutter_speed", "payouts.velocitylimit"),
        _list(_("Approval bands"), "rule", "payouts.approvalband"),
        _list(_("Routes"), "alt_route", "payouts.route"),
        _list(_("API clients"), "key", "payouts.apiclient"),
        _list(_("People"), "group", "auth.user"),
        _list(_("Groups"), "badge", "auth.group"),
        _list(_("Access log"), "history", "payouts.accessevent"),
    ]


def _system() -> list[dict[str, Any]]:
    return [
        _item(_("Operations"), "monitor_heart", "operations", "payouts.view_heartbeat"),
        _list(_("Unknown payments"), "report", "payouts.unknownpayment"),
        _list(_("Clusters"), "dns", "payouts.heartbeat"),
        _list(_("Schedules"), "schedule", "django_q.schedule"),
        _list(_("Queue"), "list_alt", "django_q.ormq"),
        _list(_("Failed tasks"), "bug_report", "django_q.failure"),
    ]


def _list(title: str, icon: str, model: str) -> dict[str, Any]:
    """An entry for a model's list, as in `payouts.batch`, for those who may see it."""
    app, _dot, name = model.partition(".")
    return _item(title, icon, f"admin:{app}_{name}_changelist", f"{app}.view_{name}")


def _item(title: str, icon: str, view: str, needs: str = "") -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(view), "needs": needs}


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """The links in the menu at the person's own name."""
    links = [
        {"title": _("Second factor"), "link": reverse("second_factor_mine")},
        {"title": _("Your sessions"), "link": reverse("own_sessions")},
    ]
    if request.user.is_authenticated and request.user.has_usable_password():
        links.append({"title": _("Change password"), "link": reverse("admin:password_change")})
    return links


def start(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The start page's context: what waits for people and how long, alerts, providers, and what was paid by day."""
    user: User | AnonymousUser = request.user
    context["title"] = _("Home")
    context["sees_payouts"] = user.has_perm("payouts.view_payout")
    if not context["sees_payouts"]:
        return context
    sees_operations = user.has_perm("payouts.view_heartbeat")
    context |= {
        "alerts": alerts(),
        "lead": dashboard.lead(user),
        "changes": waiting.lead(user),
        "cards": dashboard.cards(user),
        "on_their_way": dashboard.on_their_way(),
        "ages": dashboard.ages(),
        "balances": balance_rows_counted_once(),
        "volume": daily_volume.volume(request.GET.get("volume", "")),
        "providers": provider_rows(),
        "signs": signs(),
        "operations_url": reverse("operations") if sees_operations else "",
        "counted_at": dashboard.counted_at(),
    }
    return context
