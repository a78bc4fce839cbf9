"""The pages for machines that watch."""

import pytest
from django.db import OperationalError, connection

from payouts.models import Heartbeat
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_alive_asks_nobody(client, django_assert_num_queries, path):
    with django_assert_num_queries(0):
        response = client.get(path)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_ready_tells_of_the_database_the_cache_the_clusters_and_the_backlog(client):
    Heartbeat.objects.create(cluster="one")
    pending_payout(recipient={"card": "0000 1111 2222 3333"})

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
        "keys": "ok",
    }


def test_ready_is_503_without_the_database(client):
    def refuse(*args: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        response = client.get("/readyz/")

    assert response.status_code == 503
    assert response.json()["database"] == "away"


@pytest.mark.django_db(transaction=True)
def test_metrics_are_prometheus_text_without_a_recipient(client):
    pending_payout(recipient={"card": "0000 1111 2222 3333"})

    response = client.get("/metrics")

    assert response.status_code == 200
    text = response.content.decode()
    assert "payouts_due 1.0" in text
    assert 'payouts_open{currency="RUB",status="pending"} 1.0' in text
    assert "0000 1111" not in text
