"""What every request gets: an ID that ties its traces together, and one log line."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, RawPostDataException, UnreadablePostError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language_from_request

from payouts import trace
from payouts.api.problems import PROBLEM, RETRY_AFTER_SECONDS, plain_problem
from payouts.models import AccessEvent
from payouts.staff import access_log, second_factor

log = structlog.get_logger("request")

# Asked for all the time, by machines and by every page.
QUIET = ("/static/", "/healthz", "/readyz", "/metrics")
API = "/api/"
# The docs page runs Swagger UI, from our own static files; every other answer of the API runs nothing.
API_CSP = "default-src 'none'; frame-ancestors 'none'"
DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)

type GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Takes or makes `X-Request-ID`, returns it, binds it to the logs, and logs the request without its query."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        trace_id = trace.taken_or_made(request.META.get("HTTP_X_REQUEST_ID"))
        token = trace.current.set(trace_id)
        structlog.contextvars.bind_contextvars(request_id=trace_id)
        began_at = time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = trace_id
            (log.debug if request.path.startswith(QUIET) else log.info)(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                ms=round((time.perf_counter() - began_at) * 1000, 1),
            )
            return response
        finally:
            structlog.contextvars.clear_contextvars()
            trace.current.reset(token)


class ApiMiddleware:
    """Under /api/: paths work without their last slash, and every error is a problem, those of Django included."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(API):
            return self.get_response(request)
        if not path.endswith("/"):
            request.path_info, request.path = f"{path}/", f"{request.path}/"
        # LocaleMiddleware's choice, at no cost for the many callers that state no language.
        is_stated = "HTTP_ACCEPT_LANGUAGE" in request.META
        language = get_language_from_request(request) if is_stated else settings.LANGUAGE_CODE
        with translation.override(language):
            return self._answer(request, language)

    def _answer(self, request: HttpRequest, language: str) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code >= 400:
            _read_to_end(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if response.status_code >= 400 and not response.get("Content-Type", "").startswith(PROBLEM):
            answer = plain_problem(response.status_code)
            if "Allow" in response:
                answer["Allow"] = response["Allow"]
            response, is_page = answer, False
        response["Content-Security-Policy"] = DOCS_CSP if is_page else API_CSP
        response["Content-Language"] = language
        patch_vary_headers(response, ["Accept-Language"])
        response["Cache-Control"] = response.get("Cache-Control", "no-store")
        if not response.streaming and response.status_code not in (204, 304):
            response["Content-Length"] = str(len(response.content))
        return response


def _read_to_end(request: HttpRequest) -> None:
    """A server closes a connection whose request it has not read, and a caller that still sends misses the answer.

    What is too large is left.
    """
    with suppress(RequestDataTooBig, UnreadablePostError, RawPostDataException):
        _ = request.body


class DatabaseAwayMiddleware:
    """For people: while the database does not answer, a page that says so, with 503, in place of a crash."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        return _database_away(exception)


def _database_away(exception: Exception) -> HttpResponse:
    log.warning("database_failed", exc_info=exception)
    # Without the request: what the context processors tell is in the database.
    page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


# People's sessions. What these two send elsewhere are the back office's own pages; the API has keys.

# The views of the second factor let in who has a password and no second factor yet, and nobody else.
UNGUARDED = {"admin:login", "admin:logout", "second_factor", "second_factor_set_up", "second_factor_mine"}
SEEN_EVERY_SECONDS = 60


class _BackOfficeMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        # By its address, so that a page is guarded whichever way it was added.
        if request.resolver_match is None or not request.path_info.startswith(reverse("admin:index")):
            return None
        try:
            return self.answer_instead(request, is_guarded=request.resolver_match.view_name not in UNGUARDED)
        except (OperationalError, InterfaceError) as exception:
            return _database_away(exception)

    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        raise NotImplementedError


class SessionEndMiddleware(_BackOfficeMiddleware):
    """Ends a session after SESSION_IDLE_SECONDS in which nobody did anything, and after SESSION_COOKIE_AGE anyhow.

    That somebody did is written once a minute at most, so a session may end that much early.
    """

    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        if not request.user.is_authenticated:
            # In place of a login page within a dialog.
            return _login_first(request) if is_guarded and _is_htmx(request) else None
        now = int(time.time())
        began_at = request.session.get(access_log.BEGAN_AT, now)
        seen_at = request.session.get(access_log.SEEN_AT, now)
        if now - began_at >= settings.SESSION_COOKIE_AGE:
            return self._end(request, AccessEvent.Kind.EXPIRED, is_guarded=is_guarded)
        if now - seen_at >= settings.SESSION_IDLE_SECONDS:
            return self._end(request, AccessEvent.Kind.IDLE, is_guarded=is_guarded)
        is_to_note = now - seen_at >= SEEN_EVERY_SECONDS and _is_by_a_person(request)
        if is_to_note or access_log.BEGAN_AT not in request.session:
            request.session[access_log.BEGAN_AT], request.session[access_log.SEEN_AT] = began_at, now
        return None

    def _end(self, request: HttpRequest, kind: AccessEvent.Kind, *, is_guarded: bool) -> HttpResponse | None:
        request.session_ended_as = kind  # type: ignore[attr-defined]  # the access log asks for it
        logout(request)
        return _login_first(request, ended=kind.value) if is_guarded else None


class SecondFactorMiddleware(_BackOfficeMiddleware):
    """No page of the back office answers a session whose second factor is still to be confirmed, or set up."""

    def answer_instead(self, request: HttpRequest, *, is_guarded: bool) -> HttpResponse | None:
        user = request.user
        if not is_guarded or not user.is_authenticated or user.is_verified():  # type: ignore[attr-defined]
            return None
        if second_factor.has_one(user):
            return _elsewhere(request, "second_factor")
        if second_factor.is_required(user):
            return _elsewhere(request, "second_factor_set_up")
        return None


def _login_first(request: HttpRequest, **query: str) -> HttpResponse:
    return _elsewhere(request, "admin:login", **query)


def _elsewhere(request: HttpRequest, view: str, **query: str) -> HttpResponse:
    """To the view, and from there back to the page that the person has before them."""
    url = f"{reverse(view)}?{urlencode({'next': _page(request), **query})}"
    if _is_htmx(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def _page(request: HttpRequest) -> str:
    """What is asked for; for a form or a dialog the page that it stood on, since theirs may answer no GET."""
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
    """Not so what a script fetches or reloads by itself: a page left open would never let its session end."""
    if request.method != "GET" or "Sec-Fetch-Mode" not in request.headers:
        return True
    return _is_htmx(request) or request.headers.get("Sec-Fetch-User") == "?1"
