"""Figures that every page shows, counted once for all who look within some seconds."""

from collections.abc import Callable

from django.core.cache import cache

SECONDS = 15
# Of what is kept: another version of the product counts other things.
VERSION = "1"


def cached[Counted](name: str, count: Callable[[], Counted], *, seconds: int = SECONDS) -> Counted:
    """What `count` gives, counted once in so many seconds; anew at every look while the cache is down."""
    key = f"admin:figures:{VERSION}:{name}"
    found: Counted | None = cache.get(key)
    if found is None:
        found = count()
        cache.set(key, found, seconds)
    return found
