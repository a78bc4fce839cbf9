"""People's sessions: when they end, and their second factor.

What these middlewares send elsewhere are the back office's own pages; the API has keys.
"""

import time
from abc import ABC, abstractmethod
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from backoffice.middleware.requests import GetResponse, database_away
from payouts.models import AccessEvent
from payouts.staff import login_limits, second_factor, sessions, single_sign_on

# The views of the second factor let in who has a password and no second factor yet, and nobody else.
UNGUARDED = {
    *("admin:login", "admin:logout", "password_link", "single_sign_on", "single_sign_on_back"),
    *("second_factor", "second_factor_set_up", "second_factor_mine", "passkey_add"),
}
SEEN_EVERY_SECONDS = 60


class _BackOfficeMiddleware(ABC):
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        # By its address, so that a page is guarded whichever way it was added.
        if request.resolver_match is None or not request.path_info.startswith(_back_office()):
            return None
        try:
            return self.answer_instead(request, is_guarded=request.resolver_match.view_name not in UNGUARDED)
        except (OperationalError, InterfaceError) as exception:
            return database_away(exception)

    @abstractmethod
    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        """What is answered in place of the view, if anything."""


@cache
def _back_office() -> str:
    """Its address, which every request is held against: found once."""
    return reverse("admin:index")


class SessionEndMiddleware(_BackOfficeMiddleware):
    """Ends a session after SESSION_IDLE_SECONDS without activity, and after SESSION_COOKIE_AGE in any case.

    Activity is written down once a minute at most, so a session may end that much early.
    """

    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        if not request.user.is_authenticated:
            # In place of a login page within a dialog.
            return _login_first(request) if is_guarded and _is_htmx(request) else None
        now = int(time.time())
        began_at = request.session.get(sessions.BEGAN_AT, now)
        seen_at = request.session.get(sessions.SEEN_AT, now)
        if now - began_at >= settings.SESSION_COOKIE_AGE:
            return _end(request, AccessEvent.Kind.EXPIRED, is_guarded=is_guarded)
        if now - seen_at >= settings.SESSION_IDLE_SECONDS:
            return _end(request, AccessEvent.Kind.IDLE, is_guarded=is_guarded)
        is_to_note = now - seen_at >= SEEN_EVERY_SECONDS and _is_by_a_person(request)
        if is_to_note or sessions.BEGAN_AT not in request.session:
            request.session[sessions.BEGAN_AT], request.session[sessions.SEEN_AT] = began_at, now
        return None


class SingleSignOnMiddleware(_BackOfficeMiddleware):
    """Ends a session that single sign-on opened once the identity provider does not stand by the person any more."""

    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        if not request.user.is_authenticated or single_sign_on.still_stands(request):
            return None
        return _end(request, AccessEvent.Kind.SIGN_ON_ENDED, is_guarded=is_guarded)


class SecondFactorMiddleware(_BackOfficeMiddleware):
    """Opens no page of the back office before the second factor of the session is set up and confirmed.

    The device of whoever is let in is known from then on: see payouts/staff/login_limits.py.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = super().__call__(request)
        if getattr(request, "is_let_in", False):
            login_limits.remember(request, response, request.user)
        return response

    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        user = request.user
        if not is_guarded or not user.is_authenticated:
            return None
        if not user.is_verified():  # type: ignore[attr-defined]
            if second_factor.has_one(user):
                return _elsewhere(request, "second_factor")
            if second_factor.is_required(user):
                return _elsewhere(request, "second_factor_set_up")
        request.is_let_in = True  # type: ignore[attr-defined]
        return None


def _end(request: HttpRequest, kind: AccessEvent.Kind, *, is_guarded: bool) -> HttpResponse | None:
    request.session_ended_as = kind  # type: ignore[attr-defined]  # the access log asks for it
    logout(request)
    return _login_first(request, ended=kind.value) if is_guarded else None


def _login_first(request: HttpRequest, **query: str) -> HttpResponse:
    return _elsewhere(request, "admin:login", **query)


def _elsewhere(request: HttpRequest, view: str, **query: str) -> HttpResponse:
    """Sends the person to the view, which leads back to the page that they are on."""
    url = f"{reverse(view)}?{urlencode({'next': _page(request), **query})}"
    if _is_htmx(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def _page(request: HttpRequest) -> str:
    """The page that is asked for; for a form or a dialog the page around it, as their own may not answer a GET."""
    if _is_htmx(request):
        before = request.headers.get("HX-Current-URL", "")
    elif request.method in ("GET", "HEAD"):
        return request.get_full_path()
    else:
        before = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure()):
        return reverse("admin:index")
    parts = urlsplit(before)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _is_by_a_person(request: HttpRequest) -> bool:
    """Whether a person asked, not a script that fetches or reloads: a page left open must not keep its session."""
    if request.method != "GET" or "Sec-Fetch-Mode" not in request.headers:
        return True
    return _is_htmx(request) or request.headers.get("Sec-Fetch-User") == "?1"
