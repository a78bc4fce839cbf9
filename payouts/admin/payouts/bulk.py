"""Decisions on many payouts: the bar below a list, the page that asks for a reason, the page of the result."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from payouts import money
from payouts.actions import bulk
from payouts.actions.bulk import DecisionError, Result, Verb
from payouts.actions.verbs import IN_BULK, InBulk
from payouts.admin.kit import format
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.payouts import row_marks
from payouts.admin.payouts.verbs import may
from payouts.models import BulkDecision, BulkItem, Payout
from payouts.states import OPEN, Stage

CHOSEN = "chosen"  # the name of the rows' checkboxes
EVERY = "every"  # all that the list's filter finds, not only the chosen rows


class ReasonForm(forms.Form):
    reason = text_field(gettext_lazy("Saved permanently in the history of each of these payouts."))


def offered(request: HttpRequest, stage: str = "") -> list[dict[str, Any]]:
    """The buttons of the bar: what this person may do with the payouts of the stage, or of all stages."""
    return [
        {"verb": verb.name, "button": verb.label, "icon": verb.icon, "is_final": verb.is_final}
        for verb in IN_BULK.values()
        if may(request, verb) and verb.in_bulk and (stage not in Stage.values or stage in verb.in_bulk.stages)
    ]


def urls(model_admin: Any) -> list[Any]:
    def wrapped(view: Any) -> Any:
        return model_admin.admin_site.admin_view(partial(view, model_admin))

    return [
        path("bulk/", require_POST(wrapped(choose_view)), name="payouts_payout_bulk"),
        path("bulk/<int:bulk_id>/", wrapped(page_view), name="payouts_payout_bulk_page"),
        path("bulk/<int:bulk_id>/again/", require_POST(wrapped(again_view)), name="payouts_payout_bulk_again"),
    ]


def choose_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Fix the chosen payouts, or all that the filter in the address finds, and go to the page that asks why."""
    verb = request.POST.get("verb", "")
    if verb not in IN_BULK:
        raise Http404
    _require(model_admin, request, verb)
    try:
        ids = _filtered(model_admin, request) if request.POST.get(EVERY) else _chosen(request)
        decision = bulk.choose(ids, verb=Verb(verb), by=person(request))
    except DecisionError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(_came_from(request))
    return HttpResponseRedirect(_page_url(decision))


def page_view(model_admin: Any, request: HttpRequest, bulk_id: int) -> HttpResponse:
    """Before it is confirmed, what would be done; afterwards, what came of it. POST confirms or goes on."""
    decision = get_object_or_404(BulkDecision, pk=bulk_id, by=person(request))
    _require(model_admin, request, decision.verb)
    form = ReasonForm(request.POST if request.method == "POST" and not decision.decided_at else None)
    refusal = ""
    if request.method == "POST" and (decision.decided_at or form.is_valid()):
        try:
            bulk.decide(decision.pk, by=person(request), reason=form.data.get("reason", ""))
        except DecisionError as error:
            refusal = str(error)
        else:
            return HttpResponseRedirect(_page_url(decision))
    items = list(decision.items.select_related("payout__client", "payout__maker").defer("payout__recipient"))
    context = _result(decision, items) if decision.decided_at else _confirmation(decision, items)
    template = "result" if decision.decided_at else "confirm"
    return TemplateResponse(
        request,
        f"admin/payouts/bulk/{template}.html",
        {
            **model_admin.admin_site.each_context(request),
            "bulk": decision,
            "form": form,
            "refusal": refusal,
            "verb": IN_BULK[decision.verb],
            "back_url": reverse("approvals" if decision.verb == Verb.APPROVE else "admin:payouts_payout_changelist"),
            **context,
        },
    )


def again_view(model_admin: Any, request: HttpRequest, bulk_id: int) -> HttpResponse:
    decision = get_object_or_404(BulkDecision, pk=bulk_id, by=person(request))
    _require(model_admin, request, decision.verb)
    try:
        decision = bulk.again(decision, by=person(request))
    except DecisionError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(_page_url(decision))


def _confirmation(decision: BulkDecision, items: Sequence[BulkItem]) -> dict[str, Any]:
    waiting = [item for item in items if item.result == Result.WAITING]
    changed = [item for item in waiting if item.version != item.payout.version]
    going = [item for item in waiting if item.version == item.payout.version]
    skipped = [item for item in items if item.result == Result.SKIPPED]
    payouts = [item.payout for item in going]
    title = _title(decision, len(going))
    return {
        "title": title,
        "sums": sums(payouts),
        "rows": [_row(item) for item in going],
        "left_out": [
            *(_row(item, _("It has changed since you chose it: choose it again.")) for item in changed),
            *(_row(item, item.message) for item in skipped),
        ],
        "is_expired": bulk.is_expired(decision),
        "consequence": _consequence(payouts) if decision.verb == Verb.APPROVE else _words(decision).warning,
        "flagged": sum(bool(payout.review_flags) for payout in payouts),
        "submit": title,
    }


