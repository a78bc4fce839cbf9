"""Providers' reports: the list, the upload with its faults by line, and a page with the result of every line."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from payouts import money
from payouts.admin.kit import format
from payouts.admin.kit.downloads import CONTENT_TYPES, attachment
from payouts.admin.kit.fields import day_field, file_field
from payouts.admin.kit.from_standby import StandbyListMixin
from payouts.admin.kit.paginator import one_page
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.kit.worker_pages import SnapshotMixin, has_news
from payouts.admin.payouts.provider_answers import VERDICTS
from payouts.models import Payout, ProviderReport, ReportLine
from payouts.providers import registry
from payouts.providers.csv_report import CSV, STATUSES
from payouts.statements import read
from payouts.statements.read import ReportError

Result = ReportLine.Result

PROBLEMS_SHOWN = 50
LINES_PER_PAGE = 50
WAITING = "waiting"  # in addresses, where the result itself is empty


@dataclass(frozen=True, slots=True)
class Look:
    """A result's colour, its icon, and what it means for the person who reads it."""

    tone: str
    icon: str
    meaning: Any


# Those that a person must look at come first.
LOOKS: dict[str, Look] = {
    Result.CONTRADICTS: Look(
        "red",
        "sync_problem",
        gettext_lazy("We have it as refused or as another payment, and the report says otherwise. Flagged."),
    ),
    Result.AMOUNT_DIFFERS: Look("red", "difference", gettext_lazy("The amount differs from ours. Flagged.")),
    Result.CURRENCY_DIFFERS: Look("red", "difference", gettext_lazy("The currency differs from ours. Flagged.")),
    Result.NOT_OURS: Look(
        "red",
        "report",
        gettext_lazy("No payment of ours has this reference or ID. Find out what it is: money may have left."),
    ),
    Result.MISSING: Look(
        "magenta", "search_off", gettext_lazy("Paid in the period, but missing in the report. Flagged.")
    ),
    Result.ALTERED: Look("red", "gpp_maybe", gettext_lazy("Changed outside the product: nothing was done.")),
    Result.OWN: Look(
        "amber",
        "person_alert",
        gettext_lazy("The uploader made the payout, or could have. Two other people must record the outcome."),
    ),
    Result.ASKED: Look(
        "blue",
        "contact_support",
        gettext_lazy("We did not know this yet. The provider is being asked: its answer counts."),
    ),
    Result.SETTLED: Look("green", "task_alt", gettext_lazy("It had no outcome. Now it is processed.")),
    Result.RETURNED: Look("gray", "undo", gettext_lazy("The money came back. The return is recorded.")),
    Result.AGREES: Look("green", "check_circle", gettext_lazy("Same as our record.")),
    Result.WAITING: Look("gray", "hourglass_empty", gettext_lazy("The worker has not checked it yet.")),
}
FOR_PEOPLE = (
    Result.CONTRADICTS,
    Result.AMOUNT_DIFFERS,
    Result.CURRENCY_DIFFERS,
    Result.NOT_OURS,
    Result.MISSING,
    Result.ALTERED,
    Result.OWN,
)
STATUS_WORDS = {status: VERDICTS[verdict] for status, verdict in STATUSES.items()}


def sources() -> list[tuple[str, str]]:
    """Whose reports are read, and of which format: values and labels of a choice, the default account's first."""
    return [
        (f"{account}:{each.name}", f"{account} – {each.label}")
        for account in registry.accounts()
        for each in registry.formats_of(account)
    ]


