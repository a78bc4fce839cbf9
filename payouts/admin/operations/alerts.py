"""Sentences about the system: what stops payments, and whether clusters, queue and audit are well."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts import money
from payouts.actions import disclosures, wrong_accounts
from payouts.actions.waits import without_account
from payouts.admin.days_shown import day_alerts
from payouts.admin.kit import format
from payouts.admin.operations.backups import backup_alerts
from payouts.admin.operations.balances import funds_alerts, old_balances
from payouts.admin.operations.clusters import is_alive
from payouts.admin.operations.figures import capped, loads, oldest_due
from payouts.admin.operations.providers import open_pauses
from payouts.admin.payouts.depths import against_target
from payouts.admin.velocity_limits import over_limit_alerts
from payouts.models import (
    AuditRun,
    Breaker,
    Checkpoint,
    Heartbeat,
    Installation,
    ProviderPause,
    Recovery,
    UnknownPayment,
)
from payouts.models.sealed_sets import altered, altered_sets
from payouts.providers.messages import translated
from payouts.staff import authority
from payouts.states import Stage

# Its sweep lets it try again every few seconds.
UNFIT_SHOWN_FOR = timedelta(minutes=2)
OUTSIDE_WITHIN = timedelta(hours=2)


def alerts() -> list[dict[str, Any]]:
    """What stops payments now, for the top of the start page and of the operations page."""
    said: list[dict[str, Any]] = []
    if not any(is_alive(beat) for beat in Heartbeat.objects.all()):
        waits = _("Start the worker. Until then all payouts wait.")
        said.append(_alert("dns", _("No cluster is alive: nothing is paid."), waits))
    said += _unfit_keys()
    said += [_altered(name) for name in altered_sets()]
    said += _anothers_database()
    said += _altered_people()
    said += _many_seen()
    said += _anchors_left_inside()
    said += [_alert("backup", each, then) for each, then in backup_alerts()]
    said += [_recovery(each) for each in Recovery.objects.filter(ended_at=None).order_by("pk")]
    said += _unknown_payments()
    said += _days()
    said += _wrong_accounts()
    said += _over_limits()
    said += _funds()
    paused = open_pauses()
    said += [_stop(each) for each in paused.values()]
    said += [_unnamed(name, capped(count)) for name, count in without_account().items()]
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


def _alert(
    icon: str, said: str, then: str, *, is_alarm: bool = True, link: tuple[str, str] | None = None
) -> dict[str, Any]:
    """`link` is a page of its own, by its words and its address; else there is the operations page."""
    return {"icon": icon, "is_alarm": is_alarm, "said": said, "next": then, "link": link}


def _unfit_keys() -> list[dict[str, Any]]:
    """The alert about clusters that pay nothing, because they and the database do not fit."""
    found = Heartbeat.objects.filter(unfit_at__gt=timezone.now() - UNFIT_SHOWN_FOR).order_by("cluster")
    if not found:
        return []
    said = _("A cluster and the database do not fit, so it pays nothing: %(clusters)s.") % {
        "clusters": ", ".join(beat.cluster for beat in found)
    }
    return [_alert("key_off", said, _("Its log says why: keys_do_not_fit. docs/keys.md says what to do."))]


def _altered(name: str) -> dict[str, Any]:
    """The alert about configuration that SQL has changed."""
    then = _("Find out who did, with manage.py audit; docs/safety.md says how it is put right.")
    return _alert("gpp_maybe", altered(name), then)


def _anothers_database() -> list[dict[str, Any]]:
    name = Installation.objects.get().name
    if name in ("", settings.INSTALLATION):
        return []
    said = _("The database belongs to the installation %(name)s, and this is %(ours)s: nothing is paid.") % {
        "name": name,
        "ours": settings.INSTALLATION,
    }
    return [_alert("domain_disabled", said, _("It is a copy. docs/recovery.md says how it becomes your own."))]


def _altered_people() -> list[dict[str, Any]]:
    """The alert about people and groups whom some SQL has changed."""
    if not (names := [found.name for found in authority.unfit()]):
        return []
    said = _("Not what the back office stored, so without any rights: %(names)s.") % {"names": ", ".join(names)}
    then = _("Somebody wrote to the database. Run manage.py audit, look into it, then manage.py seal_people.")
    return [_alert("person_alert", said, then)]


def _many_seen() -> list[dict[str, Any]]:
    """The alert about people and API clients who have seen very many recipients in clear."""
    then = _("If that was not their work, close the account, or revoke the key. The payouts' histories say which.")
    return [
        _alert(
            "visibility",
            _("%(who)s has seen many recipients in clear: %(count)s within a day, the last at %(at)s.")
            % {"who": each.actor, "count": format.number(each.count), "at": format.exact_time(each.last_at)},
            then,
        )
        for each in disclosures.many_seen()
    ]


def _anchors_left_inside() -> list[dict[str, Any]]:
    """The alert about checkpoints that could not be written outside the database."""
    if not settings.CHECKPOINTS:
        return []
    late = Checkpoint.objects.filter(placed_at=None, made_at__lt=timezone.now() - OUTSIDE_WITHIN)
    if not (count := late.count()):
        return []
    said = ngettext(
        "%(count)s checkpoint is in the database alone.", "%(count)s checkpoints are in the database alone.", count
    ) % {"count": format.number(count)}
    then = _("The place that CHECKPOINTS names does not take them: the log says why (checkpoints_unreachable).")
    return [_alert("cloud_off", said, then)]


def _recovery(found: Recovery) -> dict[str, Any]:
    """The alert about a database that may have forgotten payments."""
    said = _("Recovery mode since %(at)s: %(reason)s.") % {
        "at": format.exact_time(found.began_at),
        "reason": found.reason.rstrip("."),
    }
    then = _("The database may have forgotten payments, so the provider is asked before each. Two people end it.")
    link = (_("Recovery mode"), reverse("admin:payouts_recovery_change", args=(found.pk,)))
    return _alert("settings_backup_restore", said, then, link=link)


def _unknown_payments() -> list[dict[str, Any]]:
    """The alert about payments that only the provider knows: how many, and how much."""
    found = UnknownPayment.objects.filter(closed_at=None).order_by("currency").values_list("currency")
    sums = list(found.annotate(Count("pk"), Sum("amount")))
    count = sum(number for _currency, number, _amount in sums)
    if not count:
        return []
    amounts = [money.shown(amount, currency) for currency, _number, amount in sums if amount and currency]
    # A report's lines have no currency, so their amounts have no sum.
    if untold := sum(number for currency, number, amount in sums if not (amount and currency)):
        amounts.append(_("without a currency: %(count)s") % {"count": format.number(untold)})
    said = ngettext(
        "The provider has %(count)s payment that we do not know (%(amounts)s).",
        "The provider has %(count)s payments that we do not know (%(amounts)s).",
        count,
    ) % {"count": format.number(count), "amounts": ", ".join(amounts)}
    then = _("The database may have forgotten them. Find out what they are.")
    link = (_("Unknown payments"), reverse("admin:payouts_unknownpayment_changelist"))
    return [_alert("report", said, then, link=link)]


def _days() -> list[dict[str, Any]]:
    """The alerts about days that do not agree with what providers list, or that nobody told."""
    return [
        _alert("event_busy", each["said"], each["then"], is_alarm=each["is_alarm"], link=each["link"])
        for each in day_alerts()
    ]


def _wrong_accounts() -> list[dict[str, Any]]:
    """The alerts about accounts whose provider takes them for something else than the settings do."""
    then = _("Pause the account, and put its settings right. Nothing that it answers so is believed.")
    return [
        _alert(
            "rule_settings",
            _("The account %(account)s is not what its settings say, last at %(at)s: %(reason)s")
            % {"account": each.account, "at": format.exact_time(each.last_at), "reason": translated(each.message)},
            then,
        )
        for each in wrong_accounts.seen()
    ]


def _over_limits() -> list[dict[str, Any]]:
    """The alerts about payouts that wait for a velocity limit."""
    then = _("Find out why so much is sent. They go on when it has room. Two people can raise the limit.")
    return [_alert("speed", each["said"], then, link=each["link"]) for each in over_limit_alerts()]


def _funds() -> list[dict[str, Any]]:
    """The alerts about accounts with too little money, or of which nobody tells how much there is."""
    then = _("Top the account up at the provider. The oldest that the balance covers go on by themselves.")
    short = [_alert("account_balance_wallet", each["said"], then, link=each["link"]) for each in funds_alerts()]
    go_on = _("Payouts go on; what the account does not cover the provider refuses, and it waits.")
    return short + [_alert("sync_problem", said, go_on, is_alarm=False) for said in old_balances()]


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


def _unnamed(name: str, due: str) -> dict[str, Any]:
    """The alert about an account that somebody took out of the settings too early, or misspelled."""
    said = _("The settings do not name the account %(name)s, and payouts are due for it: %(due)s. They wait.")
    return _alert("link_off", said % {"name": name, "due": due}, _("Name it in PROVIDERS again, with its settings."))


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
