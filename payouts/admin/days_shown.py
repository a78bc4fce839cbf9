"""Daily reconciliation: each account and day as a line, and a day's page with the dialog that closes it."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from payouts import money, operation_rules
from payouts.actions import days
from payouts.actions.days import Standing, State
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogsMixin, dialog_action
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.statements import FOR_PEOPLE, LOOKS
from payouts.models import ProviderReport, ReconciledDay, ReportLine
from payouts.providers import registry
from payouts.providers.messages import translated

SHOWN_DAYS = 31
CLOSE_PERMISSIONS = ("payouts.view_reconciledday", "payouts.close_reconciledday")

LOOKS_OF_STATES: dict[State, tuple[str, str, Any]] = {
    State.DIFFERS: ("red", "report", gettext_lazy("Differs")),
    State.UNTOLD: ("amber", "schedule", gettext_lazy("Not told yet")),
    State.COMPARING: ("blue", "sync", gettext_lazy("Being compared")),
    State.ASKED: ("blue", "contact_support", gettext_lazy("Provider is asked")),
    State.AGREED: ("green", "check_circle", gettext_lazy("Agreed")),
    State.CLOSED: ("gray", "task_alt", gettext_lazy("Closed by a person")),
}


class CloseForm(forms.Form):
    reason = text_field(gettext_lazy("What the difference was, and how you know. Saved permanently."))


@admin.register(ReconciledDay)
class ReconciledDayAdmin(DialogsMixin, ViewOnlyAdmin):
    fields = (
        *("state", "account", "day_shown", "listed", "differences", "why", "asked", "report_link"),
        *("closed", "close_reason"),
    )
    readonly_fields = fields
    actions_detail = ("close",)

    def has_close_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(CLOSE_PERMISSIONS)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), **_page(request)}
        return TemplateResponse(request, "admin/payouts/reconciledday/list.html", context)

    def dialog_summary(self, instance: ReconciledDay) -> dict[str, Any]:
        return {
            "heading": f"{instance.account}, {format.day(instance.on)}",
            "badge": self.state(instance),
            "recipient": _why(instance, _standing(instance)),
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: ReconciledDay) -> str:
        return operation_rules.why_not_close_day(instance, person(request))

    @dialog_action(
        form_class=CloseForm,
        permission="close",
        description=gettext_lazy("Close the day"),
        title=gettext_lazy("Close the day"),
        submit=gettext_lazy("Close"),
        warning=gettext_lazy(
            "It is not compared again, unless its list has yet to come. "
            "Close it when you know what the difference was."
        ),
        icon="check_circle",
    )
    def close(self, request: HttpRequest, form: Form, day: ReconciledDay) -> str:
        days.close(day.pk, by=person(request), reason=form.cleaned_data["reason"])
        return _("Closed.")

    # The day's page

    @display(description=gettext_lazy("State"))
    def state(self, day: ReconciledDay) -> SafeString:
        return _badge(_standing(day))

    @display(description=gettext_lazy("Day"))
    def day_shown(self, day: ReconciledDay) -> str:
        return f"{format.day(day.on)} ({day.zone})"

    @display(description=gettext_lazy("Listed by the provider"))
    def listed(self, day: ReconciledDay) -> str:
        return ", ".join(_listed(day)) or "–"

    @display(description=gettext_lazy("Differences"))
    def differences(self, day: ReconciledDay) -> SafeString | str:
        return format_html_join(" ", "{}", ((each["badge"],) for each in _differences(day, _standing(day)))) or "–"

    @display(description=gettext_lazy("Why"))
    def why(self, day: ReconciledDay) -> str:
        return _why(day, _standing(day)) or "–"

    @display(description=gettext_lazy("Asked"))
    def asked(self, day: ReconciledDay) -> str:
        return format.exact_time(day.asked_at) or "–"

    @display(description=gettext_lazy("Lines"))
    def report_link(self, day: ReconciledDay) -> SafeString | str:
        if day.report_id is None:
            return "–"
        return format_html('<a class="po-link" href="{}">{}</a>', _report_url(day.report_id), _("Open the list"))

    @display(description=gettext_lazy("Closed"))
    def closed(self, day: ReconciledDay) -> str:
        return f"{day.closed_by.get_username()}, {format.exact_time(day.closed_at)}" if day.closed_by else "–"


# The list


def _page(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    kept = ReconciledDay.objects.values_list("account", flat=True)
    accounts = sorted({*registry.known_names(), *kept.filter(on__gt=_first(now.date())).distinct()})
    chosen = request.GET.get("account", "")
    if chosen not in accounts:
        chosen = ""
    shown = [chosen] if chosen else accounts
    lines = sorted(_lines(shown, now.date()), key=lambda line: line["key"], reverse=True)
    return {
        "title": _("Daily reconciliation"),
        "tabs": _tabs(accounts, chosen) if len(accounts) > 1 else [],
        "rows": lines,
        "sees_reports": request.user.has_perm("payouts.view_providerreport"),
        "upload_url": reverse("admin:payouts_providerreport_add")
        if request.user.has_perm("payouts.add_providerreport")
        else "",
        "without_list": [
            name for name in shown if name in registry.known_names() and not registry.lists_payments(name)
        ],
    }


def _first(today: date) -> date:
    return today - timedelta(days=SHOWN_DAYS)


def _tabs(accounts: list[str], chosen: str) -> list[dict[str, Any]]:
    every = {"title": _("All accounts"), "query": "?", "is_active": not chosen}
    return [every, *({"title": name, "query": f"?account={name}", "is_active": name == chosen} for name in accounts)]


def _lines(accounts: list[str], today: date) -> Iterator[dict[str, Any]]:
    found = list(ReconciledDay.objects.filter(account__in=accounts, on__gt=_first(today)).select_related("closed_by"))
    standings = days.standings(found)
    kept = {(day.account, day.on) for day in found}
    reports = _uploaded(accounts, today)
    for day in found:
        yield _line(day, standings[day.pk], reports.get((day.account, day.on)))
    for (account, on), report in reports.items():
        if (account, on) not in kept:
            yield {"key": (on, account), "day": format.day(on), "account": account, "report": _covered(report)}


def _line(day: ReconciledDay, found: Standing, report: ProviderReport | None) -> dict[str, Any]:
    return {
        "key": (day.on, day.account),
        "day": format.day(day.on),
        "account": day.account,
        "url": reverse("admin:payouts_reconciledday_change", args=(day.pk,)),
        "badge": _badge(found),
        "listed": _listed(day),
        "differences": _differences(day, found),
        "why": _why(day, found),
        "report": _covered(report) if report else None,
    }


def _uploaded(accounts: list[str], today: date) -> Mapping[tuple[str, date], ProviderReport]:
    """The last report that a person uploaded for each account and day that one covers."""
    to_look_at = ReportLine.objects.filter(report=OuterRef("pk"), result__in=FOR_PEOPLE)
    uploaded = ProviderReport.objects.filter(
        provider__in=accounts, uploaded_by__isnull=False, to_on__gt=_first(today)
    ).annotate(calls_people=Exists(to_look_at))
    found: dict[tuple[str, date], ProviderReport] = {}
    for report in uploaded.order_by("pk"):
        if report.from_on is None or report.to_on is None:
            continue
        first = max(report.from_on, _first(today) + timedelta(days=1))
        for each in range((report.to_on - first).days + 1):
            found[report.provider, first + timedelta(days=each)] = report
    return found


def _covered(report: Any) -> dict[str, Any]:
    if report.applied_at is None:
        badge = format.badge(_("Being compared"), tone="blue", icon="sync")
    elif report.calls_people:
        badge = format.badge(_("Needs review"), tone="magenta", icon="flag")
    else:
        badge = format.badge(_("Agreed"), tone="green", icon="check_circle")
    return {"name": report.name, "url": _report_url(report.pk), "badge": badge}


def _report_url(report_id: int, result: str = "") -> str:
    url = reverse("admin:payouts_providerreport_change", args=(report_id,))
    return f"{url}?result={result}#po-lines" if result else url


# In words


def _standing(day: ReconciledDay) -> Standing:
    return days.standings([day])[day.pk]


def _badge(found: Standing) -> SafeString:
    tone, icon, words = LOOKS_OF_STATES[found.state]
    return format.badge(str(words), tone=tone, icon=icon)


def _listed(day: ReconciledDay) -> list[str]:
    """What succeeded by the provider's list, by currency; then what had not ended."""
    if day.report_id is None:
        return []
    said = [
        ngettext("%(count)s payment, %(amount)s", "%(count)s payments, %(amount)s", count)
        % {"count": format.number(count), "amount": money.shown(Decimal(amount), currency)}
        for currency, (count, amount) in day.totals.items()
    ]
    if day.unfinished:
        said.append(
            ngettext("%(count)s not ended", "%(count)s not ended", day.unfinished)
            % {"count": format.number(day.unfinished)}
        )
    return said or [_("no payments")]


