"""Ctrl+K: the pages that a person may open, by a part of their title, and payouts, by what names one exactly.

In place of Unfold's, which keeps what it found in the cache for five minutes: addresses that whoever can write to
Redis could choose.
"""

import time

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.dataclasses import SearchResult

from payouts.admin.kit import format
from payouts.admin.payouts.search import matching_ids
from payouts.admin.site import navigation
from payouts.models import Payout

PAYOUTS_SHOWN = 10


def view(request: HttpRequest) -> HttpResponse:
    began = time.monotonic()
    term = request.GET.get("s", "").strip()
    if not term:
        return HttpResponse()
    found = [*_pages(request, term), *_payouts(request, term)]
    pages = Paginator(found, max(len(found), 1))
    context = {
        "search_term": term,
        "page_obj": pages,
        "results": pages.page(1),
        "page_counter": 0,
        "execution_time": time.monotonic() - began,
        "command_show_history": False,
    }
    return TemplateResponse(request, "unfold/helpers/command_results.html", context, headers={"HX-Trigger": "search"})


def _pages(request: HttpRequest, term: str) -> list[SearchResult]:
    return [
        SearchResult(
            title=str(entry["title"]), description=str(group["title"]), link=entry["link"], icon=entry["icon"]
        )
        for group in navigation(request)
        for entry in group["items"]
        if term.casefold() in str(entry["title"]).casefold()
    ]


def _payouts(request: HttpRequest, term: str) -> list[SearchResult]:
    """By exact id, reference, key or provider's ID. Case matters, because it does in keys."""
    if not request.user.has_perm("payouts.view_payout"):
        return []
    found = Payout.objects.filter(pk__in=matching_ids(term)[:PAYOUTS_SHOWN]).only("id", "amount", "currency")
    return [
        SearchResult(
            title=f"#{payout.pk}",
            description=format.amount(payout),
            link=reverse("admin:payouts_payout_change", args=(payout.pk,)),
            icon="payments",
        )
        for payout in found.order_by("-pk")
    ]
