"""For monitoring: alive and ready. They have counts and ages, and never a payout.

Who watches calls from a private address. A stranger hears whether the product is ready, and nothing else. The figures
for Prometheus are on a port of their own: payouts/figures.
"""

import ipaddress

import structlog
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import DisallowedHost
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.views.decorators.http import require_safe

from payouts.actions import KeysError, keys
from payouts.figures.standing import all_waits, backlog, facts
from payouts.models.sealed_sets import altered_sets
from payouts.staff.client_address import client_address, normal_address

log = structlog.get_logger(__name__)


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
    told: dict[str, object] = {"database": "ok", "cache": _cache_state()}
    try:
        found = facts()
        waiting = backlog(found.now, all_waits())
        keys_state = _keys_state()
        altered = altered_sets()
    except Error:
        log.warning("database_away")
        return {"status": "unavailable", **told, "database": "away"}, 503
    told |= {
        "clusters": found.clusters,
        "backlog": waiting.due,
        "backlog_age_seconds": round(waiting.age_seconds, 1),
        "over_limit": waiting.over_limit,
        "waits_for_funds": waiting.waits_for_funds,
        "claims_failing_since": waiting.claims_failing_since,
        "providers_silent": found.providers_silent,
        "recovery": found.is_recovering,
        "installation": "other" if found.is_other else "ok",
        "unknown_payments": found.unknown_payments,
        "keys": keys_state,
        "configuration": "altered" if altered else "ok",
    }
    return {"status": "ok", **told}, 200


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
