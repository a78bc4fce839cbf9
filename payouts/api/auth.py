"""Who calls: bearer keys, their scopes, and how often they may call."""

import time
from dataclasses import dataclass
from threading import Lock

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from payouts.clients import find_key
from payouts.models import ApiClient, ApiKey, Scope
from payouts.staff.client_address import client_address, network_of

PERIODS_SECONDS = {"s": 1, "m": 60, "h": 3_600}
FAILURES_A_MINUTE = 120
COUNTS_LIMIT = 10_000


class UnauthorizedError(Exception):
    """No usable key."""


class ScopeError(Exception):
    """The key lacks a scope."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(_("This key lacks the scope %(scope)s.") % {"scope": scope.value})


class ThrottledError(Exception):
    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(_("Too many requests. Wait a little."))
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Caller:
    client: ApiClient
    scopes: frozenset[str]

    def require(self, scope: Scope) -> None:
        """Raises ScopeError."""
        if scope not in self.scopes:
            raise ScopeError(scope)


class KeyAuth(HttpBearer):
    """`Authorization: Bearer KEY`; without one, the client that API_ANONYMOUS_CLIENT names, if it names one."""

    openapi_description = "The key of an API client, as `manage.py create_api_client` prints it."

    def __call__(self, request: HttpRequest) -> Caller:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None and settings.API_ANONYMOUS_CLIENT and settings.DEBUG:
            caller = _anonymous()
            if caller is None:
                raise UnauthorizedError
            return caller
        kind, _space, token = (header or "").partition(" ")
        if kind.lower() != "bearer":
            raise UnauthorizedError
        return self.authenticate(request, token.strip())

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        key = find_key(token)
        if key is None:
            throttle_failures(request)
            raise UnauthorizedError
        if settings.API_THROTTLE != "off":
            count, period = settings.API_THROTTLE.split("/")
            _throttle(f"key:{key.id}", int(count), PERIODS_SECONDS[period])
        return Caller(key.client, frozenset(key.scopes))


def _anonymous() -> Caller | None:
    named = ApiKey.objects.usable().filter(client__name=settings.API_ANONYMOUS_CLIENT).select_related("client")
    keys = [key for key in named if key.is_sealed and key.client.is_sealed]
    scopes = {scope for key in keys for scope in key.scopes}
    return Caller(keys[0].client, frozenset(scopes)) if keys else None


@dataclass(slots=True)
class _Count:
    """Calls in one period: those that all processes have told the cache, and ours that it does not know yet."""

    period: int
    told: int = 0
    untold: int = 0


_counts: dict[str, _Count] = {}
_counting = Lock()


def throttle_failures(request: HttpRequest) -> None:
    """Count one more bad secret from the client's network. Raises ThrottledError past the limit."""
    _throttle(_failures(request), FAILURES_A_MINUTE, 60)


def refuse_throttled(request: HttpRequest) -> None:
    """Raises ThrottledError where one more bad secret of the client's network, as far as this process knows, would be
    past the limit. Nothing is counted."""
    now = int(time.time())
    count = _counts.get(_failures(request))
    if count and count.period == now // 60 and count.told + count.untold >= FAILURES_A_MINUTE:
        raise ThrottledError(60 - now % 60)


def _failures(request: HttpRequest) -> str:
    address = client_address(request)
    return f"failures:{network_of(address) if address else None}"


def _throttle(name: str, limit: int, period_seconds: int) -> None:
    """Count one more in this period. Raises ThrottledError past the limit.

    The cache holds the sum, told in steps of a twentieth of the limit, 30 at most, which saves round trips;
    so all processes together may let through a step too much each. While the cache is down all may pass.
    """
    now = int(time.time())
    period = now // period_seconds
    with _counting:
        if len(_counts) > COUNTS_LIMIT:
            _counts.clear()
        count = _counts.get(name)
        if count is None or count.period != period:
            count = _counts[name] = _Count(period)
        count.untold += 1
        untold = count.untold
        is_step = untold >= min(30, max(1, limit // 20))
        if is_step:
            count.untold = 0
    if is_step:
        count.told = _tell(f"throttle:{name}:{period}", untold, 2 * period_seconds)
    if count.told + count.untold > limit:
        raise ThrottledError(period_seconds - now % period_seconds)


def _tell(key: str, calls: int, timeout: int) -> int:
    """The sum in the cache with these calls; 0 when the cache is down."""
    try:
        cache.add(key, 0, timeout=timeout)
        return cache.incr(key, calls) or 0
    except ValueError:  # the key was evicted in between
        return 0
