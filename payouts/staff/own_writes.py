"""How far the primary's log had come when a person last changed something; a standby that is behind does not have it.

Their browser keeps it, in a cookie beside the session's. In the session itself a page that is loaded meanwhile could
put back an older one, and each change would cost one more write. A made-up one makes only its own maker read older
lists, by REPLICA_LAG_SECONDS at most.
"""

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse

from payouts.database import replica

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


def remember(request: HttpRequest, response: HttpResponse) -> None:
    """After a request that may have changed something, and has committed it."""
    if request.method in SAFE or settings.SESSION_COOKIE_NAME not in request.COOKIES or not replica.is_there():
        return
    try:
        place = replica.written().lsn
    except Error:
        place = replica.NEVER_REACHED
    response.set_cookie(
        settings.WRITTEN_COOKIE_NAME,
        str(place),
        # A standby that is older than REPLICA_LAG_SECONDS is not read from in any case.
        max_age=settings.REPLICA_LAG_SECONDS + 60,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def seen(request: HttpRequest) -> int:
    """What a standby must have replayed before this person reads from it, in bytes of the log."""
    text = request.COOKIES.get(settings.WRITTEN_COOKIE_NAME, "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else replica.NEVER_REACHED
