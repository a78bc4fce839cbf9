"""What requests get: an ID and one log line each, the API its problems, people a page while the database is away."""

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext as _

from backoffice.web_figures import ROUTE
from payouts import spans, trace
from payouts.api.problems import PROBLEM, RETRY_AFTER_SECONDS, plain_problem, problem

log = structlog.get_logger("request")

# Asked for all the time, by machines and by every page.
QUIET = ("/static/", "/healthz", "/readyz")
API = "/api/"
# The docs page runs Swagger UI, from our own static files; every other answer of the API runs nothing.
API_CSP = "default-src 'none'; frame-ancestors 'none'"
DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)

type GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Takes or makes `X-Request-ID`, returns it, binds it to the logs, and logs and measures the request.

    With the numbers of the person or the API client who asked, where one was looked up, and of the payout that it was
    about; without names and the query.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        caller = request.META.get("HTTP_TRACEPARENT", "")
        proposed = request.META.get("HTTP_X_REQUEST_ID") or spans.request_id_of(caller)
        trace_id = trace.taken_or_made(proposed)
        structlog.contextvars.bind_contextvars(request_id=trace_id)
        began_at = time.perf_counter()
        try:
            with trace.of(trace_id), spans.span(str(request.method), kind="server", caller=caller) as span:
                response = self.get_response(request)
                response["X-Request-ID"] = trace_id
                request.META[ROUTE] = _route(request)
                facts = {"method": request.method, "route": _route(request), "status": response.status_code}
                facts |= _who(request) | _about(request)
                span.call_it(f"{request.method} {facts['route']}".rstrip())
                span.add(**facts)
                (log.debug if request.path.startswith(QUIET) else log.info)(
                    "request",
                    path=request.path,
                    duration_ms=round((time.perf_counter() - began_at) * 1000, 1),
                    **facts,
                )
                return response
        finally:
            structlog.contextvars.clear_contextvars()


def _route(request: HttpRequest) -> str:
    """The address's pattern; empty where it leads nowhere, or was refused before it was looked up."""
    return request.resolver_match.route if request.resolver_match else ""


def _who(request: HttpRequest) -> dict[str, int]:
    """Asks the database nothing: who logs out, or nobody looked up, is nobody."""
    client = getattr(getattr(request, "auth", None), "client", None)
    if client is not None:
        return {"client": client.pk}
    person = getattr(request, "_cached_user", None)  # what request.user has found
    return {"person": person.pk} if person is not None and person.pk is not None else {}


def _about(request: HttpRequest) -> dict[str, int]:
    """The payout that the address names, or that the request has made."""
    if made := structlog.contextvars.get_contextvars().get("payout"):
        return {"payout": made}
    match = request.resolver_match
    if match is None:
        return {}
    is_page = match.route.startswith("admin/payouts/payout/")
    number = str(match.kwargs.get("payout_id") or (match.kwargs.get("object_id") if is_page else ""))
    return {"payout": int(number)} if number.isascii() and number.isdecimal() and len(number) < 20 else {}


class ApiMiddleware:
    """Under /api/: paths work without their last slash, and every error is a problem, those of Django included.

    A request under another host's name is refused, or a web page that has its name lead here could call the API of a
    developer's machine; and one over plain HTTP, which a redirect would hide from a caller whose key went in clear.
    """

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
        response = _refusal(request) or self.get_response(request)
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


def _refusal(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return plain_problem(400)
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        return problem(403, _("Use https. This request came unencrypted: if a key was in it, replace the key."))
    return None


class DatabaseAwayMiddleware:
    """For people: while the database does not answer, a page that says so, with 503, in place of a crash."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        return database_away(exception)


def database_away(exception: Exception) -> HttpResponse:
    log.warning("database_failed", exc_info=exception)
    # Without the request, whose context processors would ask the database.
    page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
