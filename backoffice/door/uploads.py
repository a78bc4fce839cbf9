"""Whose file is read at all: a long body, from somebody who is logged in and may upload here."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.db import Error, close_old_connections
from django.http import HttpRequest
from django.http.cookie import parse_cookie

from backoffice.door.heads import Environ
from payouts.files import limits


def may_upload(environ: Environ) -> bool:
    """Asks the database. Whether the second factor was given is for the page to ask."""
    page = limits.UPLOAD_PAGES.get(environ["PATH_INFO"])
    session = parse_cookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME)
    if page is None or not session:
        return False
    request = HttpRequest()
    request.META = environ
    close_old_connections()
    try:
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(session)
        return bool(get_user(request).has_perm(page.permission))
    except Error:
        return False
    finally:
        close_old_connections()