class UploadForm(forms.Form):
    source = forms.ChoiceField(
        label=gettext_lazy("Account and report"),
        choices=sources,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    file = file_field(
        gettext_lazy("File"),
        gettext_lazy("CSV in UTF-8, at most 20 MB and 100,000 lines."),
        accepts=".csv,text/csv",
    )
    from_on = day_field(gettext_lazy("From day"))
    to_on = day_field(gettext_lazy("To day"))

    def clean_source(self) -> tuple[str, str]:
        """The account's name and the format's; the first without a choice."""
        account, _colon, form = (self.cleaned_data["source"] or sources()[0][0]).rpartition(":")
        return account, form


@admin.register(ProviderReport)
class ProviderReportAdmin(StandbyListMixin, SnapshotMixin, ViewOnlyAdmin):
    list_display = ("name", "account", "state", "period", "who", "uploaded")
    list_display_links = ("name",)
    list_fullwidth = True
    ordering = ("-id",)
    fields = ()
    change_form_template = "admin/payouts/providerreport/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("payouts.view_providerreport", "payouts.add_providerreport"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.template_view)
        return [path("template/", view, name="payouts_providerreport_template"), *super().get_urls()]

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderReport]:
        found: QuerySet[ProviderReport] = super().get_queryset(request)
        to_look_at = ReportLine.objects.filter(report=OuterRef("pk"), result__in=FOR_PEOPLE)
        return found.select_related("uploaded_by").annotate(calls_people=Exists(to_look_at))

    @display(description=gettext_lazy("State"))
    def state(self, report: ProviderReport) -> SafeString:
        if report.superseded_at:
            return format.badge(_("Superseded"), tone="gray", icon="history")
        if report.applied_at is None:
            return format.badge(_("Being applied"), tone="blue", icon="sync")
        if getattr(report, "calls_people", False):
            return format.badge(_("Applied, needs review"), tone="magenta", icon="flag")
        return format.badge(_("Applied"), tone="green", icon="check_circle")

    @display(description=gettext_lazy("Account"), ordering="provider")
    def account(self, report: ProviderReport) -> str:
        return report.provider

    @display(description=gettext_lazy("From"), ordering="uploaded_by")
    def who(self, report: ProviderReport) -> str:
        return _who(report)

    @display(description=gettext_lazy("Period"))
    def period(self, report: ProviderReport) -> str:
        return _period(report) or "–"

    @display(description=gettext_lazy("Uploaded"))
    def uploaded(self, report: ProviderReport) -> str:
        return format.exact_time(report.listed_at or report.uploaded_at)

    # The upload

    def enter(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST or None, request.FILES or None)
        refusal: ReportError | None = None
        if request.method == "POST" and form.is_valid():
            try:
                report = _stored(request, form.cleaned_data)
            except ReportError as error:
                refusal = error
            else:
                messages.success(request, _("The report is accepted and is being compared with our record."))
                return HttpResponseRedirect(self.page_url(report))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Upload a provider's report"),
            "form": form,
            "refusal": refusal,
            "problems": refusal.problems[:PROBLEMS_SHOWN] if refusal else [],
            "earlier_url": self.page_url(refusal.earlier) if refusal and refusal.earlier else "",
            "statuses": STATUS_WORDS.items(),
            "is_asked_whose": len(sources()) > 1,
            "formats": _formats(),
        }
        return TemplateResponse(request, "admin/payouts/providerreport/upload.html", context)

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """An example of a report, to fill in."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        response = HttpResponse(content_type=CONTENT_TYPES["csv"], headers=attachment("report.csv"))
        rows = csv.writer(response)
        rows.writerow(CSV.columns)
        for number, status in enumerate(STATUSES, 1):
            rows.writerow((f"00000000-0000-0000-0000-{number:012}", status, "1234.50"))
        return response

    # The page

    def page(self, request: HttpRequest, instance: ProviderReport) -> dict[str, Any]:
        return {**_page(request, instance), "state": self.state(instance)}


def _stored(request: HttpRequest, given: Mapping[str, Any]) -> ProviderReport:
    """Raises ReportError."""
    account, form = given["source"]
    return read.store(
        given["file"].read(),
        name=given["file"].name,
        by=person(request),
        account=account,
        form=form,
        from_on=given["from_on"],
        to_on=given["to_on"],
    )


def _formats() -> list[dict[str, Any]]:
    """What each format that is read takes; our own CSV, whose columns are told one by one, last."""
    found = {each.name: each for account in registry.accounts() for each in registry.formats_of(account)}
    return [
        {
            "label": capfirst(str(each.label)),
            "columns": each.columns,
            "zone": each.zone,
            "is_ours": each is CSV,
        }
        for each in sorted(found.values(), key=lambda each: each is CSV)
    ]


def _who(report: ProviderReport) -> str:
    return report.uploaded_by.get_username() if report.uploaded_by else _("the provider, when asked")


def _page(request: HttpRequest, report: ProviderReport) -> dict[str, Any]:
    counts = dict(report.lines.order_by().values_list("result").annotate(Count("pk")))
    total = sum(counts.values())
    looked_at = total - counts.get(Result.WAITING, 0)
    chosen = request.GET.get("result", "")
    shown = one_page(request, Paginator(_chosen(report, chosen), LINES_PER_PAGE), result=chosen)
    is_open = not (report.applied_at or report.superseded_at)
    return {
        "report": report,
        "is_open": is_open,
        "is_about_to_change": is_open and has_news(report.seen_at),
        "total": format.number(total),
        "looked_at": format.number(looked_at),
        "percent": looked_at * 100 // total if total else 100,
        "facts": _facts(report),
        "who": _who(report),
        "uploaded": format.exact_time(report.listed_at or report.uploaded_at),
        "period": _period(report),
        "cards": [
            _card(result, look, counts[result], chosen) for result, look in LOOKS.items() if counts.get(result)
        ],
        "chosen": chosen,
        "rows": [_row(line) for line in shown["page"]],
        **shown,
    }


def _chosen(report: ProviderReport, chosen: str) -> QuerySet[ReportLine]:
    """The lines with one result; none if there is no such result."""
    lines = report.lines.select_related("payout").defer("payout__recipient").order_by("number", "pk")
    if not chosen:
        return lines
    result = Result.WAITING.value if chosen == WAITING else chosen
    return lines.filter(result=result) if result in Result.values and chosen else lines.none()


def _card(result: str, look: Look, count: int, chosen: str) -> dict[str, Any]:
    name = result or WAITING
    return {
        "title": _result_badge(result),
        "meaning": look.meaning,
        "count": format.number(count),
        "query": f"?result={name}",
        "is_chosen": name == chosen,
    }


def _row(line: ReportLine) -> dict[str, Any]:
    payout = line.payout
    is_reported = line.number is not None
    return {
        "number": line.number if is_reported else "–",
        "reference": line.reference,
        "provider_id": "" if line.is_named_by_provider else line.provider_id,
        "fee": _fee(line),
        "status": STATUS_WORDS.get(line.status, line.status) if is_reported else "–",
        "amount": _reported_amount(line) if is_reported else "",
        "payout": payout,
        "payout_url": reverse("admin:payouts_payout_change", args=(payout.pk,)) if payout else "",
        "our_amount": format.amount(payout) if payout and _differs(line, payout) else "",
        "stage": format.stage_badge(payout.stage) if payout else "",
        "result": _result_badge(line.result),
    }


def _differs(line: ReportLine, payout: Payout) -> bool:
    return line.number is None or line.amount != payout.amount or line.currency not in ("", payout.currency)


def _reported_amount(line: ReportLine) -> str:
    """As reported, and with every digit where it differs: rounded to the currency it could look like ours."""
    payout = line.payout
    if payout and payout.amount == line.amount and line.currency in ("", payout.currency):
        return format.amount(payout)
    currency = line.currency or (payout.currency if payout else "")
    return f"{format.number(line.amount)}{money.NO_BREAK_SPACE}{currency}" if currency else format.number(line.amount)


def _fee(line: ReportLine) -> str:
    if line.fee is None:
        return ""
    return f"{format.number(line.fee)}{money.NO_BREAK_SPACE}{line.currency}".strip()


def _result_badge(result: str) -> SafeString:
    look = LOOKS[Result(result)]
    return format.badge(capfirst(str(Result(result).label)), tone=look.tone, icon=look.icon)


def _facts(report: ProviderReport) -> list[tuple[str, str]]:
    facts = [
        (_("Account"), report.provider),
        (_("Format"), _format_label(report)),
        (_("Period"), _period(report) or _("No period: missing payments not checked")),
        (_("Time zone"), report.zone if report.from_on else ""),
        (_("Applied"), format.exact_time(report.applied_at)),
        (_("Superseded"), format.exact_time(report.superseded_at)),
        (_("SHA-256 of the file"), bytes(report.content_hash).hex() if report.content_hash else ""),
    ]
    return [(label, text) for label, text in facts if text]


def _format_label(report: ProviderReport) -> str:
    if report.format == ProviderReport.LISTED:
        return _("the day's payments, as the provider listed them")
    labels = {each.name: each.label for each in registry.formats_of(report.provider)}
    return str(labels.get(report.format, report.format))


def _period(report: ProviderReport) -> str:
    if report.from_on is None or report.to_on is None:
        return ""
    days = dict.fromkeys(format.day(on) for on in (report.from_on, report.to_on))
    return " – ".join(days)
