"""What every request of the API gets: an ID, and headers that forbid what it never needs."""

import os
import subprocess
import sys

import pytest
from django.test import Client
from structlog.testing import capture_logs

from payouts.clients import create_client
from payouts.models import ApiKey, Payout, Scope
from tests import recipes
from tests.payouts.api.conftest import EXAMPLE, Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> Api:
    _client, key = create_client("shop", scopes=tuple(Scope.values))
    return Api(key)


@pytest.mark.parametrize("taken", ["a", "A-b_c.9", "x" * 128])
def test_a_request_id_is_taken_returned_and_stored(api, taken):
    response = api("POST", "/api/payouts/", EXAMPLE, X_Request_ID=taken)

    assert response["X-Request-ID"] == taken
    assert Payout.objects.get().trace_id == taken


@pytest.mark.parametrize("refused", ["", "x" * 129, "a b", "a/b", "ключ", "a\n"])
def test_another_request_id_is_replaced(api, refused):
    response = api("GET", "/api/payouts/", X_Request_ID=refused)

    assert len(response["X-Request-ID"]) == 32
    assert int(response["X-Request-ID"], 16)


def test_answers_forbid_what_an_api_never_needs(api):
    response = api("GET", "/api/payouts/")

    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["elsewhere.example", "localhost.elsewhere.example", "a@localhost", "", "[::1"])
def test_the_api_answers_under_its_own_names_only_or_a_web_page_could_call_it_by_its_own(api, host):
    response = api("POST", "/api/payouts/", EXAMPLE, Host=host)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert not Payout.objects.exists()


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/payouts/"), ("POST", "/api/payouts"), ("GET", "/api/x/")])
def test_plain_http_is_refused_by_the_api_and_not_redirected(api, settings, method, path):
    settings.SECURE_SSL_REDIRECT = True

    response = api._client.generic(method, path, headers=api._headers)

    assert response.status_code == 403
    assert "replace the key" in response.json()["detail"]
    assert ApiKey.objects.get().last_used_at is None


def test_people_who_come_over_plain_http_are_led_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/admin/login/")

    assert (response.status_code, response["Location"]) == (301, "https://testserver/admin/login/")


@pytest.mark.parametrize(("proxies", "is_believed"), [("0", False), ("1", True)])
def test_only_a_proxy_that_is_counted_says_that_a_request_came_by_https(proxies, is_believed):
    tell = "import django; django.setup(); from django.conf import settings; print(settings.SECURE_PROXY_SSL_HEADER)"
    environment = os.environ | {"TRUSTED_PROXIES": proxies}

    told = subprocess.run([sys.executable, "-c", tell], env=environment, capture_output=True, text=True, check=True)

    assert ("HTTP_X_FORWARDED_PROTO" in told.stdout) == is_believed


def test_the_log_says_which_payout_was_asked_for_or_made_and_by_which_address(api):
    with capture_logs() as lines:
        made = api("POST", "/api/payouts/", EXAMPLE).json()["id"]
        api("GET", f"/api/payouts/{made}/")
        api("GET", "/api/payouts/99999999999999999999/")
        api("GET", "/nowhere/")

    said = [(line.get("payout"), line["route"], line["status"]) for line in lines if line["event"] == "request"]
    assert said[:2] == [
        (made, "api/payouts/", 201),
        (made, "api/payouts/<int:payout_id>/", 200),
    ]
    assert [status for _payout, _route, status in said[2:]] == [404, 404]
    assert all(line["duration_ms"] >= 0 for line in lines if line["event"] == "request")


def test_the_log_says_who_asked_by_number_and_no_name_and_no_query(api):
    person = recipes.person.make(username="anna-petrova")
    browser = Client()
    browser.force_login(person, backend="payouts.staff.authority.SealedBackend")

    with capture_logs() as lines:
        api("GET", "/api/payouts/?user_id=7654321")
        browser.get("/admin/?q=7654321")
        browser.get("/admin/jsi18n/")
        Client().get("/admin/login/")
        Api("pk_wrong_key")("GET", "/api/payouts/")

    said = [(line.get("client"), line.get("person")) for line in lines if line["event"] == "request"]
    client = ApiKey.objects.get().client_id
    assert said == [(client, None), (None, person.pk), (None, person.pk), (None, None), (None, None)]
    for secret in ("anna-petrova", "7654321", "shop"):
        assert secret not in str(lines)
