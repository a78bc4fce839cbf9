"""Traces from the request to the provider's call, as a collector of OpenTelemetry receives them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from payouts import spans, trace
from payouts.clients import create_client
from payouts.models import Payout, Scope
from payouts.spans import sdk
from payouts.worker import pump
from tests import recipes
from tests.payouts.api.conftest import EXAMPLE, Api
from tests.payouts.providers.double import DoubleProvider
from tests.receiver import Receiver, receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

REQUEST = "0123456789abcdef0123456789abcdef"
SPAN = "00f067aa0ba902b7"


@pytest.fixture
def collector(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as found:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = found.url
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        spans._forget()
        yield found
    spans._forget()


@pytest.fixture
def api() -> Api:
    _client, key = create_client("shop", scopes=tuple(Scope.values))
    return Api(key)


def _told(collector: Receiver) -> list[Any]:
    read = [ExportTraceServiceRequest.FromString(body) for body in collector.bodies("/v1/traces")]
    return [
        span
        for request in read
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _until(collector: Receiver, name: str) -> list[Any]:
    """All that was told, once a span of this name was."""
    wait_until(lambda: name in [span.name for span in _told(collector)])
    return _told(collector)


def _facts(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_request_and_the_call_for_its_payout_are_one_trace(api: Api, collector: Receiver) -> None:
    api("POST", "/api/payouts/", EXAMPLE, X_Request_ID=REQUEST)
    payout = Payout.objects.get()

    pump.run(provider=DoubleProvider())

    found = _until(collector, "record")
    assert {span.trace_id.hex() for span in found} == {REQUEST} == {payout.trace_id}
    assert {span.name for span in found} == {"POST api/payouts/", "submit", "claim", "exchange", "pay", "record"}
    by_name = {span.name: span for span in found}
    assert by_name["submit"].parent_span_id == by_name["POST api/payouts/"].span_id
    assert by_name["pay"].parent_span_id == by_name["exchange"].span_id
    assert _facts(by_name["pay"]).items() >= {"payouts.provider": "http", "payouts.verdict": "succeeded"}.items()
    request = _facts(by_name["POST api/payouts/"])
    assert (request["http.response.status_code"], request["payouts.payout"]) == (201, payout.pk)
    sent = str([body for _path, body in collector.taken])
    for secret in (*map(str, EXAMPLE["recipient_details"].values()), str(EXAMPLE["amount"]), "shop"):
        assert secret not in sent


def test_an_id_that_is_no_traces_has_a_fingerprint_for_one(api: Api, collector: Receiver) -> None:
    api("GET", "/api/payouts/", X_Request_ID="order-17")

    (span,) = _until(collector, "GET api/payouts/")
    assert span.trace_id.hex() == f"{sdk.trace_id_of('order-17'):032x}" != REQUEST


def test_the_callers_trace_goes_on(api: Api, collector: Receiver) -> None:
    answer = api("GET", "/api/payouts/", traceparent=f"00-{REQUEST}-{SPAN}-01")

    (span,) = _until(collector, "GET api/payouts/")
    assert answer["X-Request-ID"] == REQUEST
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (REQUEST, SPAN)


def test_beside_a_request_id_of_its_own_the_callers_trace_is_a_link(api: Api, collector: Receiver) -> None:
    api("GET", "/api/payouts/", X_Request_ID="order-17", traceparent=f"00-{REQUEST}-{SPAN}-01")

    (span,) = _until(collector, "GET api/payouts/")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in span.links] == [(REQUEST, SPAN)]
    assert span.trace_id.hex() == f"{sdk.trace_id_of('order-17'):032x}"


@pytest.mark.parametrize(
    "header", ["", "00", f"ff-{REQUEST}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{'z' * 32}-{SPAN}-01", "a-b-c-d"]
)
def test_a_header_that_is_no_trace_gives_no_request_id(header: str, collector: Receiver) -> None:
    assert spans.request_id_of(header) == ""


def test_an_error_is_told_by_its_type_alone(collector: Receiver) -> None:
    class Broken(DoubleProvider):
        def pay(self, *_given: Any, **_named: Any) -> Any:
            raise ValueError("4929 1111 2222 3339")

    with trace.of(REQUEST):
        recipes.pending_payout()

    pump.run(provider=Broken())

    found = {span.name: span for span in _until(collector, "record")}
    assert (found["pay"].status.message, len(found["pay"].events)) == ("ValueError", 0)
    assert "4929" not in str(collector.taken)


def test_variables_that_make_no_exporter_stop_nothing(
    api: Api, collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "-1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    spans._forget()

    answer = api("GET", "/api/payouts/")

    assert (answer.status_code, collector.taken) == (200, [])


def test_where_it_is_off_nothing_is_sent(api: Api, collector: Receiver, settings: Any) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = ""

    answer = api("GET", "/api/payouts/", traceparent=f"00-{REQUEST}-{SPAN}-01")

    assert answer["X-Request-ID"] != REQUEST
    assert json.dumps(collector.taken) == "[]"
