"""Sentences about the system: what stops payments, and whether clusters, queue and audit are well."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.admin.kit import format
from payouts.admin.operations.clusters import is_alive
from payouts.admin.operations.figures import capped, loads, oldest_due
from payouts.admin.operations.providers import open_pauses
from payouts.admin.payouts.depths import against_target
from payouts.models import AuditRun, Breaker, Heartbeat, ProviderPause
from payouts.states import Stage


def alerts() -> list[dict[str, Any]]:
    """What stops payments now, for the top of the start page and of the operations page."""
    said: list[dict[str, Any]] = []
    if not any(is_alive(beat) for beat in Heartbeat.objects.all()):
        waits = _("Start the worker. Until then all payouts wait.")
        said.append(_alert("dns", _("No cluster is alive: nothing is paid."), waits))
    paused = open_pauses()
    said += [_stop(each) for each in paused.values()]
    silent = Breaker.objects.filter(open_until__isnull=False).exclude(provider__in=paused).order_by("provider")
    said += [_silence(breaker) for breaker in silent]
    audit = AuditRun.objects.first()
    if audit and audit.broken_count:
        found = ngettext(
            "The last audit found %(count)s broken invariant.",
            "The last audit found %(count)s broken invariants.",
            audit.broken_count,
        ) % {"count": format.number(audit.broken_count)}
        then = _("Do nothing with the changed payouts until somebody has investigated.")
        said.append(_alert("gpp_maybe", found, then))
    return said


def _alert(icon: str, said: str, then: str, *, is_alarm: bool = True) -> dict[str, Any]:
    return {"icon": icon, "is_alarm": is_alarm, "said": said, "next": then}


def _stop(found: ProviderPause) -> dict[str, Any]:
    """The alert about a provider that somebody has paused."""
    said = _("%(who)s paused the provider %(provider)s at %(at)s: “%(why)s”") % {
        "provider": found.provider,
        "who": found.paused_by.get_username(),
        "at": format.exact_time(found.paused_at),
        "why": found.pause_reason,
    }
    then = _("Its payouts wait until another person resumes it.")
    return _alert("pause_circle", said, then, is_alarm=False)


def _silence(breaker: Breaker) -> dict[str, Any]:
    """The alert about a provider that does not answer."""
    said = ngettext(
        "The provider %(provider)s does not answer (%(count)s failure in a row). Its payouts wait.",
        "The provider %(provider)s does not answer (%(count)s failures in a row). Its payouts wait.",
        breaker.failures,
    ) % {"provider": breaker.provider, "count": breaker.failures}
    if breaker.open_until is None or breaker.open_until <= timezone.now():
        then = _("The next due payout tries it again.")
    else:
        then = _("Next try on %(at)s.") % {"at": format.exact_time(breaker.open_until)}
    return _alert("cloud_off", said, then)


def signs() -> list[dict[str, str]]:
    """One line each for clusters, queue and audit, for the start page."""
    alive = sum(is_alive(beat) for beat in Heartbeat.objects.all())
    load = loads().values()
    due = sum(each.due for each in load)
    wait = against_target(Stage.READY, oldest_due(load))
    backlog = _("In the worker's queue: %(count)s") % {"count": capped(due)}
    said = [
        {
            "icon": "dns",
            "tone": "green" if alive else "red",
            "said": ngettext("%(count)s cluster alive", "%(count)s clusters alive", alive)
            % {"count": format.number(alive)},
        },
        {
            "icon": "inbox",
            "tone": wait["age_tone"],
            "said": f"{backlog} ({wait['age']})" if due else backlog,
        },
    ]
    run = AuditRun.objects.first()
    if run and run.broken_count:
        said.append({"icon": "gpp_maybe", "tone": "red", "said": _("The last audit found broken invariants.")})
    elif run and run.finished_at:
        words = _("Every invariant held in the audit of %(at)s.") % {"at": format.exact_time(run.started_at)}
        said.append({"icon": "verified_user", "tone": "green", "said": words})
    return said
