"""The rows of the providers' table: figures, a badge, and what the badge means."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.actions.waits import without_account
from payouts.admin.kit import format
from payouts.admin.operations.figures import Load, Rate, capped, loads, rates
from payouts.models import Breaker, ProviderPause
from payouts.providers import registry


def open_pauses() -> dict[str, ProviderPause]:
    return {
        each.provider: each
        for each in ProviderPause.objects.filter(resumed_at=None).select_related("paused_by").order_by("provider")
    }


def provider_rows() -> list[dict[str, Any]]:
    """Every provider that is known or was used lately."""
    breakers = {each.provider: each for each in Breaker.objects.all()}
    paused, load = open_pauses(), loads()
    hour, day = rates(timedelta(hours=1)), rates(timedelta(days=1))
    names = sorted({*registry.known_names(), *breakers, *paused, *load, *hour, *day, *without_account()})
    return [
        {
            "name": name,
            "badge": _provider_badge(name, breakers.get(name), paused.get(name)),
            "said": provider_words(name, breakers.get(name), paused.get(name)),
            "pause": paused.get(name),
            "due": capped(load.get(name, Load()).due),
            "in_flight": capped(load.get(name, Load()).in_flight),
            "hour": hour.get(name, Rate()),
            "day": day.get(name, Rate()),
        }
        for name in names
    ]


def _provider_badge(name: str, breaker: Breaker | None, paused: ProviderPause | None) -> SafeString:
    if paused:
        return format.badge(_("Paused"), tone="orange", icon="pause_circle")
    if not _is_named(name):
        return format.badge(_("Not in the settings"), tone="magenta", icon="link_off")
    if breaker and breaker.open_until:
        return format.badge(_("Not answering"), tone="magenta", icon="cloud_off")
    if breaker and breaker.failures:
        return format.badge(_("Some failures"), tone="amber", icon="warning")
    return format.badge(_("Answering"), tone="green", icon="check_circle")


def _is_named(name: str) -> bool:
    return name in registry.known_names()


def provider_words(name: str, breaker: Breaker | None, paused: ProviderPause | None) -> str:
    """What its badge means now; for a pause, who made it and why."""
    if paused:
        return _("paused by %(who)s, %(at)s: “%(why)s”") % {
            "at": format.exact_time(paused.paused_at),
            "who": paused.paused_by.get_username(),
            "why": paused.pause_reason,
        }
    if not _is_named(name):
        return _("The settings do not name this account: what is due for it waits.")
    if breaker is None or not breaker.failures:
        return _("Calls go through.")
    failures = ngettext("%(count)s failure in a row", "%(count)s failures in a row", breaker.failures) % {
        "count": format.number(breaker.failures)
    }
    if breaker.open_until is None:
        return _("%(failures)s; calls continue.") % {"failures": failures}
    if breaker.probing_since:
        return _("%(failures)s; one payout is testing it now.") % {"failures": failures}
    if breaker.open_until <= timezone.now():
        return _("%(failures)s; the next due payout tries it again.") % {"failures": failures}
    return _("%(failures)s; no calls before %(at)s.") % {
        "failures": failures,
        "at": format.exact_time(breaker.open_until),
    }