def _differences(day: ReconciledDay, found: Standing) -> list[dict[str, Any]]:
    """A badge with a link for each result that a person must look at, in the order of the report's page."""
    assert day.report_id is not None or not found.differences
    return [
        {
            "badge": format.badge(
                f"{capfirst(str(ReportLine.Result(result).label))}: {format.number(found.differences[result])}",
                tone=look.tone,
                icon=look.icon,
            ),
            "url": _report_url(day.report_id or 0, result),
        }
        for result, look in LOOKS.items()
        if result in found.differences
    ]


def _why(day: ReconciledDay, found: Standing) -> str:
    """Why no list has come, what is waited for, or what a person has said."""
    said = []
    match found.state:
        case State.CLOSED:
            return day.close_reason
        case State.UNTOLD if day.asked_at is None:
            said.append(_("The provider is asked when the day has settled."))
        case State.ASKED:
            said.append(
                ngettext(
                    "The provider knows %(count)s payment better than we do, and is being asked.",
                    "The provider knows %(count)s payments better than we do, and is being asked.",
                    found.asked,
                )
                % {"count": format.number(found.asked)}
            )
    if day.code and found.state != State.AGREED:
        asked = _("Asked at %(at)s.") % {"at": format.exact_time(day.asked_at)}
        said += [translated(day.message), asked]
    return " ".join(said)


