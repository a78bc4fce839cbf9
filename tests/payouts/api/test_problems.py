"""Who may call, what is refused, and that every error is a problem (RFC 9457)."""

import json
import logging
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.utils import timezone

from payouts import clients
from payouts.models import ApiClient, ApiKey, Payout
from tests.payouts.api.conftest import EXAMPLE, Api

pytestmark = pytest.mark.django_db

DEEP = "[" * 100_000 + "]" * 100_000


def _with(**changes: object) -> str:
    return json.dumps({**EXAMPLE, **changes})


HOSTILE = {
    "NaN": _with().replace("100.5", "NaN"),
    "Infinity": _with().replace("100.5", "Infinity"),
    "-Infinity": _with().replace("100.5", "-Infinity"),
    "1e400": _with().replace("100.5", "1e400"),
    "1e-400": _with().replace("100.5", "1e-400"),
    "exponent beyond Decimal": _with().replace("100.5", "1e9999999999999999999"),
    "1e11 digits": _with().replace("100.5", "1" * 5_000),
    "-0": _with().replace("100.5", "-0"),
    "leading zero": _with().replace("100.5", "0100"),
    "plus sign": _with().replace("100.5", "+1"),
    "hexadecimal": _with().replace("100.5", "0x10"),
    "amount true": _with(amount=True),
    "amount null": _with(amount=None),
    "amount list": _with(amount=[1]),
    "amount object": _with(amount={"$gt": 0}),
    "amount empty": _with(amount=""),
    "amount in words": _with(amount="one"),
    "amount with a comma": _with(amount="100,50"),
    "amount with a space": _with(amount="1 000"),
    "amount in Arabic digits": _with(amount="١٠٠"),
    "amount NaN as text": _with(amount="NaN"),
    "amount sNaN as text": _with(amount="sNaN"),
    "amount with an underscore": _with(amount="1_000"),
    "user_id 2^70": _with(user_id=2**70),
    "user_id 2^63": _with(user_id=2**63),
    "user_id 0": _with(user_id=0),
    "user_id -1": _with(user_id=-1),
    "user_id true": _with(user_id=True),
    "user_id 1.0": _with(user_id=1.0),
    "user_id text": _with(user_id="123"),
    "user_id null": _with(user_id=None),
    "user_id 5000 digits": _with(user_id=0).replace('"user_id": 0', f'"user_id": {"9" * 5_000}'),
    "NUL in the comment": _with(comment="a\0b"),
    "NUL in the recipient": _with(recipient_details={"card": "a\0b"}),
    "NUL in a name": _with(recipient_details={"a\0b": "1"}),
    "NUL in the currency": _with(currency="RU\0"),
    "lone surrogate in the comment": _with(comment="x").replace('"x"', r'"\ud800"'),
    "lone surrogate in the recipient": _with(recipient_details={"card": "x"}).replace('"x"', r'"\udfff"'),
    "lone surrogate in a name": _with(recipient_details={"x": "1"}).replace('"x"', r'"\ud800"'),
    "duplicate names": '{"user_id": 1, "user_id": 2}',
    "duplicate names inside": _with().replace('"card"', '"card": "1", "card"'),
    "an extra field": _with(status="processed"),
    "a prototype": _with(__proto__={"status": "processed"}),
    "comment too long": _with(comment="x" * 1_001),
    "comment a number": _with(comment=1),
    "comment null": _with(comment=None),
    "recipient a text": _with(recipient_details="card"),
    "recipient a list": _with(recipient_details=["card"]),
    "recipient empty": _with(recipient_details={}),
    "recipient null": _with(recipient_details=None),
    "recipient too long": _with(recipient_details={"card": "1" * 10_000}),
    "recipient deep": _with(recipient_details={"a": 0}).replace('"a": 0', '"a":' + "[" * 40 + "]" * 40),
    "recipient with NaN": _with(recipient_details={"a": 0}).replace('"a": 0', '"a": NaN'),
    "recipient with 2^70": _with(recipient_details={"a": 2**70}),
    "recipient with 5000 digits": _with(recipient_details={"a": 0}).replace('"a": 0', f'"a": 0.{"1" * 5_000}'),
    "100,000 levels": DEEP,
    "100,000 objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "10 MB": _with(comment="x" * 10_000_000),
    "10 MB of zeros": "0" * 10_000_000,
    "nothing": "",
    "a space": " ",
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "a number": "1",
    "half an object": '{"user_id": 1',
    "two objects": "{}{}",
    "a comment": "/* x */ {}",
    "single quotes": "{'user_id': 1}",
    "a trailing comma": '{"user_id": 1,}',
    "not UTF-8": b'{"comment": "\xff"}',
    "UTF-16": _with().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + _with().encode(),
    "a raw newline in a text": '{"comment": "a\nb"}',
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_gets_a_4xx_and_leaves_nothing(api, name):
    response = api("POST", "/api/payouts/", HOSTILE[name])

    assert response.status_code in (400, 413), (name, response.content)
    assert response["Content-Type"] == "application/problem+json"
    assert not Payout.objects.exists()


def test_the_hostile_bodies_are_sixty_or_more():
    assert len(HOSTILE) >= 60


def test_a_body_beyond_the_limit_is_too_large(api):
    assert api("POST", "/api/payouts/", HOSTILE["10 MB"]).status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_body_that_is_not_declared_as_json_is_refused(api, content_type):
    response = api("POST", "/api/payouts/", EXAMPLE, content_type=content_type)

    assert response.status_code == 415
    assert not Payout.objects.exists()


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

    ApiKey.objects.update(**change)

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


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing/", "/api/payouts/x/", "/api/payouts/-1/", "/api/payouts/1/x/"]
)
def test_an_unknown_address_is_a_problem(api, path):
    response = api("GET", path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["trace_id"] == response["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/payouts/1/"), ("DELETE", "/api/payouts/"), ("POST", "/api/payouts/1/events/")]
)
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(api, method, path):
    response = api(method, path)

    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert response["Allow"]


