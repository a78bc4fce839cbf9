"""What takes how long, for OpenTelemetry, from a request to the provider's call: where it is set, and nowhere else.

A trace's ID is the request ID, or follows from it (`sdk.trace_id_of`), and the request ID is kept with the payout. So
what a worker does hours later belongs to the request's trace, without a column of its own. Spans have numbers, codes
and names of accounts; no recipient, no amount, no text of an exception.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, Protocol

import structlog
from django.conf import settings

from payouts import trace

log = structlog.get_logger(__name__)

type Kind = Literal["internal", "server", "client"]
type Fact = str | int | None


class Span(Protocol):
    """What is being measured."""

    def call_it(self, name: str) -> None: ...

    def add(self, **facts: Fact) -> None: ...


class _Nothing:
    def call_it(self, name: str) -> None:
        pass

    def add(self, **facts: Fact) -> None:
        pass


_NOTHING = _Nothing()
_lock = threading.Lock()
_tracer: Any = None


def is_on() -> bool:
    return bool(settings.OTEL_EXPORTER_OTLP_ENDPOINT)


@contextmanager
def span(name: str, *, kind: Kind = "internal", caller: str = "", **facts: Fact) -> Iterator[Span]:
    """Measure what is done within, as a part of what this thread measures, or as a root of the request's trace.

    `caller` is the header `traceparent` of who asked. An error that leaves it is told by its type.
    """
    if not is_on():
        yield _NOTHING
        return
    with _own_tracer().span(name, kind=kind, caller=caller, facts=facts) as opened:
        yield opened


def now_ns() -> int:
    """The clock of spans."""
    return time.time_ns()


def past(name: str, request_id: str, *, began_ns: int, **facts: Fact) -> None:
    """Tell of what was done for many payouts at once, up to now, in the trace of one of them."""
    if is_on() and request_id:
        with trace.of(request_id):
            _own_tracer().past(name, began_ns=began_ns, facts=facts)


def request_id_of(traceparent: str) -> str:
    """The trace's ID of that header (W3C Trace Context), which becomes the request ID; empty where it is none."""
    if not (is_on() and traceparent):
        return ""
    version, *parts = traceparent.strip().lower().split("-")
    is_one = len(version) == 2 and version != "ff" and len(parts) >= 3 and len(parts[0]) == 32
    return parts[0] if is_one and set(parts[0]) <= set("0123456789abcdef") and set(parts[0]) != {"0"} else ""


class _NoTracer:
    """In place of one that its variables of the environment do not make: nothing is measured, and all goes on."""

    def span(self, name: str, **_given: Any) -> AbstractContextManager[Span]:
        return nullcontext(_NOTHING)

    def past(self, name: str, **_given: Any) -> None:
        pass


def _own_tracer() -> Any:
    global _tracer
    if _tracer is None:
        with _lock:
            _tracer = _tracer or _made()
    return _tracer


def _made() -> Any:
    try:
        from payouts.spans import sdk  # not imported where it is off

        return sdk.Tracer()
    except Exception:
        log.exception("tracing_not_started")
        return _NoTracer()


def _forget() -> None:
    """A thread that sends, and a lock that it held, are not there in a child."""
    global _tracer, _lock
    _tracer, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
