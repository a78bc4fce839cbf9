"""`POST /api/webhooks/provider/`: Standard Webhooks, verified over the raw body."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from time_machine import travel

from payouts.api import auth
from payouts.models import Payout, UnknownPayment, UnsignedNews, WebhookMessage
from tests.payouts.api.conftest import Api
from tests.payouts.api.provider_news import PATH, SECRET, news_of, signed
from tests.payouts.observe import everything, nothing_changes
from tests.payouts.providers.paypal.stub import VERIFY, running
from tests.payouts.providers.paypal.test_webhook import HEADERS, SUCCEEDED
from tests.payouts.providers.yookassa.objects import by_sbp, notification, payout
from tests.payouts.sandbox.paypal import CLIENT_ID, WEBHOOK_ID
from tests.payouts.sandbox.paypal import SECRET as PAYPAL_SECRET
from tests.recipes import accepted_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.PROVIDER_WEBHOOK_SECRET = SECRET


def _is_due(payout: Payout) -> bool:
    return Payout.objects.due().filter(pk=payout.pk).exists()


def test_a_signed_webhook_lets_the_provider_be_asked(stranger: Api) -> None:
    payout = accepted_payout()
    body = news_of(payout)

    response = stranger("POST", PATH, body, **signed(body))

    assert (response.status_code, response.content) == (204, b"")
    assert _is_due(payout)


def test_a_payment_that_we_do_not_know_is_kept_with_its_amount(stranger: Api) -> None:
    body = news_of(accepted_payout(), reference="0b8f3c52-6f0e-4d2a-8a51-7a0de1c2a9f3")

    response = stranger("POST", PATH, body, **signed(body, message_id="msg_7"))

    assert response.status_code == 204
    unknown = UnknownPayment.objects.get()
    assert str(unknown.reference) == "0b8f3c52-6f0e-4d2a-8a51-7a0de1c2a9f3"
    assert (str(unknown.amount), unknown.currency, unknown.provider_id) == ("100.50", "RUB", "prv_1")
    assert unknown.detail == "msg_7"


@pytest.mark.parametrize(
    "odd",
    [{"amount": "NaN"}, {"amount": None}, {"currency": "рубли"}, {"currency": 7}, {"id": 7}, {"id": "a\u202eb"}],
)
def test_what_is_odd_about_one_is_left_out(odd: dict[str, object], stranger: Api) -> None:
    body = news_of(accepted_payout(), reference="0b8f3c52-6f0e-4d2a-8a51-7a0de1c2a9f3", **odd)

    assert stranger("POST", PATH, body, **signed(body)).status_code == 204
    unknown = UnknownPayment.objects.get()
    assert (unknown.amount is None, unknown.currency, unknown.provider_id) == (
        "amount" in odd,
        "" if "currency" in odd else "RUB",
        {7: "", "a\u202eb": "ab"}.get(odd.get("id"), "prv_1"),
    )


def test_where_anybody_could_have_sent_it_the_provider_is_asked_first(stranger: Api, settings: Any) -> None:
    settings.PROVIDERS = {"main": "yookassa"}
    settings.PROVIDER_VALUES = {"main": {"WEBHOOK_NETWORKS": "127.0.0.0/8", "API_URL": "http://127.0.0.1:1"}}
    body = notification("payout.succeeded", payout(by_sbp())).decode()

    response = stranger("POST", "/api/webhooks/main/", body)

    assert response.status_code == 200
    assert (UnsignedNews.objects.count(), UnknownPayment.objects.count()) == (1, 0)


def test_whoever_sent_too_many_makes_us_ask_nobody_more(
    stranger: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "FAILURES_A_MINUTE", 3)
    with travel(1_700_000_000, tick=False), running() as paypal:
        paypal.verification = "FAILURE"
        values = {"CLIENT_ID": CLIENT_ID, "SECRET": PAYPAL_SECRET, "WEBHOOK_ID": WEBHOOK_ID, "API_URL": paypal.url}
        settings.PROVIDERS, settings.PROVIDER_VALUES = {"main": "paypal"}, {"main": values}

        sent = [stranger("POST", "/api/webhooks/main/", json.dumps(SUCCEEDED), **HEADERS) for _each in range(6)]

    assert [response.status_code for response in sent] == [401, 401, 401, 429, 429, 429]
    assert len([call for call in paypal.calls if VERIFY in call]) == 3


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [(["2001:db8::1", "2001:db8::2"], [401, 429]), (["2001:db8::1", "2001:db8:0:1::1"], [401, 401])],
)
def test_one_subscribers_addresses_are_counted_as_one(
    stranger: Api, settings: Any, monkeypatch: pytest.MonkeyPatch, addresses: list[str], statuses: list[int]
) -> None:
    monkeypatch.setattr(auth, "FAILURES_A_MINUTE", 1)
    settings.TRUSTED_PROXIES = 1
    with travel(1_700_000_000, tick=False):
        sent = [stranger("POST", PATH, "{}", X_Forwarded_For=address) for address in addresses]

    assert [response.status_code for response in sent] == statuses


def test_the_path_works_without_its_last_slash_too(stranger: Api) -> None:
    body = news_of(accepted_payout())

    assert stranger("POST", PATH.rstrip("/"), body, **signed(body)).status_code == 204


def test_the_signature_is_over_the_bytes_as_they_came(stranger: Api) -> None:
    payout = accepted_payout()
    body = news_of(payout).replace(", ", " ,\n\t")

    assert stranger("POST", PATH, body, **signed(body)).status_code == 204
    assert _is_due(payout)


@pytest.mark.parametrize("secrets", ["{ours},{other}", "{other}, {ours}"])
def test_two_secrets_are_valid_at_once_while_one_takes_the_place_of_the_other(
    secrets: str, stranger: Api, settings: Any
) -> None:
    payout = accepted_payout()
    body = news_of(payout)
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    settings.PROVIDER_WEBHOOK_SECRET = secrets.format(ours=SECRET, other=other)

    assert stranger("POST", PATH, body, **signed(body)).status_code == 204
    assert _is_due(payout)


@pytest.mark.parametrize("secrets", ["", ",", "whsec_", "{other}"])
def test_without_our_secret_among_them_a_webhook_is_refused(secrets: str, stranger: Api, settings: Any) -> None:
    payout = accepted_payout()
    body = news_of(payout)
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    settings.PROVIDER_WEBHOOK_SECRET = secrets.format(other=other)

    with nothing_changes(payout):
        assert stranger("POST", PATH, body, **signed(body)).status_code == 401


def test_a_second_signature_may_stand_beside_ours_while_secrets_change(stranger: Api) -> None:
    payout = accepted_payout()
    body = news_of(payout)
    headers = signed(body)
    headers["webhook_signature"] = f"v1,{base64.b64encode(b'x' * 32).decode()} {headers['webhook_signature']}"

    assert stranger("POST", PATH, body, **headers).status_code == 204


def _forged(payout: Payout) -> dict[str, tuple[str, dict[str, str]]]:
    body = news_of(payout)
    good = signed(body)
    now = datetime.now(UTC)
    return {
        "nothing": (body, {}),
        "another secret": (body, signed(body, secret=SECRET[:-4] + "AAA=")),
        "another body": (body.replace("100.50", "100.51"), good),
        "another id": (body, good | {"webhook_id": "msg_other"}),
        "another time": (body, good | {"webhook_timestamp": str(int(now.timestamp()) - 1)}),
        "too old": (body, signed(body, at=now - timedelta(seconds=302))),
        "too new": (body, signed(body, at=now + timedelta(seconds=302))),
        "no id": (body, good | {"webhook_id": ""}),
        "no signature": (body, good | {"webhook_signature": ""}),
        "no version": (body, good | {"webhook_signature": good["webhook_signature"].partition(",")[2]}),
        "another version": (body, good | {"webhook_signature": good["webhook_signature"].replace("v1,", "v2,")}),
        "no base64": (body, good | {"webhook_signature": "v1,###"}),
        "no time": (body, good | {"webhook_timestamp": "soon"}),
        "endless time": (body, good | {"webhook_timestamp": "1e999"}),
        "long id": (body, signed(body, message_id="m" * 256)),
    }


FORGERIES = (
    *("nothing", "another secret", "another body", "another id", "another time", "too old", "too new", "no id"),
    *("no signature", "no version", "another version", "no base64", "no time", "endless time", "long id"),
)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_bad_signature_is_401_and_changes_nothing(forgery: str, stranger: Api) -> None:
    payout = accepted_payout()
    body, headers = _forged(payout)[forgery]

    with nothing_changes(payout):
        response = stranger("POST", PATH, body, **headers)

    assert response.status_code == 401
    assert response.headers["Content-Type"].startswith("application/problem+json")
    assert not WebhookMessage.objects.exists()


def test_forgeries_are_throttled_by_the_callers_address(
    stranger: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRUSTED_PROXIES = 1
    monkeypatch.setattr(auth, "FAILURES_A_MINUTE", 3)
    body = news_of(accepted_payout())
    minute = datetime(2026, 1, 14, 12, 0, 30, tzinfo=UTC)

    with travel(minute, tick=False):
        codes = [stranger("POST", PATH, body, X_Forwarded_For="203.0.113.7").status_code for _ in range(5)]
        other = stranger("POST", PATH, body, X_Forwarded_For="203.0.113.8")
        good = stranger("POST", PATH, body, X_Forwarded_For="203.0.113.8", **signed(body, at=minute))

    assert codes == [401, 401, 401, 429, 429]
    assert (other.status_code, good.status_code) == (401, 204)


def test_298_seconds_are_not_too_old(stranger: Api) -> None:
    body = news_of(accepted_payout())

    headers = signed(body, at=datetime.now(UTC) - timedelta(seconds=298))

    assert stranger("POST", PATH, body, **headers).status_code == 204


def test_without_a_secret_every_webhook_is_401(stranger: Api, settings: Any) -> None:
    settings.PROVIDER_WEBHOOK_SECRET = ""
    body = news_of(accepted_payout())

    assert stranger("POST", PATH, body, **signed(body)).status_code == 401


def test_a_replay_is_204_and_changes_nothing(stranger: Api) -> None:
    payout = accepted_payout()
    body = news_of(payout)
    headers = signed(body)
    stranger("POST", PATH, body, **headers)
    before = everything(payout.pk)

    assert stranger("POST", PATH, body, **headers).status_code == 204
    assert everything(payout.pk) == before


@pytest.mark.parametrize(
    "body",
    [
        '{"type": "payout.created", "data": {}}',
        '{"type": "payout.updated", "data": {"reference": "order-7", "status": "succeeded"}}',
        '{"type": "payout.updated", "data": {"reference": "7f0c1d3e-0000-4000-8000-000000000000",'
        ' "status": "succeeded"}}',
    ],
)
def test_what_is_not_about_our_payments_is_taken_and_does_nothing(body: str, stranger: Api) -> None:
    payout = accepted_payout()

    with nothing_changes(payout):
        assert stranger("POST", PATH, body, **signed(body)).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"type": "payout.updated"}',
        '{"type": "payout.updated", "data": []}',
        '{"type": "payout.updated", "data": {"status": "succeeded"}}',
        '{"type": "payout.updated", "data": {"reference": "7f0c1d3e-0000-4000-8000-000000000000", "status": "odd"}}',
        '{"type": "payout.updated", "type": "payout.updated", "data": {}}',
    ],
)
def test_a_signed_body_that_is_no_payment_is_400(body: str, stranger: Api) -> None:
    assert stranger("POST", PATH, body.encode(), **signed(body)).status_code == 400


def test_only_post_is_taken(stranger: Api) -> None:
    assert stranger("GET", PATH).status_code == 405


# By account


@pytest.fixture
def main(settings: Any) -> str:
    settings.PROVIDERS = {"http": "http", "main": "http"}
    settings.PROVIDER_VALUES = {"main": {"WEBHOOK_SECRET": SECRET}}
    return "/api/webhooks/main/"


def test_an_account_has_an_address_and_secrets_of_its_own(settings: Any, main: str, stranger: Api) -> None:
    settings.PROVIDERS, settings.PROVIDER_URL = {"main": "http"}, ""
    payout = accepted_payout()
    settings.PROVIDER_WEBHOOK_SECRET = ""
    body = news_of(payout)

    assert stranger("POST", main, body, **signed(body)).status_code == 204
    assert payout.attempts.get().provider == "main"
    assert _is_due(payout)
    assert stranger("POST", PATH, body, **signed(body)).status_code == 401


def test_an_account_that_there_is_not_is_401(stranger: Api) -> None:
    body = b"{}"

    assert stranger("POST", "/api/webhooks/nobody/", body, **signed(body)).status_code == 401


def test_what_one_account_says_of_anothers_attempt_is_a_payment_that_we_do_not_know(main: str, stranger: Api) -> None:
    payout = accepted_payout()
    body = news_of(payout)

    assert stranger("POST", main, body, **signed(body)).status_code == 204

    assert not _is_due(payout)
    unknown = UnknownPayment.objects.get()
    assert (unknown.provider, unknown.reference) == ("main", payout.attempts.get().reference)


def test_two_providers_may_name_their_messages_alike(main: str, stranger: Api) -> None:
    body = news_of(accepted_payout())

    for path in (PATH, main):
        assert stranger("POST", path, body, **signed(body, message_id="1")).status_code == 204

    assert set(WebhookMessage.objects.values_list("pk", flat=True)) == {"1", "main:1"}
