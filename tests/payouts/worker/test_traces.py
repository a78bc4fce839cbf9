"""A cluster's workers, which q2 forks, send their own spans, and log to stdout as JSON."""

import json

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from payouts import trace
from payouts.models import Payout
from tests import recipes
from tests.payouts.worker.test_supervisor import _every_ring_is_heard, provider, start  # noqa: F401 (fixtures)
from tests.receiver import receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

REQUEST = "0123456789abcdef0123456789abcdef"


def test_a_payouts_trace_goes_on_in_the_cluster(start, provider):  # noqa: F811
    with trace.of(REQUEST):
        payout = recipes.pending_payout()

    with receiver() as collector:
        cluster = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50", LOG_FORMAT="json")
        wait_until(lambda: Payout.objects.get(pk=payout.pk).status == "processed", "it is paid")
        told = wait_until(lambda: [body for body in collector.bodies("/v1/traces") if b"record" in body])

    resource = ExportTraceServiceRequest.FromString(told[0]).resource_spans[0]
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert names["service.name"] == "payouts-cluster"
    assert {span.trace_id.hex() for span in spans} == {REQUEST}
    lines = [json.loads(line) for line in cluster.log.read_text().splitlines()]
    ours = [line for line in lines if line.get("request_id") == REQUEST]
    assert [line.get("move") or line["call"] for line in ours] == ["claimed", "pay", "succeeded"]
    assert {line["payout"] for line in ours} == {payout.pk}
