"""The pages for machines that watch."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import RequestFactory
from django.utils import timezone

from backoffice import health
from payouts import actions
from payouts.actions import claims, recovery, unknown_payments
from payouts.models import AccountBalance, Heartbeat, Payout, UnknownPayment, VelocityLimit
from payouts.providers import Verdict
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
        "over_limit": 0,
        "waits_for_funds": 0,
        "claims_failing_since": None,
        "providers_silent": 0,
        "keys": "ok",
        "configuration": "ok",
        "recovery": False,
        "installation": "ok",
        "unknown_payments": 0,
    }


def test_recovery_mode_anothers_database_and_unknown_payments_are_told(client, settings):
    recovery.look()
    recovery.begin(by="shell:root", reason="Restored the backup of 03:00.")
    heard = unknown_payments.Heard(uuid4(), Verdict.SUCCEEDED)
    unknown_payments.note([heard], provider="http", source=UnknownPayment.Source.WEBHOOK)
    settings.INSTALLATION = "staging"

    facts = client.get("/readyz/").json()

    assert (facts["recovery"], facts["installation"], facts["unknown_payments"]) == (True, "other", 1)


def test_what_waits_for_a_limit_is_told(client):
    VelocityLimit.objects.create(scope="all", currency="RUB", window="minute", amount=50)
    pending_payout()
    actions.claim(limit=10)

    facts = client.get("/readyz/").json()

    assert (facts["backlog"], facts["over_limit"], facts["claims_failing_since"]) == (0, 1, None)


def test_what_waits_for_funds_is_told(client, settings):
    settings.PROVIDER_URL, settings.PROVIDERS = "", {"main": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {"CARD_NUMBERS": "on"}}
    AccountBalance.objects.create(account="main", currency="RUB", amount=50, at=timezone.now())
    pending_payout()
    actions.claim(limit=10)

    facts = client.get("/readyz/").json()

    assert (facts["backlog"], facts["waits_for_funds"]) == (0, 1)


def test_claims_that_fail_for_a_fault_of_ours_are_told_and_count_as_due(client, monkeypatch):
    def broken(*_given):
        raise RuntimeError("a fault of ours")

    for _each in range(5):
        pending_payout()
    monkeypatch.setattr(claims, "payment_problem", broken)
    actions.claim(limit=10)
    since = timezone.now() - timedelta(minutes=10)
    Payout.objects.update(waits_since=since)

    facts = client.get("/readyz/").json()

    assert facts["backlog"] == 5
    assert 599 <= facts["backlog_age_seconds"] <= (timezone.now() - since).total_seconds() + 1
    assert facts["claims_failing_since"] is not None


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize("served_before", [0, 1], ids=["at once", "in between"])
def test_ready_is_503_without_the_database(client, error, served_before):
    served = []

    def refuse(execute, *args):
        if len(served) == served_before:
            raise error("connection refused")
        served.append(args)
        return execute(*args)

    with connection.execute_wrapper(refuse):
        response = client.get("/readyz/")

    assert response.status_code == 503
    assert response.json()["database"] == "away"


@pytest.mark.django_db
def test_ready_says_that_the_keys_are_others(client, settings):
    settings.INDEX_KEY = "another key that is long enough to pass"

    assert client.get("/readyz/").json()["keys"] == "other"


STRANGERS = [
    {"REMOTE_ADDR": "1.1.1.1"},
    {"REMOTE_ADDR": ""},
    {"HTTP_HOST": "elsewhere.example"},  # a web page in the browser of somebody who may
    {"HTTP_X_FORWARDED_FOR": "1.1.1.1"},  # behind a proxy that nobody counts
]


def asked(**given):
    """What the page answers through the short chain, which asks for no host."""
    return json.loads(health.ready(RequestFactory().get("/", **given)).content)


@pytest.mark.django_db
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_hears_that_the_product_is_ready_and_no_figure(stranger):
    assert asked(**stranger) == {"status": "ok"}


@pytest.mark.django_db
def test_a_stranger_behind_proxies_that_are_counted_is_known_by_the_address_that_they_wrote(client, settings):
    settings.TRUSTED_PROXIES = 1

    answers = [
        "backlog" in client.get("/readyz/", HTTP_X_FORWARDED_FOR=address).json()
        for address in ("1.1.1.1", "10.0.0.1, 1.1.1.1", "10.0.0.1")
    ]

    assert answers == [False, False, True]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "watcher", [{"REMOTE_ADDR": "10.0.0.7"}, {"HTTP_HOST": "10.0.0.7:8000"}, {"HTTP_HOST": "[::1]"}]
)
def test_who_watches_from_a_private_address_gets_the_figures(watcher):
    assert "backlog" in asked(**watcher)


@pytest.mark.django_db
@pytest.mark.parametrize("stranger", STRANGERS)
def test_everybody_gets_the_figures_if_a_setting_says_so(settings, stranger):
    settings.FIGURES_FOR_EVERYBODY = True

    assert "backlog" in asked(**stranger)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_the_public_port_has_no_figures_for_anybody(client, settings, path):
    settings.FIGURES_FOR_EVERYBODY = True

    assert client.get(path).status_code == 404
