"""Two chains of middlewares in one process: all of them for people, and for the API those that it needs.

Sessions, forms and messages mean nothing to a request that brings its key along; leaving them out saves an
eighth of such a request's time. The views and the URLs are the same.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
django.setup(set_prefix=False)

from django.db import connection  # noqa: E402

from payouts.actions import recovery  # noqa: E402
from payouts.checks import refusals  # noqa: E402

if texts := [text for text in (*refusals(), recovery.why_not_start()) if text]:
    raise ImproperlyConfigured(" ".join(texts))
connection.close()  # each thread has its own

# What programs ask for. Those that monitor ask under any host's name.
FOR_MACHINES = ("/api/", "/healthz", "/readyz", "/metrics")
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


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    handler = _for_the_api if environ.get("PATH_INFO", "").startswith(FOR_MACHINES) else _for_people
    return handler(environ, start_response)
