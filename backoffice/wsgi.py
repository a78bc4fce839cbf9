"""Two chains of middlewares in one process: all of them for people, and for the API those that it needs.

Sessions, forms and messages mean nothing to a request that brings its key along; leaving them out saves an
eighth of such a request's time. The views and the URLs are the same.
"""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import django
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.db import Error, connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
django.setup(set_prefix=False)

from payouts.actions import KeysError, RetiredKeyError, keys, recovery  # noqa: E402
from payouts.checks import refusals  # noqa: E402
from payouts.database import replica, rights, session  # noqa: E402

if texts := refusals():
    raise ImproperlyConfigured(" ".join(texts))

log = structlog.get_logger(__name__)

# What programs ask for. Those that monitor ask under any host's name.
FOR_MACHINES = ("/api/", "/healthz", "/readyz")
FOR_THE_API = (
    "backoffice.middleware.requests.RequestIdMiddleware",
    "backoffice.middleware.requests.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
)


class ApiHandler(WSGIHandler):
    def load_middleware(self, is_async: bool = False) -> None:
        everything = settings.MIDDLEWARE
        settings.MIDDLEWARE = [name for name in everything if name in FOR_THE_API]
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = everything


_for_people = WSGIHandler()
_for_the_api = ApiHandler()


LOOK_AGAIN_SECONDS, CLOSED_SECONDS = 60.0, 5.0


class Gate:
    """Lets requests through once the database server is found durable, and the keys of this process fit the database.

    That is before the first request. If the database is away then, with the first request for which it is not. A web
    server that still writes with a retired key is closed within a minute. A closed one looks again every few seconds.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._obstacle = ""
        self._looks_again_at = 0.0

    def why_closed(self) -> str:
        """Why nothing may be served. While the database is away nothing can go wrong, so that is no reason."""
        if time.monotonic() >= self._looks_again_at:
            self._obstacle = self._why_retired() if self._is_open else self._why_not_open()
            if self._obstacle:
                self._looks_again_at = time.monotonic() + CLOSED_SECONDS
            elif self._is_open:
                self._looks_again_at = time.monotonic() + LOOK_AGAIN_SECONDS
        return self._obstacle

    def _why_not_open(self) -> str:
        try:
            with connection.temporary_connection():
                if obstacle := recovery.why_not_start():
                    log.critical("payments_stopped", reason=obstacle)
                    return obstacle
                rights.warn()
                replica.warn()
                keys.begin_writing()
        except KeysError as error:
            log.critical("keys_do_not_fit", reason=str(error))
            return str(error)
        except Error as error:
            if obstacle := session.why_refused(error):
                log.critical("payments_stopped", reason=obstacle)
            return obstacle
        self._is_open = True
        return ""

    def _why_retired(self) -> str:
        try:
            keys.require_fit()
        except RetiredKeyError as error:
            log.critical("keys_do_not_fit", reason=str(error))
            return str(error)
        except (KeysError, Error):  # a newer key than ours is in use: what we write, others read
            pass
        return ""


gate = Gate()
if text := gate.why_closed():
    raise ImproperlyConfigured(text)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if not environ.get("PATH_INFO", "").startswith("/healthz") and gate.why_closed():
        start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "60")])
        return [b"This process and the database do not fit. See its log.\n"]
    handler = _for_the_api if environ.get("PATH_INFO", "").startswith(FOR_MACHINES) else _for_people
    return handler(environ, start_response)