def test_a_crash_is_a_problem_that_tells_nothing(api, caplog):
    caplog.set_level(logging.CRITICAL)

    def crash(*args: object) -> None:
        raise RuntimeError("card 4111111111111111")

    with connection.execute_wrapper(crash):
        response = api("GET", "/api/payouts/?user_id=1")

    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert b"4111" not in response.content
    assert response.json()["trace_id"]


def test_a_database_that_is_away_is_503_with_a_time_to_come_back(api):
    def refuse(*args: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        response = api("GET", "/api/payouts/?user_id=1")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response["Content-Type"] == "application/problem+json"


def test_too_many_requests_of_one_key_are_throttled_and_no_others(api, make_api, settings):
    settings.API_THROTTLE = "3/h"
    other = make_api("other")

    codes = [api("GET", "/api/payouts/").status_code for _ in range(4)]
    throttled = api("GET", "/api/payouts/")

    assert codes == [200, 200, 200, 429]
    assert int(throttled["Retry-After"]) > 0
    assert other("GET", "/api/payouts/").status_code == 200


def test_guessing_keys_is_throttled_by_address(api):
    codes = {Api("pk_00000000_x")("GET", "/api/payouts/").status_code for _ in range(130)}

    assert codes == {401, 429}
    assert api("GET", "/api/payouts/").status_code == 200


def test_a_cache_that_is_down_lets_requests_through(api, settings):
    settings.API_THROTTLE = "1/h"
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"},
    }
    assert cache.get("x") is None

    assert [api("POST", "/api/payouts/", EXAMPLE).status_code for _ in range(3)] == [201, 201, 201]


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


def test_settling_by_hand_needs_its_own_scope_alone(api, make_api):
    payout = api.submit()
    key = clients.create_key(ApiClient.objects.get(name="shop"), scopes=["payouts:settle"])

    response = Api(key)("PATCH", f"/api/payouts/{payout['id']}/", {"status": "processed"})

    assert response.status_code == 200
    assert Payout.objects.get().status == "processed"
    assert Api(key)("PATCH", f"/api/payouts/{payout['id']}/", {"status": "cancelled"}).status_code == 403
