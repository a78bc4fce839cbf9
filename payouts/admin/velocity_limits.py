"""The velocity limits: their list and forms, how much of each is used, and what waits for one, in words."""

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from payouts import money
from payouts.actions import velocity, waits
from payouts.actions.velocity import Use
from payouts.admin.kit import format
from payouts.admin.kit.history import HistoryMixin
from payouts.admin.kit.plain import PlainAdmin
from payouts.admin.kit.proposed import ProposedMixin
from payouts.models import (
    WAITS_FOR_LIMIT,
    ApiClient,
    ConfigurationAlteredError,
    Payout,
    VelocityLimit,
    VelocityScope,
    VelocityWindow,
)


@admin.register(VelocityLimit)
class VelocityLimitAdmin(ProposedMixin, HistoryMixin, PlainAdmin):
    proposal_subject = "velocity_limit"
    list_display = ("what", "currency", "most", "most_payouts")
    list_display_links = ("what",)
    ordering = ("currency", "scope", "window")
    fields = ("scope", "currency", "window", "amount", "count")

    @display(description=gettext_lazy("Limit"))
    def what(self, limit: VelocityLimit) -> str:
        return in_words(limit.scope, limit.window)

    @display(description=gettext_lazy("Amount, at most"))
    def most(self, limit: VelocityLimit) -> str:
        return "–" if limit.amount is None else money.shown(limit.amount, limit.currency)

    @display(description=gettext_lazy("Payouts, at most"))
    def most_payouts(self, limit: VelocityLimit) -> str:
        return "–" if limit.count is None else format.number(limit.count)


def in_words(scope: str, window: str) -> str:
    """“Each recipient, within a day”; in Russian the window's own word says “within”."""
    words = {"scope": VelocityScope(scope).label, "window": VelocityWindow(window).label}
    text = _("%(scope)s, within %(window)s") % words
    return text[:1].upper() + text[1:]


def waits_in_words(payout: Payout) -> str:
    """Which velocity limit the payout waits for; empty when for none."""
    if not payout.waits_for.startswith(WAITS_FOR_LIMIT):
        return ""
    limit = _of_reason(payout.waits_for)
    return _("over the velocity limit: %(limit)s") % {"limit": f"{limit[:1].lower()}{limit[1:]}"}


def limits_card() -> dict[str, Any]:
    """For the operations page: the limits of which something is used, the fullest first, and how many others are.

    Nothing where SQL changed them: an alert says so.
    """
    try:
        found = velocity.use()
    except ConfigurationAlteredError:
        found = []
    used = sorted(
        (each for each in found if each.count or each.waiting), key=lambda each: (-each.waiting, -_share(each))
    )
    unused = len(found) - len(used)
    text = ngettext(
        "Nothing is used of %(unused)s other limit.", "Nothing is used of %(unused)s other limits.", unused
    )
    return {
        "rows": [_row(each) for each in used],
        "unused": text % {"unused": format.number(unused)} if unused else "",
        "url": reverse("admin:payouts_velocitylimit_changelist"),
    }


def over_limit_alerts() -> list[dict[str, Any]]:
    """`said` and `link` for each limit that payouts wait for."""
    link = (_("Show them"), f"{reverse('admin:payouts_payout_changelist')}?waits=limit")
    return [{"said": _said(each), "link": link} for each in waits.over_limit()]


def _said(waiting: waits.Waiting) -> str:
    text = ngettext(
        "%(count)s payout waits for a velocity limit (%(limit)s).",
        "%(count)s payouts wait for a velocity limit (%(limit)s).",
        waiting.count,
    )
    limit = f"{waiting.currency}: {_of_reason(waiting.reason)}"
    return text % {"count": format.number(waiting.count), "limit": limit}


def _of_reason(reason: str) -> str:
    """The limit that `Payout.waits_for` names, in words."""
    scope, _separator, window = reason.removeprefix(WAITS_FOR_LIMIT).partition(":")
    return in_words(scope, window)


def _share(use: Use) -> float:
    """How much of the limit is used, from 0 to 1; of amount and count the greater share."""
    limit = use.limit
    shares = [0.0]
    if limit.amount:
        shares.append(float(use.amount / limit.amount))
    if limit.count:
        shares.append(use.count / limit.count)
    return min(max(shares), 1.0)


def _row(use: Use) -> dict[str, Any]:
    limit = use.limit
    used = []
    if limit.amount is not None:
        used.append(
            _("%(used)s of %(limit)s")
            % {"used": money.shown(use.amount, limit.currency), "limit": money.shown(limit.amount, limit.currency)}
        )
    if limit.count is not None:
        words = {"used": format.number(use.count), "limit": format.number(limit.count)}
        used.append(_("%(used)s of %(limit)s payouts") % words)
    return {
        "limit": in_words(limit.scope, limit.window),
        "currency": limit.currency,
        "fullest": _fullest(use),
        "used": used,
        "percent": round(_share(use) * 100),
        "waiting": format.number(use.waiting) if use.waiting else "",
        "since": format.exact_time(use.waiting_since),
        "url": reverse("admin:payouts_velocitylimit_change", args=(limit.pk,)),
    }


def _fullest(use: Use) -> str:
    """Whose use is shown, of a limit that counts by provider or client; a recipient's index tells nobody anything."""
    if not use.key:
        return ""
    match use.limit.scope:
        case VelocityScope.CLIENT:
            client = ApiClient.objects.filter(pk=int(use.key)).first()
            return client.name if client else _("made by hand")
        case VelocityScope.PROVIDER:
            return use.key
        case VelocityScope.RECIPIENT:
            return _("the recipient who is sent most")
        case _:
            return ""
