"""What every request gets: an ID that ties its traces together, and one log line."""

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from payouts import trace

log = structlog.get_logger("request")

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
            log.info(
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
