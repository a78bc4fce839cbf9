"""For monitoring: alive, ready, and figures. They have counts and ages, and never a payout.

Who watches calls from a private address. A stranger hears whether the product is ready, and nothing else.
"""

import ipaddress
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import structlog
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import DisallowedHost
from django.db import Error, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from payouts.actions import KeysError, days, disclosures, due, funds, keys, waits, wrong_accounts
from payouts.models.sealed_sets import altered_sets
from payouts.staff.client_address import client_address, normal_address

log = structlog.get_logger(__name__)

FACTS = """
SELECT (SELECT count(*) FROM payouts_heartbeat WHERE beat_at > now() - %s * interval '1 second'),
       (SELECT count(*) FROM django_q_ormq WHERE lock <= now()),
       (SELECT count(*) FROM payouts_breaker WHERE open_until IS NOT NULL),
       EXISTS (SELECT FROM payouts_recovery WHERE ended_at IS NULL),
       EXISTS (SELECT FROM payouts_installation WHERE name NOT IN ('', %s)),
       (SELECT count(*) FROM payouts_unknownpayment WHERE closed_at IS NULL),
       (SELECT count(*) FROM payouts_heartbeat WHERE unfit_at > now() - interval '2 minutes'),
       statement_timestamp()
"""
BY_STATUS = """
SELECT status, currency, count(*) FROM payouts_payout
WHERE status IN ('pending', 'processing', 'unknown', 'failed') GROUP BY status, currency
"""


class Facts(NamedTuple):
    clusters: int
    queued: int
    providers_silent: int
    is_recovering: bool
    is_other: bool
    """The database is another installation's: nothing is paid."""
    unknown_payments: int
    clusters_unfit: int
    now: datetime


class Backlog(NamedTuple):
    """What the worker has before it. Counts are exact up to due.COUNTED of each provider, and waits.COUNTED."""

    due: int
    age_seconds: float
    """How long the oldest due payout, or the first that could not be claimed, has waited beyond its time."""
    over_limit: int
    waits_for_funds: int
    claims_failing_since: datetime | None
    """Since when payouts cannot be claimed for a fault of ours: the worker's log says which."""
    claims_failing_seconds: float


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """This process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 while the database answers. A cache that is down, or no cluster, is reported but stops no traffic.

    What is reported is for those who watch; others get the status alone.
    """
    answer, status = _readiness()
    if not _watches(request):
        answer = {"status": answer["status"]}
    return JsonResponse(answer, status=status)


