"""The approvals queue: what waits for this person, what waits for others, and what is on hold. Oldest first."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from payouts.admin.kit import format
from payouts.admin.payouts import bulk, row_marks
from payouts.admin.payouts.page import PayoutAdmin
from payouts.approvers import blocked, has_approved, standing
from payouts.models import Payout, PayoutQuerySet
from payouts.states import OPEN, Stage

MINE, OTHERS, HELD = "mine", "others", "held"
ROWS_PER_PAGE = 25
COUNT_LIMIT = 1_000
CACHE_SECONDS = 15


def queue(request: HttpRequest) -> HttpResponse:
    payout_admin = _payout_admin()
    if not payout_admin.has_view_permission(request):
        raise PermissionDenied
    may_approve = payout_admin.has_approve_permission(request)
    user = _person(request)
    tabs = (MINE, OTHERS, HELD) if may_approve else (OTHERS, HELD)
    chosen = request.GET.get("tab", "")
    if chosen not in tabs:
        chosen = tabs[0]
    found = _in_tab(chosen, user, may_approve=may_approve).order_by("pk")
    after = request.GET.get("after", "")
    is_first = not (after.isascii() and after.isdigit() and len(after) < 19)
    if not is_first:
        found = found.filter(pk__gt=int(after))
    found = found.select_related("client", "maker", "held_by").defer("recipient")
    payouts = list(found[: ROWS_PER_PAGE + 1])
    has_more = len(payouts) > ROWS_PER_PAGE
    payouts = payouts[:ROWS_PER_PAGE]
    voices = standing(payouts) if payouts else set()
    missing = blocked(payouts, voices=voices)
    context = {
        **admin.site.each_context(request),
        "title": _("Approvals"),
        "tabs": [_tab(tab, chosen, user, may_approve=may_approve) for tab in tabs],
        "chosen": chosen,
        "is_first": is_first,
        "next_query": f"?tab={chosen}&after={payouts[-1].pk}" if has_more else "",
        "first_query": f"?tab={chosen}",
        "empty": _empty(chosen, may_approve=may_approve),
        "rows": [
            _row(
                payout,
                why=_why(payout, user, has_approved=(payout.pk, user.pk) in voices, may_approve=may_approve),
                blocked=str(missing.get(payout.pk, "")),
                may_approve=may_approve and chosen != OTHERS,
                may_hold=payout_admin.has_hold_permission(request),
            )
            for payout in payouts
        ],
        "bulk_verbs": bulk.offered(payout_admin, request, _stage(chosen)) if chosen != OTHERS else [],
        "bulk_name": bulk.CHOSEN,
        "bulk_url": reverse("admin:payouts_payout_bulk"),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/payouts/approvals.html", context)


def badge(request: HttpRequest) -> str:
    """How many wait for this person, for the navigation; empty for none. Counted once in 15 seconds."""
    if not _payout_admin().has_approve_permission(request):
        return ""
    user = _person(request)
    key = f"admin:approvals:{user.pk}"
    count = cache.get(key)
    if not isinstance(count, int):
        count = _count(MINE, user, may_approve=True)
        cache.set(key, count, CACHE_SECONDS)
    return _capped(count) if count else ""


def _in_tab(tab: str, user: User, *, may_approve: bool) -> PayoutQuerySet:
    waiting = Payout.objects.in_stage(Stage.AWAITING_APPROVAL)
    match tab:
        case _ if tab == HELD:
            return Payout.objects.in_stage(Stage.HELD)
        case _ if tab == MINE:
            return waiting.exclude(maker=user).exclude(has_approved(user))
        case _ if may_approve:
            return waiting.filter(Q(maker=user) | has_approved(user))
        case _:
            return waiting


def _count(tab: str, user: User, *, may_approve: bool) -> int:
    return _in_tab(tab, user, may_approve=may_approve).order_by()[:COUNT_LIMIT].count()


def _capped(count: int) -> str:
    return f"{COUNT_LIMIT - 1}+" if count >= COUNT_LIMIT else str(count)


def _tab(tab: str, chosen: str, user: User, *, may_approve: bool) -> dict[str, Any]:
    titles = {
        MINE: _("Waiting for me"),
        OTHERS: _("Waiting for others") if may_approve else _("Waiting for approval"),
        HELD: _("On hold"),
    }
    count = _count(tab, user, may_approve=may_approve)
    return {
        "title": titles[tab],
        "query": f"?tab={tab}",
        "is_active": tab == chosen,
        "count": _capped(count) if count else "",
    }


def _stage(tab: str) -> str:
    return Stage.HELD.value if tab == HELD else Stage.AWAITING_APPROVAL.value


def _why(payout: Payout, user: User, *, has_approved: bool, may_approve: bool) -> str:
    """Why this person cannot approve it now, in words; empty when nothing is in the way."""
    if payout.attention:
        return _("It needs attention: %(problem)s.") % {"problem": payout.get_attention_display()}
    if payout.held_at:
        return _("On hold since %(at)s by %(who)s.") % {
            "at": format.exact_time(payout.held_at),
            "who": payout.held_by and payout.held_by.get_username(),
        }
    if payout.maker_id == user.pk:
        return _("You made it: another person must approve it.")
    if has_approved:
        return _("You have approved it; one more person is needed.")
    return "" if may_approve else _("Your account may not approve payouts.")


def _row(payout: Payout, *, why: str, blocked: str, may_approve: bool, may_hold: bool) -> dict[str, Any]:
    can_approve = may_approve and not why
    can_release = may_hold and payout.stage == Stage.HELD
    can_hold = may_hold and not payout.held_at and not payout.attention
    return {
        "payout": payout,
        "number": str(payout.pk),
        "url": reverse("admin:payouts_payout_change", args=(payout.pk,)),
        "checkbox": bulk.checkbox(payout),
        "amount": format.amount(payout),
        "recipient": format.recipient_cell(payout.recipient_masked),
        "origin": bulk.origin(payout),
        "approvals": f"{payout.approvals_given}/{payout.approvals_required}",
        "age": row_marks.age(payout),
        "flags": format.review_flags(payout) if payout.status in OPEN else [],
        "why": why,
        "blocked": blocked,
        "approve_url": reverse("admin:payouts_payout_approve", args=(payout.pk,)) if can_approve else "",
        "hold_url": reverse("admin:payouts_payout_hold", args=(payout.pk,)) if can_hold else "",
        "release_url": reverse("admin:payouts_payout_release", args=(payout.pk,)) if can_release else "",
    }


def _empty(tab: str, *, may_approve: bool) -> tuple[str, str]:
    match tab:
        case _ if tab == MINE:
            return _("Nothing waits for your approval"), _("What others must approve stands in the next tab.")
        case _ if tab == HELD:
            return _("Nothing is on hold"), _(
                "Payouts that somebody put on hold, or that need attention, stand here."
            )
        case _ if may_approve:
            return (
                _("Nothing of yours waits for others"),
                _("Payouts that you made or have approved stand here until another person approves them."),
            )
        case _:
            return _("Nobody waits for approval"), _("Payouts that people must approve stand here.")


def _payout_admin() -> PayoutAdmin:
    found = admin.site.get_model_admin(Payout)
    assert isinstance(found, PayoutAdmin)
    return found


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
