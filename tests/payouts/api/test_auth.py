"""Who may call, with which scopes, and how often."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from time_machine import travel

from payouts import clients
from payouts.api import auth
from payouts.models import ApiClient, ApiKey, Payout
from tests.payouts.api.conftest import EXAMPLE, Api

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["", "x", "pk_", "pk_x_y", "pk_00000000_", "pk_\u0430_b", "pk_" + "a" * 5_000])
def test_a_key_of_nobody_is_refused(db, key):
    response = Api(key)("GET", "/api/payouts/")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


def test_without_a_key_nobody_gets_in(stranger):
    for method, path in [("GET", "/api/payouts/"), ("POST", "/api/payouts/"), ("GET", "/api/payouts/1/events/")]:
        assert stranger(method, path, EXAMPLE if method == "POST" else None).status_code == 401


def test_another_kind_of_authorization_is_refused(db):
    assert Api(None)("GET", "/api/payouts/", Authorization="Basic eDp5").status_code == 401


@pytest.mark.parametrize(
    "change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(days=1)}]
)
def test_a_revoked_or_expired_key_stops_at_once(api, change):
    assert api("GET", "/api/payouts/").status_code == 200

    key = ApiKey.objects.get()
    vars(key).update(change)
    key.save()

    assert api("GET", "/api/payouts/").status_code == 401


def test_without_a_key_the_anonymous_client_acts_where_it_is_set(make_api, stranger, settings):
    make_api("demo")
    settings.DEBUG = True
    settings.API_ANONYMOUS_CLIENT = "demo"

    assert stranger("POST", "/api/payouts/", EXAMPLE).status_code == 201
    assert Payout.objects.get().client.name == "demo"
    assert Api("wrong")("GET", "/api/payouts/").status_code == 401


def test_the_anonymous_client_acts_in_development_alone(make_api, stranger, settings):
    make_api("demo")
    settings.DEBUG = False
    settings.API_ANONYMOUS_CLIENT = "demo"

    assert stranger("POST", "/api/payouts/", EXAMPLE).status_code == 401


def test_an_anonymous_client_that_does_not_exist_lets_nobody_in(stranger, settings):
    settings.DEBUG = True
    settings.API_ANONYMOUS_CLIENT = "nobody"

    assert stranger("GET", "/api/payouts/").status_code == 401


@pytest.mark.parametrize(
    ("scopes", "method", "body"),
    [
        (("payouts:write",), "GET", None),
        (("payouts:read",), "PATCH", {"status": "cancelled"}),
        (("payouts:read", "payouts:write"), "PATCH", {"status": "processed"}),
        (("payouts:read",), "DELETE", None),
    ],
)
def test_a_call_beyond_the_keys_scopes_is_forbidden(make_api, scopes, method, body):
    response = make_api(scopes=scopes)(method, "/api/payouts/1/", body)

    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"


def test_submitting_needs_the_scope_to_write(make_api):
    assert make_api(scopes=("payouts:read",))("POST", "/api/payouts/", EXAMPLE).status_code == 403
    assert not Payout.objects.exists()


def test_settling_by_hand_needs_its_own_scope_alone(api, make_api):
    payout = api.submit()
    key = clients.create_key(ApiClient.objects.get(name="shop"), scopes=["payouts:settle"])

    response = Api(key)("PATCH", f"/api/payouts/{payout['id']}/", {"status": "processed"})

    assert response.status_code == 200
    assert Payout.objects.get().status == "processed"
    assert Api(key)("PATCH", f"/api/payouts/{payout['id']}/", {"status": "cancelled"}).status_code == 403


@pytest.fixture
def _within_one_minute():
    """Calls are counted by the clock's minutes and hours: no new count begins between two calls."""
    with travel(datetime(2026, 1, 14, 12, 0, 30, tzinfo=UTC), tick=False):
        yield


@pytest.mark.usefixtures("_within_one_minute")
def test_too_many_requests_of_one_key_are_throttled_and_no_others(api, make_api, settings):
    settings.API_THROTTLE = "3/h"
    other = make_api("other")

    codes = [api("GET", "/api/payouts/").status_code for _ in range(4)]
    throttled = api("GET", "/api/payouts/")

    assert codes == [200, 200, 200, 429]
    assert int(throttled["Retry-After"]) > 0
    assert other("GET", "/api/payouts/").status_code == 200


@pytest.mark.usefixtures("_within_one_minute")
def test_guessing_keys_is_throttled_by_address(api):
    codes = {Api("pk_00000000_x")("GET", "/api/payouts/").status_code for _ in range(130)}

    assert codes == {401, 429}
    assert api("GET", "/api/payouts/").status_code == 200


@pytest.fixture
def _behind_a_proxy(settings, monkeypatch, _within_one_minute):
    settings.TRUSTED_PROXIES = 1
    monkeypatch.setattr(auth, "FAILURES_A_MINUTE", 3)


@pytest.mark.usefixtures("_behind_a_proxy", "db")
def test_guessing_keys_behind_a_proxy_is_throttled_by_the_clients_address():
    guesser = Api("pk_00000000_x")

    codes = [guesser("GET", "/api/payouts/", X_Forwarded_For="203.0.113.7").status_code for _ in range(5)]

    assert codes == [401, 401, 401, 429, 429]
    assert guesser("GET", "/api/payouts/", X_Forwarded_For="203.0.113.8").status_code == 401


@pytest.mark.usefixtures("_behind_a_proxy", "db")
def test_an_address_that_the_client_wrote_itself_is_not_believed():
    """The last one is the proxy's own word."""
    guesser = Api("pk_00000000_x")

    codes = [
        guesser("GET", "/api/payouts/", X_Forwarded_For=f"198.51.100.{made_up}, 203.0.113.7").status_code
        for made_up in range(5)
    ]

    assert codes == [401, 401, 401, 429, 429]


def test_a_cache_that_is_down_lets_requests_through(api, settings):
    settings.API_THROTTLE = "1/h"
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"},
    }
    assert cache.get("x") is None

    assert [api("POST", "/api/payouts/", EXAMPLE).status_code for _ in range(3)] == [201, 201, 201]
