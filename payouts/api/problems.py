"""Every error under /api/ as `application/problem+json` (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from payouts import trace
from payouts.strict_json import dumps

PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = 5


def titles() -> dict[int, str]:
    return {
        400: _("Bad input"),
        401: _("No valid API key"),
        403: _("Not permitted"),
        404: _("Not found"),
        405: _("Method not allowed"),
        409: _("The state does not allow this"),
        412: _("The version has changed"),
        413: _("Too large"),
        415: _("Not JSON"),
        422: _("Idempotency key reused"),
        429: _("Too many requests"),
        500: _("Server error"),
        503: _("Not available now"),
    }


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> HttpResponse:
    """The answer for an error; `detail` is a sentence for the caller, and `more` its further members."""
    content = problem_content(status, detail, trace_id=trace.current.get(), **more)
    return HttpResponse(dumps(content), status=status, content_type=PROBLEM, headers=headers or {})


def problem_content(status: int, detail: str, *, trace_id: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": titles().get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "trace_id": trace_id,
        **more,
    }


def plain_problem(status: int) -> HttpResponse:
    """For answers that Django made before or after us: unknown paths, methods, crashes."""
    details = {
        400: _("The request cannot be understood."),
        404: _("There is nothing at this address."),
        405: _("This address does not take this method."),
        413: _("The body is too large."),
        500: _("Something went wrong on our side. Quote the trace ID when you ask about it."),
        503: _("The service cannot answer now. Try again in a few seconds."),
    }
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None
    return problem(status, details.get(status, HTTPStatus(status).description), headers=headers)
