"""The frame around the screens, named in UNFOLD: navigation, environment label, command search, start page."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from payouts.admin import dashboard
from payouts.admin.kit import format
from payouts.admin.operations.alerts import alerts, signs
from payouts.admin.operations.providers import provider_rows
from payouts.admin.payouts.search import matching_ids
from payouts.models import Payout


def environment(request: HttpRequest) -> list[str] | None:
    return [_("Development"), "info"] if settings.DEBUG else None


def stylesheet(request: HttpRequest) -> str:
    return static("payouts/admin.css")


def favicon(request: HttpRequest) -> str:
    return static("payouts/favicon.svg")


def script(request: HttpRequest) -> str:
    return static("payouts/admin.js")


def payout_script(request: HttpRequest) -> str:
    return static("payouts/payout.js")


def frame_script(request: HttpRequest) -> str:
    return static("payouts/frame.js")


def bulk_script(request: HttpRequest) -> str:
    return static("payouts/bulk.js")


def palette_script(request: HttpRequest) -> str:
    return static("payouts/palette.js")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: only what this person may open."""
    groups: list[dict[str, Any]] = [
        {
            "title": _("Work"),
            "items": [
                _item(_("Start"), "home", "index"),
                _item(_("Payouts"), "payments", "payouts_payout_changelist", "payouts.view_payout"),
                {
                    "title": _("Approvals"),
                    "icon": "approval",
                    "link": reverse("approvals"),
                    "needs": "payouts.view_payout",
                    "badge": "payouts.admin.payouts.approvals.badge",
                    "badge_variant": "primary",
                },
                _item(_("Batches"), "upload_file", "payouts_batch_changelist", "payouts.view_batch"),
                _item(
                    _("Provider reports"),
                    "fact_check",
                    "payouts_providerreport_changelist",
                    "payouts.view_providerreport",
                ),
                _item(_("Exports"), "download", "payouts_export_changelist", "payouts.export_payout"),
            ],
        },
        {
            "title": _("Rules and access"),
            "separator": True,
            "items": [
                _item(_("Review rules"), "flag_check", "payouts_reviewrule_changelist", "payouts.view_reviewrule"),
                _item(_("Limits"), "speed", "payouts_payoutlimit_changelist", "payouts.view_payoutlimit"),
                _item(_("Approval bands"), "rule", "payouts_approvalband_changelist", "payouts.view_approvalband"),
                _item(_("API clients"), "key", "payouts_apiclient_changelist", "payouts.view_apiclient"),
                _item(_("People"), "group", "auth_user_changelist", "auth.view_user"),
                _item(_("Groups"), "badge", "auth_group_changelist", "auth.view_group"),
                _item(_("Access log"), "history", "payouts_accessevent_changelist", "payouts.view_accessevent"),
            ],
        },
        {
            "title": _("Machinery"),
            "separator": True,
            "items": [
                {
                    "title": _("Operations"),
                    "icon": "monitor_heart",
                    "link": reverse("operations"),
                    "needs": "payouts.view_heartbeat",
                },
                _item(_("Clusters"), "dns", "payouts_heartbeat_changelist", "payouts.view_heartbeat"),
                _item(_("Schedules"), "schedule", "django_q_schedule_changelist", "django_q.view_schedule"),
                _item(_("Queue"), "list_alt", "django_q_ormq_changelist", "django_q.view_ormq"),
                _item(_("Failed tasks"), "bug_report", "django_q_failure_changelist", "django_q.view_failure"),
            ],
        },
    ]
    shown_groups = []
    for group in groups:
        items = [item for item in group["items"] if not item["needs"] or request.user.has_perm(item["needs"])]
        if items:
            shown_groups.append({**group, "items": items})
    return shown_groups


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu at the person's own name."""
    links = [{"title": _("Second factor"), "link": reverse("second_factor_mine")}]
    if request.user.is_authenticated and request.user.has_usable_password():
        links.append({"title": _("Change password"), "link": reverse("admin:password_change")})
    return links


def _item(title: str, icon: str, view: str, needs: str = "") -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{view}"), "needs": needs}


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Ctrl+K: payouts by exact id, reference, key or provider's ID. The term as typed: keys tell cases apart."""
    if not request.user.has_perm("payouts.view_payout"):
        return []
    ids = matching_ids(request.GET.get("s", term))[:10]
    payouts = Payout.objects.filter(pk__in=ids).only("id", "amount", "currency").order_by("-pk")
    return [
        SearchResult(
            title=f"#{payout.pk}",
            description=format.amount(payout),
            link=reverse("admin:payouts_payout_change", args=(payout.pk,)),
            icon="payments",
        )
        for payout in payouts
    ]


def start(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The start page: what waits for people, how old it is, what moves the money, and what was paid by day."""
    user: User | AnonymousUser = request.user
    context["title"] = _("Start")
    context["sees_payouts"] = user.has_perm("payouts.view_payout")
    if not context["sees_payouts"]:
        return context
    sees_operations = user.has_perm("payouts.view_heartbeat")
    context |= {
        "alerts": alerts(),
        "lead": dashboard.lead(user),
        "cards": dashboard.cards(user),
        "on_their_way": dashboard.on_their_way(),
        "ages": dashboard.ages(),
        "volume": dashboard.volume(request.GET.get("volume", "")),
        "providers": provider_rows(),
        "signs": signs(),
        "operations_url": reverse("operations") if sees_operations else "",
        "counted_at": dashboard.counted_at(),
    }
    return context
