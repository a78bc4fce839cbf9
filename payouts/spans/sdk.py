"""The spans of OpenTelemetry's SDK, sent over HTTP. Its own variables of the environment say where to, and how."""

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from payouts import trace

KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_HEX = re.compile(r"(?!0{32})[0-9a-f]{32}")


def trace_id_of(request_id: str) -> int:
    """The request ID itself where it can be one, as those that we make; else a fingerprint of it."""
    if _HEX.fullmatch(request_id):
        return int(request_id, 16)
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=16).digest())


class _Ids(RandomIdGenerator):
    """A root's trace is that of the request that this thread works for."""

    def generate_trace_id(self) -> int:
        request_id = trace.current.get()
        return trace_id_of(request_id) if request_id else super().generate_trace_id()


class _Open:
    def __init__(self, span: otel.Span) -> None:
        self._span = span

    def call_it(self, name: str) -> None:
        self._span.update_name(name)

    def add(self, **facts: str | int | None) -> None:
        self._span.set_attributes(_attributes(facts))


class Tracer:
    """Of this process. A thread of its own sends the spans, in batches."""

    def __init__(self) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME") or f"payouts-{_program()}"
        provider = TracerProvider(resource=Resource.create({"service.name": name}), id_generator=_Ids())
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = provider.get_tracer("payouts")

    @contextmanager
    def span(self, name: str, *, kind: str, caller: str, facts: Mapping[str, Any]) -> Iterator[_Open]:
        context, links = _from_caller(caller)
        with self._tracer.start_as_current_span(
            name,
            context=context,
            links=links,
            kind=KINDS[kind],
            attributes=_attributes(facts),
            record_exception=False,  # its text may quote what somebody sent
            set_status_on_exception=False,
        ) as span:
            try:
                yield _Open(span)
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def past(self, name: str, *, began_ns: int, facts: Mapping[str, Any]) -> None:
        self._tracer.start_span(name, context=Context(), start_time=began_ns, attributes=_attributes(facts)).end()


def _from_caller(traceparent: str) -> tuple[Context | None, list[otel.Link]]:
    """The caller's span as the parent where its trace is that of the request ID; else as a link."""
    if not traceparent:
        return None, []
    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    caller = otel.get_current_span(context).get_span_context()
    if not caller.is_valid:
        return None, []
    if caller.trace_id == trace_id_of(trace.current.get()):
        return context, []
    return None, [otel.Link(caller)]


def _attributes(facts: Mapping[str, Any]) -> dict[str, str | int]:
    """Under OpenTelemetry's names where it has them, and the others under ours."""
    named = {
        "method": "http.request.method",
        "route": "http.route",
        "status": "http.response.status_code",
    }
    return {named.get(key, f"payouts.{key}"): value for key, value in facts.items() if value is not None}


def _program() -> str:
    words = [word for word in sys.argv[1:2] if word.isidentifier()]
    return words[0] if os.path.basename(sys.argv[0]) == "manage.py" and words else "web"
