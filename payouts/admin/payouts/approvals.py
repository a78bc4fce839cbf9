"""The approvals queue: what waits for this person, what waits for others, and what is on hold. Oldest first."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from payouts import rules
from payouts.actions.verbs import VERBS
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.kit.person import person
from payouts.admin.payouts import bulk, queues
from payouts.admin.payouts.verbs import may
from payouts.approvers import blocked
from payouts.models import Payout, PayoutQuerySet
from payouts.rules import Standing
from payouts.states import Stage

MINE, OTHERS, HELD = "mine", "others", "held"
ROWS_PER_PAGE = 25


def queue(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("payouts.view_payout"):
        raise PermissionDenied
    user, may_approve = person(request), may(request, VERBS["approve"])
    tabs = (MINE, OTHERS, HELD) if may_approve else (OTHERS, HELD)
    chosen = request.GET.get("tab", "")
    if chosen not in tabs:
        chosen = tabs[0]
    payouts, has_more, is_first = _page(request, _in_tab(chosen, user, may_approve=may_approve))
    context = {
        **admin.site.each_context(request),
        "title": _("Approvals"),
        "tabs": [_tab(tab, chosen, user, may_approve=may_approve) for tab in tabs],
        "chosen": chosen,
        "is_first": is_first,
        "next_query": f"?tab={chosen}&after={payouts[-1].pk}" if has_more else "",
        "first_query": f"?tab={chosen}",
        "empty": _empty(chosen, may_approve=may_approve),
        "rows": rows_of(request, payouts, is_others=chosen == OTHERS),
        "bulk_verbs": bulk.offered(request, _stage(chosen)) if chosen != OTHERS else [],
        "bulk_name": bulk.CHOSEN,
        "bulk_url": reverse("admin:payouts_payout_bulk"),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/payouts/approvals.html", context)


def badge(request: HttpRequest) -> str:
    """How many wait for this person, for the navigation; empty for none. Counted once in 15 seconds."""
    if not may(request, VERBS["approve"]):
        return ""
    user = person(request)
    count = cached(f"approvals:{user.pk}", int, lambda: queues.count_of(rules.awaiting(user)))
    return queues.shown(count) if count else ""


def _page(request: HttpRequest, found: PayoutQuerySet) -> tuple[list[Payout], bool, bool]:
    """The payouts behind the one that the address names, whether there are more, and whether these are the first."""
    found = found.order_by("pk")
    after = request.GET.get("after", "")
    is_first = not (after.isascii() and after.isdigit() and len(after) < 19)
    if not is_first:
        found = found.filter(pk__gt=int(after))
    payouts = list(found.select_related("client", "maker", "held_by").defer("recipient")[: ROWS_PER_PAGE + 1])
    return payouts[:ROWS_PER_PAGE], len(payouts) > ROWS_PER_PAGE, is_first


def _in_tab(tab: str, user: User, *, may_approve: bool) -> PayoutQuerySet:
    if tab == MINE:
        return rules.awaiting(user)
    if tab == OTHERS and may_approve:
        return rules.awaiting_others(user)
    return Payout.objects.in_stage(_stage(tab))


def _tab(tab: str, chosen: str, user: User, *, may_approve: bool) -> dict[str, Any]:
    titles = {
        MINE: _("Waiting for me"),
        OTHERS: _("Waiting for others") if may_approve else _("Waiting for approval"),
        HELD: queues.TITLES[Stage.HELD],
    }
    count = queues.count_of(_in_tab(tab, user, may_approve=may_approve))
    return queues.tab(titles[tab], f"?tab={tab}", is_active=tab == chosen, count=count)


def _stage(tab: str) -> str:
    return Stage.HELD.value if tab == HELD else Stage.AWAITING_APPROVAL.value


def rows_of(request: HttpRequest, payouts: list[Payout], *, is_others: bool) -> list[dict[str, Any]]:
    """What `admin/payouts/queue.html` shows of each; none of the others' has a button that approves it."""
    standings = rules.standings(payouts, person(request))
    missing = blocked(payouts)
    allowed = {name for name in ("approve", "hold", "release") if may(request, VERBS[name])}
    return [
        _row(
            payout,
            why=_why(payout, standings[payout.pk], may_approve="approve" in allowed),
            blocked=str(missing.get(payout.pk, "")),
            offered=_offered(payout, standings[payout.pk], allowed - {"approve"} if is_others else allowed),
        )
        for payout in payouts
    ]


def _why(payout: Payout, who: Standing, *, may_approve: bool) -> str:
    """Why this person cannot approve it now, in words; empty when nothing is in the way."""
    if payout.attention:
        return _("It needs attention: %(problem)s.") % {"problem": payout.get_attention_display()}
    if payout.held_at:
        return _("%(who)s put it on hold at %(at)s.") % {
            "at": format.exact_time(payout.held_at),
            "who": payout.held_by and payout.held_by.get_username(),
        }
    if obstacle := rules.why_not_approve(payout, who):
        return obstacle
    return "" if may_approve else _("Your account may not approve payouts.")


def _offered(payout: Payout, who: Standing, allowed: set[str]) -> set[str]:
    """The verbs for which the row has a button; what needs attention is decided on its own page."""
    if payout.attention:
        return {"release"} & allowed if not rules.why_not_release(payout, who) else set()
    return {
        name
        for name in allowed
        if not VERBS[name].why_not(payout, who)
        and not rules.why_not_in_bulk(payout, is_approval=name == "approve", is_hold=name == "hold")
    }


def _row(payout: Payout, *, why: str, blocked: str, offered: set[str]) -> dict[str, Any]:
    urls = {
        f"{name}_url": reverse(f"admin:payouts_payout_{name}", args=(payout.pk,)) if name in offered else ""
        for name in ("approve", "hold", "release")
    }
    return {**bulk.row(payout), "checkbox": bulk.checkbox(payout), "why": why, "blocked": blocked, **urls}


def _empty(tab: str, *, may_approve: bool) -> tuple[str, str]:
    if tab == MINE:
        return _("Nothing waits for your approval"), _("What others must approve is in the next tab.")
    if tab == OTHERS and may_approve:
        return (
            _("None of your payouts waits for others"),
            _("Payouts that you made or approved appear here until another person approves them."),
        )
    return queues.empty_text(_stage(tab))
