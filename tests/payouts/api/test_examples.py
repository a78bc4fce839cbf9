"""Every example of the document fits its schema and is what the API really takes and answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from time_machine import travel

from backoffice.door import refusals
from payouts import actions
from payouts.api import auth, examples
from payouts.models import Payout
from tests import recipes
from tests.payouts.api import promised
from tests.payouts.api.conftest import EXAMPLE, Api
from tests.payouts.api.provider_news import PATH, SECRET, news_of, signed

pytestmark = pytest.mark.django_db

KEY = examples.SENT["Idempotency-Key"]
# What differs from one payout to the next.
OWN = {"id", "reference", "created_at", "updated_at", "processed_at"}


def _described(call: promised.Json) -> Iterator[tuple[str, promised.Json]]:
    """Everything in a call that has a schema and should have an example, by where it stands."""
    for parameter in call["parameters"]:
        yield parameter["name"], parameter
    for media in call.get("requestBody", {}).get("content", {}).values():
        yield "body", media
    for status, response in call["responses"].items():
        for media in response.get("content", {}).values():
            yield status, media


def _examples(described: promised.Json) -> list[Any]:
    named = [example["value"] for example in described.get("examples", {}).values()]
    single = [described["example"]] if "example" in described else []
    return [*named, *single, *described["schema"].get("examples", [])]


def test_every_example_fits_its_schema() -> None:
    for method, path, call in promised.calls():
        for where, described in _described(call):
            for example in _examples(described):
                promised.check(described["schema"], example)
                assert example != {}, f"{method} {path} {where}"
    for header in promised.document()["components"]["headers"].values():
        promised.check(header["schema"], header["example"])


def test_every_example_within_a_schema_fits_it() -> None:
    count = 0
    for schema in promised.document()["components"]["schemas"].values():
        for described in schema.get("properties", {}).values():
            for example in described.get("examples", ()):
                promised.check(described, example)
                count += 1

    assert count >= 4


def test_everything_that_is_sent_or_answered_has_an_example() -> None:
    lacking = [
        f"{method} {path} {where}"
        for method, path, call in promised.calls()
        for where, described in _described(call)
        if not _examples(described)
    ]

    assert lacking == []


def test_every_call_that_takes_a_body_has_one_example_of_it() -> None:
    taking = {
        call["operationId"]: media
        for _method, _path, call in promised.calls()
        for media in call.get("requestBody", {}).get("content", {}).values()
    }

    assert set(taking) == {"submit_payout", "change_status", "hear_provider"}
    assert all("example" in media and "examples" not in media for media in taking.values())


def test_the_page_fills_in_what_the_contract_shows() -> None:
    (call,) = [call for _method, _path, call in promised.calls() if call["operationId"] == "submit_payout"]

    assert call["requestBody"]["content"]["application/json"]["example"] == EXAMPLE
    (key,) = [parameter for parameter in call["parameters"] if parameter["name"] == "Idempotency-Key"]
    assert key["example"]


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.PROVIDER_WEBHOOK_SECRET = SECRET


# What is sent as it stands answers what stands there


def test_the_example_of_post_pays_and_sent_again_gives_the_same_payout(api: Api) -> None:
    first = api("POST", "/api/payouts/", examples.ORDER, Idempotency_Key=KEY)
    again = api("POST", "/api/payouts/", examples.ORDER, Idempotency_Key=KEY)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert _same(first.json(), "submit_payout", 201, "Paid next")
    assert _same(again.json(), "submit_payout", 200, "The same again")


def test_the_example_of_post_twice_without_a_key_waits_and_says_why(api: Api) -> None:
    api("POST", "/api/payouts/", examples.ORDER)

    second = api("POST", "/api/payouts/", examples.ORDER)

    assert second.status_code == 201
    assert _same(second.json(), "submit_payout", 201, "Waits, as it came twice without a key")
    assert _same(_got(api, second.json()["id"]), "get_payout", 200, "Waits")


def test_the_example_of_patch_cancels(api: Api) -> None:
    payout = api.submit()

    cancelled = api("PATCH", f"/api/payouts/{payout['id']}/", examples.CALLS["change_status"].body)

    assert _same(cancelled.json(), "change_status", 200, "Cancelled")


def test_the_examples_of_a_paid_payout_are_what_is_told_of_one(api: Api) -> None:
    payout = recipes.answered(Payout.objects.get(pk=api.submit()["id"]), recipes.SUCCEEDED)

    paid, events = _got(api, payout.pk), api("GET", f"/api/payouts/{payout.pk}/events/").json()

    assert paid["status_detail"] == f"It was paid at {payout.processed_at:%Y-%m-%dT%H:%M:%SZ}."
    paid["status_detail"] = "It was paid at 2026-01-14T12:00:02Z."
    assert _same(paid, "get_payout", 200, "Paid")
    assert _without_times(events) == _without_times(examples.CALLS["list_events"].answers[200]["Paid"])
    listed = api("GET", "/api/payouts/?user_id=123").json()
    told = examples.CALLS["list_payouts"].answers[200]["A user's payouts"]
    assert {**listed, "results": None} == {**told, "results": None}
    assert _common(listed["results"][0]) == _common(told["results"][0])


def test_the_example_of_a_failed_payout_is_what_is_told_of_one(api: Api) -> None:
    payout = recipes.answered(Payout.objects.get(pk=api.submit()["id"]), recipes.REFUSED)

    assert _same(_got(api, payout.pk), "get_payout", 200, "Failed")


def test_the_example_of_a_webhook_is_one_that_the_protocol_knows(stranger: Api) -> None:
    body = json.dumps(examples.CALLS["hear_provider"].body)

    assert stranger("POST", PATH, body, **signed(body)).status_code == 204


def _got(api: Api, payout_id: int) -> dict[str, Any]:
    return api("GET", f"/api/payouts/{payout_id}/").json()  # type: ignore[no-any-return]


def _same(answer: dict[str, Any], call: str, status: int, title: str) -> bool:
    told = examples.CALLS[call].answers[status][title]
    return set(answer) == set(told) and _common(answer) == _common(told)


def _common(payout: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payout.items() if name not in OWN}


def _without_times(events: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**event, "at": None} for event in events["results"]]


# Each error that a call tells of can happen there, and reads as its example does

GOOD: dict[str, tuple[str, str, object]] = {
    "list_payouts": ("GET", "/api/payouts/?user_id=123", None),
    "submit_payout": ("POST", "/api/payouts/", EXAMPLE),
    "get_payout": ("GET", "/api/payouts/1/", None),
    "change_status": ("PATCH", "/api/payouts/1/", {"status": "cancelled"}),
    "withdraw_payout": ("DELETE", "/api/payouts/1/", None),
    "list_events": ("GET", "/api/payouts/1/events/", None),
}
TOO_LARGE = json.dumps({**EXAMPLE, "comment": "x" * 10_000_000})


def _paid(api: Api) -> str:
    payout = api.submit()
    actions.settle(payout["id"], by=recipes.person.make())
    return f"/api/payouts/{payout['id']}/"


def _withdrawn(api: Api) -> Any:
    payout = api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k").json()
    api("DELETE", f"/api/payouts/{payout['id']}/")
    return api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k")


def _reused(api: Api) -> Any:
    api("POST", "/api/payouts/", EXAMPLE, Idempotency_Key="k")
    return api("POST", "/api/payouts/", {**EXAMPLE, "amount": 1}, Idempotency_Key="k")


def _news(stranger: Api, body: str) -> Any:
    return stranger("POST", PATH, body, **signed(body))


ERRORS: dict[tuple[str, int], Callable[[Api], Any]] = {
    ("list_payouts", 400): lambda api: api("GET", "/api/payouts/?user_id=anna"),
    ("list_payouts", 404): lambda api: api("GET", "/api/payouts/?user_id=123&page=2"),
    ("submit_payout", 400): lambda api: api(
        "POST", "/api/payouts/", {**EXAMPLE, "amount": "a lot", "recipient_details": "a card"}
    ),
    ("submit_payout", 409): _withdrawn,
    ("submit_payout", 413): lambda api: api("POST", "/api/payouts/", TOO_LARGE),
    ("submit_payout", 415): lambda api: api("POST", "/api/payouts/", EXAMPLE, content_type="text/plain"),
    ("submit_payout", 422): _reused,
    **{
        (call, 400): lambda api, method=method, path=path: api(method, path, Host="elsewhere.example")
        for call, method, path in (
            ("get_payout", "GET", "/api/payouts/1/"),
            ("withdraw_payout", "DELETE", "/api/payouts/1/"),
            ("list_events", "GET", "/api/payouts/1/events/"),
        )
    },
    ("get_payout", 404): lambda api: api("GET", "/api/payouts/999999/"),
    ("change_status", 400): lambda api: api("PATCH", "/api/payouts/1/", {}),
    ("change_status", 404): lambda api: api("PATCH", "/api/payouts/999999/", {"status": "cancelled"}),
    ("change_status", 409): lambda api: api("PATCH", _paid(api), {"status": "cancelled"}),
    ("change_status", 412): lambda api: api(
        "PATCH", f"/api/payouts/{api.submit()['id']}/", {"status": "cancelled"}, If_Match='"7"'
    ),
    ("change_status", 413): lambda api: api("PATCH", "/api/payouts/1/", TOO_LARGE),
    ("change_status", 415): lambda api: api("PATCH", "/api/payouts/1/", {}, content_type="text/plain"),
    ("withdraw_payout", 404): lambda api: api("DELETE", "/api/payouts/999999/"),
    ("withdraw_payout", 409): lambda api: api("DELETE", _paid(api)),
    ("withdraw_payout", 412): lambda api: api("DELETE", f"/api/payouts/{api.submit()['id']}/", If_Match='"7"'),
    ("list_events", 404): lambda api: api("GET", "/api/payouts/999999/events/"),
    ("hear_provider", 400): lambda api: _news(api, '{"type": "payout.updated"}'),
    ("hear_provider", 401): lambda api: api("POST", PATH, {}),
    ("hear_provider", 413): lambda api: _news(api, TOO_LARGE),
}
COMMON = (401, 403, 429, 500, 503)
# Refused before Django has the request: what of it was sent is not whole.
AT_THE_DOOR = {
    (call, status): code
    for call in ("submit_payout", "change_status", "hear_provider")
    for status, code in ((408, "slow"), (411, "length"))
}


def test_every_documented_error_is_made_here() -> None:
    documented = {
        (call["operationId"], int(status))
        for _method, _path, call in promised.calls()
        for status in call["responses"]
        if int(status) >= 400
    }

    made = set(ERRORS) | {(call, status) for call in GOOD for status in COMMON}
    made |= {("hear_provider", status) for status in (403, 429, 500, 503)} | AT_THE_DOOR.keys()
    assert documented == made


@pytest.mark.parametrize(("call", "status"), AT_THE_DOOR)
def test_what_the_door_says_reads_as_its_example(call: str, status: int, settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    scope = SimpleNamespace(headers={}, path="/api/payouts/")
    refusal = refusals.RefusedError(status, AT_THE_DOOR[call, status])

    said, headers, content = refusals.answer(refusal, scope, "")

    response = SimpleNamespace(status_code=said, content=content, json=lambda: json.loads(content))
    _is_the_example(response, call, status)
    assert ("Content-Type", "application/problem+json") in headers
    assert ("Strict-Transport-Security", "max-age=31536000; includeSubDomains") in headers


def test_plain_http_is_refused_as_its_example_says(stranger: Api, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True

    _is_the_example(stranger("POST", PATH, {}), "hear_provider", 403)


@pytest.mark.parametrize(("call", "status"), ERRORS)
def test_an_error_reads_as_its_example(call: str, status: int, api: Api) -> None:
    _is_the_example(ERRORS[call, status](api), call, status)


@pytest.mark.parametrize("call", GOOD)
def test_errors_that_any_call_can_end_in_read_as_their_examples(
    call: str, api: Api, make_api: Callable[..., Api], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    other = "payouts:write" if call in ("list_payouts", "get_payout", "list_events") else "payouts:read"
    scopeless = make_api("other", scopes=(other,))

    _is_the_example(Api("wrong")(*GOOD[call]), call, 401)
    _is_the_example(scopeless(*GOOD[call]), call, 403)
    for status in (500, 503):
        with _broken(status):
            _is_the_example(api(*GOOD[call]), call, status)
    settings.API_THROTTLE = "1/h"
    with travel(datetime(2026, 1, 14, 12, 30, tzinfo=UTC), tick=False):  # not over the hour
        api(*GOOD[call])
        _is_the_example(api(*GOOD[call]), call, 429)


def test_a_webhook_is_throttled_and_breaks_as_its_examples_say(
    stranger: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    body = news_of(recipes.accepted_payout())

    for status in (500, 503):
        with _broken(status):
            _is_the_example(_news(stranger, body), "hear_provider", status)
    monkeypatch.setattr(auth, "FAILURES_A_MINUTE", 0)
    _is_the_example(stranger("POST", PATH, {}), "hear_provider", 429)


def _broken(status: int) -> AbstractContextManager[Any]:
    def fail(*_statement: object) -> None:
        raise OperationalError if status == 503 else RuntimeError

    return connection.execute_wrapper(fail)


def _is_the_example(response: Any, call: str, status: int) -> None:
    assert response.status_code == status, response.content
    told = next(each for _method, _path, each in promised.calls() if each["operationId"] == call)
    (media,) = told["responses"][str(status)]["content"].values()
    assert {**response.json(), "trace_id": ""} == {**media["example"], "trace_id": ""}
