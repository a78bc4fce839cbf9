"""YooKassa's own SDK against the sandbox: what it sends is taken, and what it is answered it reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from yookassa import Configuration, Payout, PersonalData, SbpBanks, Settings
from yookassa.client import ApiClient
from yookassa.domain.exceptions import (
    BadRequestError,
    InternalServerError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)
from yookassa.domain.notification import WebhookNotificationFactory
from yookassa.domain.response import PayoutListResponse

from tests.payouts.providers.programs import SandboxProgram
from tests.payouts.sandbox.requests import receiving
from tests.payouts.sandbox.yookassa import (
    CARD,
    GATEWAY_ID,
    SECRET,
    WALLET,
    gateway,
    held_answer,
    hold,
    name,
    of_amount,
    order,
    to_wallet,
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(autouse=True)
def sdk(program: SandboxProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the SDK at the sandbox, and hold what it sends and what it gets to the schema."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for field, value in {"account_id": GATEWAY_ID, "secret_key": SECRET, "api_url": f"{program.url}/v3"}.items():
        monkeypatch.setattr(Configuration, field, value)
    plain = requests.Session.request

    def held(session: requests.Session, method: str, url: str, **rest: Any) -> requests.Response:
        if rest["json"] is not None:
            hold("name request" if url.endswith("/personal_data") else "request", rest["json"])
        response = plain(session, method, url, timeout=20, **rest)
        held_answer(method.upper(), urlsplit(url).path, response.status_code, response.content)
        return response

    monkeypatch.setattr(requests.Session, "request", held)


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        (
            {"payout_destination_data": {"type": "sbp", "phone": "79000000000", "bank_id": "100000000111"}},
            {"type": "sbp", "phone": "79000000000", "bank_id": "100000000111", "recipient_checked": False},
        ),
        (
            {"payout_destination_data": {"type": "yoo_money", "account_number": WALLET}},
            {"type": "yoo_money", "account_number": WALLET},
        ),
        (
            {"payout_destination_data": {"type": "bank_card", "card": {"number": CARD}}},
            {"type": "bank_card", "card": {"first6": "555555", "last4": "4477", "card_type": "MasterCard"}},
        ),
        (
            {"payout_token": "hoiCz_UVAdi_eKEthqhjRIJp.SC.001.202101"},
            {"type": "bank_card", "card": {"first6": "555555", "last4": "4477", "card_type": "MasterCard"}},
        ),
    ],
    ids=["sbp", "wallet", "card", "token"],
)
def test_the_sdk_makes_a_payout_of_each_kind_and_finds_it(way: dict[str, Any], shown: dict[str, Any]) -> None:
    body = {name: value for name, value in order().items() if name != "payout_destination_data"} | way

    made = Payout.create(body, str(uuid4()))
    found = Payout.find_one(made.id)

    assert (made.status, str(made.amount.value), made.amount.currency) == ("succeeded", "100.50", "RUB")
    assert (made.metadata, made.description, made.test) == (body["metadata"], body["description"], True)
    assert dict(made.payout_destination) == shown
    assert dict(found) == dict(made)


def test_the_sdk_has_a_name_kept_and_a_payout_checked_against_it() -> None:
    kept = PersonalData.create(name())
    body = order(personal_data=[{"id": kept.id}])

    made = Payout.create(body)
    found = PersonalData.find_one(kept.id)

    assert (kept.status, found.id, found.status) == ("waiting_for_operation", kept.id, "active")
    assert (made.status, made.payout_destination["recipient_checked"]) == ("succeeded", True)


def test_the_sdk_reads_that_the_account_is_somebody_elses() -> None:
    kept = PersonalData.create(name("Чужой"))

    made = Payout.create(order(personal_data=[{"id": kept.id}]))

    assert (made.status, made.cancellation_details.reason) == ("canceled", "recipient_check_failed")


def test_the_sdk_reads_why_a_payout_is_canceled() -> None:
    made = Payout.create(to_wallet("410011806060766"))

    assert made.status == "canceled"
    assert (made.cancellation_details.party, made.cancellation_details.reason) == ("yoo_money", "insufficient_funds")


def test_the_sdk_repeats_a_request_and_gets_the_same_payout() -> None:
    key, body = str(uuid4()), order()

    first, second = Payout.create(body, key), Payout.create(body, key)

    assert dict(first) == dict(second)


def test_the_sdk_lists_payouts_page_by_page() -> None:
    made = [Payout.create(order()).id for _ in range(3)]

    first = Payout.list({"limit": 2, "status": "succeeded"})
    second = Payout.list({"limit": 2, "status": "succeeded", "cursor": first.next_cursor})

    assert [payout.id for payout in (*first.items, *second.items)][:3] == made[::-1]


def test_the_sdks_client_searches_by_metadata() -> None:
    """The SDK has no method of its own for it."""
    body = order()
    made = Payout.create(body)
    Payout.create(order())

    found = PayoutListResponse(
        ApiClient().request("GET", "/payouts/search", {"metadata[attempt]": body["metadata"]["attempt"]})
    )

    assert [payout.id for payout in found.items] == [made.id]


def test_the_sdk_reads_the_gateway_and_its_balance() -> None:
    before = Settings.get_account_settings()
    Payout.create(of_amount("12.34"))
    after = Settings.get_account_settings()

    assert (after.account_id, after.status, after.test) == (GATEWAY_ID, "enabled", True)
    assert set(after.payout_methods) == {"bank_card", "sbp", "yoo_money"}
    assert str(before.payout_balance.value - after.payout_balance.value) == "12.34"


def test_the_sdk_reads_the_participants_of_sbp_from_high_to_low() -> None:
    ids = [bank.bank_id for bank in SbpBanks.list().items]

    assert "100000000111" in ids
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    ("amount", "refusal", "code"),
    [
        ("1313.01", BadRequestError, "invalid_request"),
        ("1313.07", InternalServerError, "internal_server_error"),
        ("1313.08", InternalServerError, "internal_server_error"),
        ("1313.10", TooManyRequestsError, "too_many_requests"),
    ],
)
def test_the_sdk_raises_what_is_documented(amount: str, refusal: type[Exception], code: str) -> None:
    with pytest.raises(refusal) as raised:
        Payout.create(of_amount(amount))

    assert raised.value.content["code"] == code


def test_the_sdk_is_told_of_a_key_that_came_with_another_body() -> None:
    key = str(uuid4())
    Payout.create(order(), key)

    with pytest.raises(BadRequestError) as raised:
        Payout.create(order(), key)

    assert raised.value.content["parameter"] == "Idempotence-Key"


def test_the_sdk_is_told_of_a_payout_that_is_not_there() -> None:
    with pytest.raises(NotFoundError):
        Payout.find_one(f"po-{uuid4()}")


def test_the_sdk_is_told_of_a_wrong_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Configuration, "secret_key", "wrong")

    with pytest.raises(UnauthorizedError):
        Settings.get_account_settings()


def test_the_sdk_reads_a_notification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(200) as (receiver, url), gateway(tmp_path, SANDBOX_NOTIFICATION_URL=url) as notifying:
        monkeypatch.setattr(Configuration, "api_url", f"{notifying.url}/v3")
        made = Payout.create(order())
        _, body = receiver.next()

    told = WebhookNotificationFactory().create(json.loads(body))
    assert (told.event, told.object.id, told.object.status) == ("payout.succeeded", made.id, "succeeded")