def _readiness() -> tuple[dict[str, object], int]:
    facts: dict[str, object] = {"database": "ok", "cache": _cache_state()}
    try:
        found = _facts()
        backlog = _backlog(found.now)
        keys_state = _keys_state()
        altered = altered_sets()
    except Error:
        log.warning("database_away")
        return {"status": "unavailable", **facts, "database": "away"}, 503
    facts |= {
        "clusters": found.clusters,
        "backlog": backlog.due,
        "backlog_age_seconds": round(backlog.age_seconds, 1),
        "over_limit": backlog.over_limit,
        "waits_for_funds": backlog.waits_for_funds,
        "claims_failing_since": backlog.claims_failing_since,
        "providers_silent": found.providers_silent,
        "recovery": found.is_recovering,
        "installation": "other" if found.is_other else "ok",
        "unknown_payments": found.unknown_payments,
        "keys": keys_state,
        "configuration": "altered" if altered else "ok",
    }
    return {"status": "ok", **facts}, 200


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, read from the database at each scrape, so that every web process reports the same.

    Not found for those who do not watch.
    """
    if not _watches(request):
        raise Http404
    registry = CollectorRegistry()
    registry.register(_Figures())
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    except Error:
        log.warning("database_away")
        return HttpResponse(status=503)


class _Figures:
    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = _facts()
        backlog = _backlog(found.now)
        for name, meaning, value in (
            ("clusters_alive", "Clusters whose heartbeat is fresh", found.clusters),
            ("clusters_unfit", "Clusters that pay nothing: their keys do not fit", found.clusters_unfit),
            ("due", "Payouts that the worker should look at now", backlog.due),
            ("queued_tasks", "Tasks that wait for a worker", found.queued),
            ("backlog_age_seconds", "Wait of the oldest due payout", backlog.age_seconds),
            ("over_limit", "Payouts that wait for a velocity limit", backlog.over_limit),
            ("waits_for_funds", "Payouts that the balance of their account does not cover", backlog.waits_for_funds),
            (
                "claims_failing_seconds",
                "For how long payouts cannot be claimed for a fault of ours",
                backlog.claims_failing_seconds,
            ),
            ("providers_silent", "Providers whose circuit breaker is open", found.providers_silent),
            ("recovery", "1 while the provider is asked before every payment", found.is_recovering),
            ("other_installation", "1 while nothing is paid: another installation's database", found.is_other),
            ("unknown_payments", "Payments that only the provider knows", found.unknown_payments),
            (
                "many_reveals",
                "People and clients who reached a limit of recipients seen",
                len(disclosures.many_seen()),
            ),
            ("configuration_altered", "Sets of the configuration that SQL has changed", len(altered_sets())),
        ):
            yield GaugeMetricFamily(f"payouts_{name}", meaning, value)
        by_status = GaugeMetricFamily("payouts_open", "Payouts by open status", labels=["status", "currency"])
        with connection.cursor() as cursor:
            cursor.execute(BY_STATUS)
            for status, currency, count in cursor.fetchall():
                by_status.add_metric([status, currency], count)
        yield by_status
        wrong = GaugeMetricFamily("payouts_wrong_account", "1 for an account with wrong settings", labels=["account"])
        for name in sorted({each.account for each in wrong_accounts.seen()}):
            wrong.add_metric([name], 1)
        yield wrong
        labels = ["account", "currency"]
        told = GaugeMetricFamily("payouts_balance", "What the provider told that there is to pay from", labels=labels)
        age = GaugeMetricFamily("payouts_balance_age_seconds", "How long ago it was asked", labels=labels)
        for each in funds.balances():
            told.add_metric([each.account, each.currency], float(each.amount))
            age.add_metric([each.account, each.currency], max((found.now - each.at).total_seconds(), 0.0))
        yield told
        yield age
        yield from _reconciled(found.now)


def _reconciled(now: datetime) -> Iterator[GaugeMetricFamily]:
    """Of each account whose provider lists its payments."""
    name = "payouts_reconciled_day"
    age = GaugeMetricFamily(f"{name}_age_seconds", "How long ago the last day that agrees ended", labels=["account"])
    differs = GaugeMetricFamily(f"{name}_differs", "Open days that do not agree with the list", labels=["account"])
    untold = GaugeMetricFamily(f"{name}_untold", "Days that nobody has told for two days", labels=["account"])
    for each in days.figures(now=now):
        if each.agreed_until is not None:
            age.add_metric([each.account], max((now - each.agreed_until).total_seconds(), 0.0))
        differs.add_metric([each.account], each.differs)
        untold.add_metric([each.account], each.untold)
    yield from (age, differs, untold)


def _watches(request: HttpRequest) -> bool:
    """Whether the caller may have the figures: from a private address, or with FIGURES_FOR_EVERYBODY anybody.

    Under a name that is not ours it may be a web page whose name leads here, in the browser of somebody who may. A
    proxy that TRUSTED_PROXIES does not count has a private address, and strangers behind it.
    """
    if settings.FIGURES_FOR_EVERYBODY:
        return True
    address = client_address(request)
    is_private = address is not None and ipaddress.ip_address(address).is_private
    is_behind_a_stranger = not settings.TRUSTED_PROXIES and "HTTP_X_FORWARDED_FOR" in request.META
    return is_private and not is_behind_a_stranger and _is_named_as_ours(request)


def _is_named_as_ours(request: HttpRequest) -> bool:
    """Under one of DJANGO_ALLOWED_HOSTS, or by an address: those that watch may know no name."""
    name, _port = split_domain_port(request.META.get("HTTP_HOST", ""))
    if normal_address(name.strip("[]")):
        return True
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


def _facts() -> Facts:
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [settings.STALL_SECONDS, settings.INSTALLATION])
        return Facts(*cursor.fetchone())


def _backlog(now: datetime) -> Backlog:
    owed = due.owed()
    failing, failing_since = waits.failing()
    since = min([*(each.oldest_at for each in owed), *([failing_since] if failing_since else [])], default=now)
    return Backlog(
        due=sum(each.count for each in owed) + failing,
        age_seconds=max((now - since).total_seconds(), 0.0),
        over_limit=sum(each.count for each in waits.over_limit()),
        waits_for_funds=sum(each.count for each in funds.waiting()),
        claims_failing_since=failing_since,
        claims_failing_seconds=max((now - failing_since).total_seconds(), 0.0) if failing_since else 0.0,
    )


def _keys_state() -> str:
    """“other” while another process writes with a key that this one does not have."""
    try:
        keys.require_fit()
    except KeysError:
        return "other"
    return "ok"


def _cache_state() -> str:
    if not settings.REDIS_URL:
        return "none"
    cache.set("ready", 1, timeout=5)
    return "ok" if cache.get("ready") == 1 else "away"
