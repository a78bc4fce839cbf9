"""Sentry hears of each error of ours in the log: where it was, of what type, and the numbers to find the line by.

It hears nothing else: no text of an exception (it may quote what somebody sent), no variables, no request, no
cookies, no query, no user, no breadcrumbs. What went wrong in words is in our own log, under the same request ID.
"""

import logging
import sys
from types import TracebackType
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import event_from_exception

# Of a line's fields these are told, and no other.
TOLD = ("request_id", "payout", "client", "person", "provider", "attempt", "call", "code", "cluster", "invariant")
# Of an event these are left.
KEPT = frozenset(
    (
        *("event_id", "timestamp", "platform", "level", "logger", "logentry", "exception", "fingerprint", "tags"),
        *("release", "environment", "server_name", "sdk", "type"),
    )
)

# What Django refuses, such as another host's name: anybody can have it logged, as often as they like.
OF_STRANGERS = "django.security."

type ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class SentryHandler(logging.Handler):
    """A handler of the standard library's logging, for errors."""

    def __init__(self, dsn: str, environment: str, release: str) -> None:
        super().__init__(logging.ERROR)
        sentry_sdk.init(
            dsn=dsn,
            environment=environment or None,
            release=release or None,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AtexitIntegration(callback=_in_silence)],
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_session_tracking=False,
            send_client_reports=False,
            propagate_traces=False,
            before_send=_stripped,
        )

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(OF_STRANGERS):
            return
        try:
            sentry_sdk.capture_event(_event(record))
        except Exception:
            self.handleError(record)


def _event(record: logging.LogRecord) -> Event:
    # A line of ours is a dictionary; another library's is a template, or a text that may have anything in it.
    line: dict[str, Any] = record.msg if isinstance(record.msg, dict) else {}
    said = line.get("event") or (record.msg if record.args else record.name)
    error = _error(line.get("exc_info") or record.exc_info)
    event: Event = {}
    if error:
        client = sentry_sdk.get_client()
        event, _hint = event_from_exception(error, client.options, {"type": "logging", "handled": True})
    event["level"] = "fatal" if record.levelno >= logging.CRITICAL else "error"
    event["logger"] = record.name
    event["logentry"] = {"message": str(said)}
    event["fingerprint"] = [record.name, str(said), error[0].__name__ if error else ""]
    event["tags"] = {name: str(line[name]) for name in TOLD if line.get(name) is not None}
    return event


def _error(given: Any) -> ExceptionInfo | None:
    """structlog's `exc_info` is True, an exception or what sys.exc_info() gives."""
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    found = given if isinstance(given, tuple) else sys.exc_info() if given else (None, None, None)
    return found if found[0] and found[1] else None


def _stripped(event: Event, _hint: Hint) -> Event:
    kept: dict[str, Any] = {name: value for name, value in event.items() if name in KEPT}
    for each in kept.get("exception", {}).get("values", ()):
        each.pop("value", None)
        for frame in (each.get("stacktrace") or {}).get("frames", ()):
            frame.pop("vars", None)
    return kept  # type: ignore[return-value]


def _in_silence(_pending: int, _timeout: float) -> None:
    """At the end of a process what is pending is sent, without a word on its stderr."""