def _consequence(payouts: Iterable[Payout]) -> str:
    """Which of them leave with this approval, and which wait for another person."""
    last = sum(payout.approvals_given + 1 >= payout.approvals_required for payout in payouts)
    others = sum(payout.approvals_given + 1 < payout.approvals_required for payout in payouts)
    said = []
    if last:
        said.append(
            ngettext(
                "%(count)s payout gets its last approval and will be paid.",
                "%(count)s payouts get their last approval and will be paid.",
                last,
            )
            % {"count": last}
        )
    if others:
        said.append(
            ngettext(
                "%(count)s payout needs another person's approval after yours.",
                "%(count)s payouts need another person's approval after yours.",
                others,
            )
            % {"count": others}
        )
    return " ".join(said)


def _result(decision: BulkDecision, items: Sequence[BulkItem]) -> dict[str, Any]:
    by_result: dict[str, list[BulkItem]] = {result: [] for result in Result.values}
    for item in items:
        by_result[item.result].append(item)
    done = by_result[Result.DONE]
    cards = [
        (Result.DONE, "green", "check_circle", _("Done")),
        (Result.FAILED, "red", "error", _("Could not be done")),
        (Result.SKIPPED, "gray", "block", _("Skipped")),
        (Result.WAITING, "amber", "hourglass_empty", _("Not decided yet")),
    ]
    return {
        "title": _title(decision, len(items) - len(by_result[Result.SKIPPED])),
        "sums": sums(item.payout for item in done),
        "decided": format.exact_time(decision.decided_at),
        "failed_count": len(by_result[Result.FAILED]),
        "waiting_count": len(by_result[Result.WAITING]),
        "groups": [
            {
                "title": title,
                "badge": format.badge(title, tone=tone, icon=icon),
                "count": len(by_result[result]),
                "rows": [_row(item, item.message) for item in by_result[result]],
                "result": result.value or "waiting",
            }
            for result, tone, icon, title in cards
            if by_result[result] or result in (Result.DONE, Result.FAILED, Result.SKIPPED)
        ],
    }


def _title(decision: BulkDecision, count: int) -> str:
    return str(_words(decision).title % {"count": count})


def sums(payouts: Iterable[Payout]) -> list[dict[str, Any]]:
    """By currency, the greatest number of payouts first: the exact sum, and of how many."""
    found: dict[str, tuple[int, Decimal]] = {}
    for payout in payouts:
        count, total = found.get(payout.currency, (0, Decimal(0)))
        found[payout.currency] = (count + 1, total + payout.amount)
    by_count = sorted(found.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return [
        {
            "sum": money.shown(total, currency),
            "count": ngettext("%(count)s payout", "%(count)s payouts", count) % {"count": count},
        }
        for currency, (count, total) in by_count
    ]


def _row(item: BulkItem, message: str = "") -> dict[str, Any]:
    return {**row(item.payout), "stage": format.stage_badge(item.payout.stage), "message": message}


def row(payout: Payout) -> dict[str, Any]:
    """What a list of payouts to decide on shows of each."""
    return {
        "number": str(payout.pk),
        "url": reverse("admin:payouts_payout_change", args=(payout.pk,)),
        "amount": format.amount(payout),
        "recipient": format.recipient_cell(payout.recipient_masked),
        "origin": origin(payout),
        "age": row_marks.age(payout),
        "approvals": f"{payout.approvals_given}/{payout.approvals_required}",
        "flags": format.review_flags(payout) if payout.status in OPEN else [],
    }


def origin(payout: Payout) -> str:
    """Who made it, for people."""
    if payout.client:
        return payout.client.name
    return payout.maker.get_username() if payout.maker else "–"


def checkbox(payout: Payout) -> dict[str, str]:
    """What a row's checkbox says of its payout; the sums are made of these digits."""
    try:
        decimals = money.minor_units(payout.currency)
    except money.AmountError:
        decimals = 2
    return {
        "value": str(payout.pk),
        "amount": money.plain(payout.amount),
        "currency": payout.currency,
        "decimals": str(decimals),
        "label": _("Select payout %(id)s, %(amount)s") % {"id": payout.pk, "amount": format.amount(payout)},
    }


def _chosen(request: HttpRequest) -> list[int]:
    texts = request.POST.getlist(CHOSEN)
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19]


def _filtered(model_admin: Any, request: HttpRequest) -> list[int]:
    """Raises DecisionError where the filter finds more than can be decided at once."""
    found = model_admin.get_changelist_instance(request).queryset
    return list(found.order_by("-pk").values_list("pk", flat=True)[: bulk.ITEMS_LIMIT + 1])


def _words(decision: BulkDecision) -> InBulk:
    words = IN_BULK[decision.verb].in_bulk
    assert words is not None
    return words


def _require(model_admin: Any, request: HttpRequest, verb: str) -> None:
    if not (model_admin.has_view_permission(request) and may(request, IN_BULK[verb])):
        raise PermissionDenied


def _page_url(decision: BulkDecision) -> str:
    return reverse("admin:payouts_payout_bulk_page", args=(decision.pk,))


def _came_from(request: HttpRequest) -> str:
    """The list that was posted from; the payouts list when the address is not one of ours."""
    back = request.POST.get("back", "")
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return back
    return reverse("admin:payouts_payout_changelist")
