"""Figures that every page shows, counted once for all who look within some seconds.

They are kept signed, under their name and with their time: whoever can write to Redis cannot tell people that nothing
waits for them, nor show them what was counted long ago.
"""

from collections.abc import Callable

import msgspec
from django.core import signing
from django.core.cache import cache

SECONDS = 15
# Of what is kept: another version of the product counts other things.
VERSION = "2"


def cached[Counted](
    name: str, kind: type[Counted], count: Callable[[], Counted], *, seconds: int = SECONDS
) -> Counted:
    """What `count` gives, counted once in so many seconds; anew at every look while the cache is down.

    It is of the type `kind`, which msgspec can write as JSON.
    """
    key = f"admin:figures:{VERSION}:{name}"
    try:
        text = signing.loads(cache.get(key), salt=key, max_age=seconds)
        return msgspec.json.decode(text, type=kind)
    except (signing.BadSignature, msgspec.MsgspecError, ValueError, TypeError):
        pass  # absent, too old, or not what we kept
    found = count()
    cache.set(key, signing.dumps(msgspec.json.encode(found).decode(), salt=key), seconds)
    return found
