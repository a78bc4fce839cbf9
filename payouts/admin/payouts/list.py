"""The payouts list. A new column is a method of PayoutList with `@display`, and its name in `list_display`."""

from typing import Any

from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.views import ChangeList

from payouts.actions.bulk import ITEMS_LIMIT
from payouts.admin.kit import format
from payouts.admin.kit.paginator import CappedPaginator
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.payouts import bulk, queues, row_marks, saved_views, search
from payouts.admin.payouts.filters import FILTERS, active
from payouts.admin.velocity_limits import waits_in_words
from payouts.models import Payout
from payouts.states import OPEN


class PayoutChangeList(ChangeList):
    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Payout]:
        found: QuerySet[Payout] = super().get_queryset(request, *args, **kwargs)
        # Django takes a term that it refuses (a NUL) for none, and would show every row.
        return found.none() if request.GET.get(SEARCH_VAR, "").strip() and not self.query else found

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # The whole table is never counted, so there is no other number to tell this one from.
        self.full_result_count = self.result_count


class PayoutList(ViewOnlyAdmin):
    list_display = ("number", "amount_shown", "stage_shown", "recipient_shown", "provider", "origin", "age")
    list_display_links = ("number",)
    list_filter = FILTERS
    # What a saved view may keep.
    filter_names = tuple(name for each in FILTERS for name in each.parameters())
    list_filter_submit = True
    list_fullwidth = True
    list_select_related = ("client", "maker", "held_by")
    change_list_template = "admin/payouts/payout/change_list.html"
    list_before_template = "admin/payouts/payout/tabs.html"
    show_full_result_count = False
    paginator = CappedPaginator
    ordering = ("-id",)
    sortable_by = ("number",)
    search_fields = ("id",)
    search_help_text = gettext_lazy("ID, reference, key, provider's ID")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payout]:
        payouts: QuerySet[Payout] = super().get_queryset(request)
        return payouts.select_related(*self.list_select_related).defer("recipient")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PayoutChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payout], search_term: str
    ) -> tuple[QuerySet[Payout], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=search.matching_ids(search_term, using=queryset.db)), False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        offers = bulk.offered(request, request.GET.get("stage", ""))
        return ("choice", *self.list_display) if offers else self.list_display

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        stage = request.GET.get("stage", "")
        context = {
            **(extra_context or {}),
            "stage_tabs": queues.tabs(stage, request.GET.get("attention", "")),
            "saved_views": saved_views.tabs(request, self.filter_names),
            "view_query": saved_views.kept_query(request.GET, self.filter_names),
            "bulk_verbs": bulk.offered(request, stage),
            "bulk_url": f"{reverse('admin:payouts_payout_bulk')}?{request.GET.urlencode()}",
            "bulk_limit": ITEMS_LIMIT,
            "back": request.get_full_path(),
        }
        response: HttpResponse = super().changelist_view(request, context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            changelist = response.context_data["cl"]
            more = changelist.result_count > len(changelist.result_list)
            response.context_data |= {
                "chips": _chips(request, changelist),
                "bulk_matching": changelist.result_count if more and changelist.result_count <= ITEMS_LIMIT else 0,
                "bulk_too_many": changelist.result_count > ITEMS_LIMIT,
            }
            if set(request.GET) <= {"stage", "attention"}:
                changelist.empty_text = queues.empty_text(stage, request.GET.get("attention", ""))
        return response

    @display(description=gettext_lazy("Choose"))
    def choice(self, payout: Payout) -> SafeString:
        box = bulk.checkbox(payout)
        return render_to_string("admin/payouts/bulk/checkbox.html", {"box": box, "bulk_name": bulk.CHOSEN})

    @display(description=gettext_lazy("ID"), ordering="id")
    def number(self, payout: Payout) -> str:
        return str(payout.pk)

    @display(description=gettext_lazy("Amount"))
    def amount_shown(self, payout: Payout) -> SafeString:
        return format_html('<span class="po-amount">{}</span>', format.amount(payout))

    @display(description=gettext_lazy("Stage"))
    def stage_shown(self, payout: Payout) -> SafeString:
        if payout.attention:
            why = payout.get_attention_display()
            return format_html(
                '{} <span class="material-symbols-outlined po-alarm" role="img" title="{}" aria-label="{}">{}</span>',
                *(format.stage_badge(payout.stage), why, why, "flag"),
            )
        if over := waits_in_words(payout):
            return format_html(
                '{} <span class="material-symbols-outlined po-alarm" role="img" title="{}" aria-label="{}">{}</span>',
                *(format.stage_badge(payout.stage), over, over, "speed"),
            )
        if payout.review_flags and payout.status in OPEN:
            return format_html("{} {}", format.stage_badge(payout.stage), row_marks.flags(payout))
        return format.stage_badge(payout.stage)

    @display(description=gettext_lazy("Recipient"))
    def recipient_shown(self, payout: Payout) -> SafeString:
        return format.recipient_cell(payout.recipient_masked)

    @display(description=gettext_lazy("Maker"))
    def origin(self, payout: Payout) -> str:
        return bulk.origin(payout)

    @display(description=gettext_lazy("Age"))
    def age(self, payout: Payout) -> SafeString:
        return row_marks.age(payout)


def _chips(request: HttpRequest, changelist: ChangeList) -> list[dict[str, str]]:
    """The active filters in words, each with the address of the list without it."""
    found = []
    for chip in active(changelist):
        rest = request.GET.copy()
        for name in (*chip.names, PAGE_VAR):
            rest.pop(name, None)
        found.append({"text": chip.text, "query": f"?{rest.urlencode()}"})
    return found
