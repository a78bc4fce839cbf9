"""Who calls: bearer keys, their scopes, and how often they may call."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from payouts.clients import find_key
from payouts.models import ApiClient, ApiKey, Scope

PERIODS_SECONDS = {"s": 1, "m": 60, "h": 3_600}
FAILURES_A_MINUTE = 120


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

    def __call__(self, request: HttpRequest) -> Caller:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None and settings.API_ANONYMOUS_CLIENT:
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
            _throttle(f"failures:{request.META.get('REMOTE_ADDR')}", FAILURES_A_MINUTE, 60)
            raise UnauthorizedError
        if settings.API_THROTTLE != "off":
            count, period = settings.API_THROTTLE.split("/")
            _throttle(f"key:{key.pk}", int(count), PERIODS_SECONDS[period])
        return Caller(key.client, frozenset(key.scopes))


def _anonymous() -> Caller | None:
    keys = ApiKey.objects.usable().filter(client__name=settings.API_ANONYMOUS_CLIENT).select_related("client")
    scopes = {scope for key in keys for scope in key.scopes}
    return Caller(keys[0].client, frozenset(scopes)) if keys else None


def _throttle(name: str, limit: int, period_seconds: int) -> None:
    """Count one more in this period. Raises ThrottledError past the limit; a cache that is down lets all through."""
    now = int(time.time())
    key = f"throttle:{name}:{now // period_seconds}"
    try:
        cache.add(key, 0, timeout=2 * period_seconds)
        count = cache.incr(key)
    except ValueError:  # the cache lost the key in between, or is down
        return
    if count and count > limit:
        raise ThrottledError(period_seconds - now % period_seconds)