# The start page


def day_alerts() -> list[dict[str, Any]]:
    """`said`, `then`, `link` and `is_alarm` for what does not agree, and by account for what was not told."""
    alarms = days.alarms()
    listed = (_("Daily reconciliation"), reverse("admin:payouts_reconciledday_changelist"))
    said = [_said_differs([day for day, found in alarms if found.state != State.UNTOLD], listed)]
    late: dict[str, list[ReconciledDay]] = {}
    for day, found in alarms:
        if found.state == State.UNTOLD:
            late.setdefault(day.account, []).append(day)
    said += [_said_untold(of_account, listed) for of_account in late.values()]
    return [each for each in said if each]


def _said_differs(differ: list[ReconciledDay], link: tuple[str, str]) -> dict[str, Any] | None:
    if not differ:
        return None
    count = len(differ)
    said = ngettext(
        "%(count)s day does not agree with the provider's list: %(days)s.",
        "%(count)s days do not agree with the providers' lists: %(days)s.",
        count,
    ) % {"count": format.number(count), "days": _named(differ)}
    then = _("Look into each difference, then close the day with a reason.")
    return {"said": said, "then": then, "link": link, "is_alarm": True}


def _said_untold(late: list[ReconciledDay], link: tuple[str, str]) -> dict[str, Any]:
    said = _("The provider of the account %(account)s has not told what it paid on %(days)s.") % {
        "account": late[0].account,
        "days": ", ".join(format.day(day.on) for day in late[:3]) + (" …" if len(late) > 3 else ""),
    }
    why = translated(late[-1].message)
    then = _("Upload its report of these days, or close them with a reason.")
    return {"said": f"{said} {why}".strip(), "then": then, "link": link, "is_alarm": False}


def _named(found: list[ReconciledDay]) -> str:
    """Three at most."""
    names = [f"{day.account}, {format.day(day.on)}" for day in found[:3]]
    return "; ".join(names) + (" …" if len(found) > 3 else "")
