"""A webhook is heard when PayPal says that it sent it, and says no more than what to ask about."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from payouts.providers import Account, Message, News, UnreadableError, UnsignedError, Verdict, Webhook
from payouts.providers.paypal import webhook
from payouts.providers.paypal.webhook import hear
from tests.payouts.providers.http.faults import Peer, faulty, response
from tests.payouts.providers.paypal.objects import ID, body, by_email, event, problem
from tests.payouts.providers.paypal.stub import GRANT, VERIFY, Stub, granting
from tests.payouts.sandbox.paypal import CLIENT_ID, SECRET, WEBHOOK_ID

ATTEMPT = by_email()
SUCCEEDED = event(ATTEMPT, "SUCCEEDED", "SUCCESS")
HEADERS = {
    "Paypal-Auth-Algo": "SHA256withRSA",
    "Paypal-Cert-Url": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594",
    "Paypal-Transmission-Id": "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
    "Paypal-Transmission-Sig": "lmI95Jx3Y9nhR5SJWlHVIWpg4AgFk7n9bCHSRxbrd8A9zrhdu2rMyFrmz==",
    "Paypal-Transmission-Time": "2026-01-14T12:00:05Z",
}

type Hear = Callable[..., Message]


def account(url: str, webhook_id: str = WEBHOOK_ID) -> Account:
    values = {"CLIENT_ID": CLIENT_ID, "SECRET": SECRET, "API_URL": url, "WEBHOOK_ID": webhook_id}
    return Account("main", "paypal", values)


@pytest.fixture
def heard(stub: Stub) -> Hear:
    def heard(told: Any = SUCCEEDED, headers: dict[str, str] = HEADERS, **changes: Any) -> Message:
        sent = told if isinstance(told, bytes) else body(told)
        return hear(account(stub.url, **changes), Webhook(sent, headers, "198.51.100.7"))

    return heard


@pytest.mark.parametrize(
    ("kind", "status", "reported"),
    [
        ("SUCCEEDED", "SUCCESS", Verdict.SUCCEEDED),
        ("FAILED", "FAILED", Verdict.REFUSED),
        ("BLOCKED", "BLOCKED", Verdict.REFUSED),
        ("HELD", "ONHOLD", Verdict.PENDING),
        ("UNCLAIMED", "UNCLAIMED", Verdict.PENDING),
        ("RETURNED", "RETURNED", Verdict.RETURNED),
        ("CANCELED", "RETURNED", Verdict.RETURNED),
        ("REFUNDED", "REFUNDED", Verdict.RETURNED),
    ],
)
def test_it_tells_what_became_of_which_attempt(heard: Hear, kind: str, status: str, reported: Verdict) -> None:
    told = event(ATTEMPT, kind, status)

    message = heard(told)

    assert message == Message(told["id"], News(ATTEMPT.reference, reported, Decimal("100.50"), "USD", ID))


def test_paypal_is_asked_with_the_event_byte_for_byte(stub: Stub, heard: Hear) -> None:
    said = json.dumps(SUCCEEDED, indent=3).encode() + b"\n"

    heard(said)

    assert stub.calls == [f"POST {GRANT}", f"POST {VERIFY}"]
    asked = stub.requests[1]
    assert b',"webhook_event":' + said.strip() + b"}" in asked.body
    assert asked.content == {
        "auth_algo": HEADERS["Paypal-Auth-Algo"],
        "cert_url": HEADERS["Paypal-Cert-Url"],
        "transmission_id": HEADERS["Paypal-Transmission-Id"],
        "transmission_sig": HEADERS["Paypal-Transmission-Sig"],
        "transmission_time": HEADERS["Paypal-Transmission-Time"],
        "webhook_id": WEBHOOK_ID,
        "webhook_event": SUCCEEDED,
    }


def test_what_paypal_did_not_send_is_not_heard(stub: Stub, heard: Hear) -> None:
    stub.verification = "FAILURE"

    with pytest.raises(UnsignedError):
        heard()


@pytest.mark.parametrize("missing", HEADERS)
def test_nobody_is_asked_about_what_lacks_a_part_of_the_signature(stub: Stub, heard: Hear, missing: str) -> None:
    for value in ("", "é", "a\r\nb", "x" * 501):
        with pytest.raises(UnsignedError):
            heard(headers=HEADERS | {missing: value})
    with pytest.raises(UnsignedError):
        heard(headers={name: value for name, value in HEADERS.items() if name != missing})

    assert stub.requests == []


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"null", b'{"id": 1, "id": 2}', b"\xff", b'{}, "webhook_id": "ANOTHERS", "x": {}']
)
def test_nobody_is_asked_about_what_is_no_json_object(stub: Stub, heard: Hear, said: bytes) -> None:
    with pytest.raises(UnsignedError):
        heard(said)

    assert stub.requests == []


def test_nothing_is_heard_without_the_id_of_a_webhook(stub: Stub, heard: Hear) -> None:
    with pytest.raises(UnsignedError):
        heard(webhook_id="")

    assert stub.requests == []


@pytest.mark.parametrize(
    "said",
    [
        response(b'{"verification_status": "SUCCESS"}', 500),
        response(b'{"verification_status": "SUCCESS"}', 202),
        response(b'{"verification_status": "success"}', 200),
        response(b"{}", 200),
        response(b'{"verification_status": "SUCCESS"}', 200, "Content-Encoding: gzip\r\n"),
        response(body(problem("VALIDATION_ERROR")), 400),
    ],
)
def test_only_a_documented_yes_is_believed(said: bytes) -> None:
    with faulty(granting(said)) as server, pytest.raises(UnsignedError):
        hear(account(server.url), Webhook(body(SUCCEEDED), HEADERS, None))


def test_silence_ends_by_the_deadline_and_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "VERIFY_SECONDS", 0.2)
    with faulty(Peer.hold) as server, pytest.raises(UnsignedError):
        hear(account(server.url), Webhook(body(SUCCEEDED), HEADERS, None))


def test_a_payout_made_without_us_is_no_news(heard: Hear) -> None:
    told = json.loads(json.dumps(SUCCEEDED))
    told["resource"]["sender_batch_id"] = "Payouts_1753867886"

    assert heard(told).news is None


def test_another_event_is_no_news(heard: Hear) -> None:
    assert heard({"id": "WH-1", "event_type": "PAYMENT.SALE.COMPLETED", "resource": {}}) == Message("WH-1", None)
    assert heard({"id": "WH-2", "event_type": "PAYMENT.PAYOUTSBATCH.SUCCESS"}).news is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": None},
        {"id": "x" * 201},
        {"id": "\u0000"},
        {"event_type": None},
        {"resource": None},
        {"resource": {}},
        {"resource": SUCCEEDED["resource"] | {"transaction_status": "NEW"}},
        {"resource": SUCCEEDED["resource"] | {"transaction_status": None}},
    ],
    ids=["no id", "null", "long", "nul", "no event", "no resource", "empty", "new status", "no status"],
)
def test_what_is_no_event_is_unreadable(heard: Hear, changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        heard(SUCCEEDED | changes)
