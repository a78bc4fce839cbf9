"""The schema, the docs page, and the pages for machines that watch."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection

from payouts.models import Heartbeat
from tests.payouts.api.conftest import EXAMPLE

pytestmark = pytest.mark.django_db


def test_the_schema_describes_every_call(client):
    schema = client.get("/api/schema/").json()

    assert schema["openapi"].startswith("3.1")
    calls = {(method.upper(), path) for path, item in schema["paths"].items() for method in item}
    assert calls == {
        ("GET", "/api/payouts/"),
        ("POST", "/api/payouts/"),
        ("GET", "/api/payouts/{payout_id}/"),
        ("PATCH", "/api/payouts/{payout_id}/"),
        ("DELETE", "/api/payouts/{payout_id}/"),
        ("GET", "/api/payouts/{payout_id}/events/"),
        ("POST", "/api/webhooks/provider/"),
    }
    assert schema["components"]["schemas"]["PayoutIn"]["properties"]["amount"]["type"] == "number"


def test_the_docs_page_takes_everything_from_us(client):
    page = client.get("/api/docs/")

    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert addresses
    for address in addresses:
        assert address.startswith("/static/")
        assert finders.find(address.removeprefix("/static/"))
    assert "'unsafe-eval'" not in page["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_alive_asks_nobody(client, django_assert_num_queries, path):
    with django_assert_num_queries(0):
        response = client.get(path)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_ready_tells_of_the_database_the_cache_the_clusters_and_the_backlog(client, api):
    Heartbeat.objects.create(cluster="one")
    api("POST", "/api/payouts/", EXAMPLE)

    response = client.get("/readyz/")

    assert response.status_code == 200
    facts = response.json()
    assert facts.pop("backlog_age_seconds") >= 0
    assert facts == {
        "status": "ok",
        "database": "ok",
        "cache": "ok",
        "clusters": 1,
        "backlog": 1,
        "providers_silent": 0,
    }


def test_ready_is_503_without_the_database(client):
    def refuse(*args: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        response = client.get("/readyz/")

    assert response.status_code == 503
    assert response.json()["database"] == "away"


@pytest.mark.django_db(transaction=True)
def test_metrics_are_prometheus_text_without_a_recipient(client, api):
    api("POST", "/api/payouts/", EXAMPLE)

    response = client.get("/metrics")

    assert response.status_code == 200
    text = response.content.decode()
    assert "payouts_due 1.0" in text
    assert 'payouts_open{currency="RUB",status="pending"} 1.0' in text
    assert "0000 1111" not in text
