"""PayPal's dialect: tokens, batches of one item, what is known for 30 days, and webhooks that can be verified."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.payouts.providers.programs import SandboxProgram, sandbox
from tests.payouts.sandbox.paypal import (
    PAYOUTS,
    SECRET,
    WEBHOOK_ID,
    ask,
    basic,
    business,
    found,
    hold,
    order,
    pay,
    send,
    token,
)
from tests.payouts.sandbox.requests import order as order_of_ours
from tests.payouts.sandbox.requests import receiving
from tests.payouts.sandbox.requests import send as send_ours

VERIFY = "/v1/notifications/verify-webhook-signature"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with business(tmp_path_factory.mktemp("business")) as running:
        yield running


def _item(batch: dict[str, Any]) -> dict[str, Any]:
    (item,) = batch["items"]
    shown: dict[str, Any] = item
    return shown


def test_a_payout_is_accepted_and_its_item_says_how_it_ended(program: SandboxProgram) -> None:
    body = hold("request", order())

    status, made = pay(program, body)
    batch = found(program, made)
    item = _item(batch)
    _, by_itself = ask(program, "GET", f"{PAYOUTS}-item/{item['payout_item_id']}")

    assert (status, made["batch_header"]["batch_status"]) == (201, "PENDING")
    assert made["batch_header"]["sender_batch_header"] == body["sender_batch_header"]
    assert (item["transaction_status"], item["payout_item_fee"]) == ("SUCCESS", {"currency": "USD", "value": "2.01"})
    assert by_itself == item | {"sender_batch_id": body["sender_batch_header"]["sender_batch_id"]}


@pytest.mark.parametrize(
    ("amount", "status", "reason"),
    [("1313.02", "FAILED", "RECEIVER_ACCOUNT_LOCKED"), ("1313.12", "PENDING", None), ("100.50", "SUCCESS", None)],
)
def test_the_magic_amounts_end_as_the_table_says(
    program: SandboxProgram, amount: str, status: str, reason: str | None
) -> None:
    _, made = pay(program, order(amount))

    item = _item(found(program, made))

    assert (item["transaction_status"], item.get("errors", {}).get("name")) == (status, reason)


def test_a_used_id_is_refused_with_a_link_to_its_payout(program: SandboxProgram) -> None:
    body = order()
    _, made = pay(program, body)

    for again in (body, order() | {"sender_batch_header": body["sender_batch_header"]}):
        status, problem = pay(program, again)
        (detail,) = problem["details"]
        assert (status, problem["name"], detail["field"]) == (400, "USER_BUSINESS_ERROR", "SENDER_BATCH_ID")
        assert detail["link"][0]["href"].endswith(f"{PAYOUTS}/{made['batch_header']['payout_batch_id']}")


def test_an_id_is_forgotten_after_its_time_and_pays_again(tmp_path: Path) -> None:
    body = order()
    with business(tmp_path, SANDBOX_PAYPAL_KEY_TTL_SECONDS="0") as program:
        made = [pay(program, body)[1]["batch_header"]["payout_batch_id"] for _time in range(2)]

    assert len(set(made)) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (order("0.00"), "items[0].amount.value"),
        (order("20000.01"), "items[0].amount.value"),
        (order("100.50", "JPY"), "items[0].amount.value"),
        (order("100.50", "RUB"), "items[0].amount.currency"),
        (order(receiver="petrov"), "items[0].receiver"),
        (order("1313.01"), "items[0].receiver"),
        (order(recipient_type="IBAN"), "items[0].recipient_type"),
        (order() | {"items": []}, "items"),
        (order() | {"sender_batch_header": {}}, "sender_batch_header.sender_batch_id"),
    ],
)
def test_what_is_not_documented_is_refused_whole(program: SandboxProgram, body: dict[str, Any], field: str) -> None:
    status, problem = pay(program, body)

    assert (status, problem["name"], problem["details"][0]["field"]) == (400, "VALIDATION_ERROR", field)


def test_the_balance_is_the_most_that_is_paid(tmp_path: Path) -> None:
    with business(tmp_path, SANDBOX_PAYPAL_BALANCE="150") as program:
        assert pay(program, order("100.00"))[0] == 201
        status, problem = pay(program, order("50.01"))

    assert (status, problem["name"]) == (422, "INSUFFICIENT_FUNDS")


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer A21AAx.9999999999.x", f"Bearer {SECRET}"])
def test_only_a_token_of_its_own_opens(program: SandboxProgram, authorization: str) -> None:
    assert ask(program, "POST", PAYOUTS, order(), Authorization=authorization)[0] == 401
    assert send(program, "GET", f"{PAYOUTS}/X", Authorization=authorization)[0] == 401


def test_wrong_credentials_get_no_token_and_a_token_ends(tmp_path: Path) -> None:
    with business(tmp_path, SANDBOX_PAYPAL_TOKEN_SECONDS="0") as program:
        given = token(program)
        wrong, _ = send(program, "POST", "/v1/oauth2/token", b"grant_type=client_credentials", **basic("wrong"))
        status, _ = send(program, "GET", f"{PAYOUTS}/X", Authorization=f"Bearer {given}")

    assert (wrong, status) == (401, 401)


def test_what_is_not_there_is_said_in_its_words(program: SandboxProgram) -> None:
    assert ask(program, "GET", f"{PAYOUTS}/NOBODYS")[0] == 404
    assert ask(program, "GET", "/v1/payments/refunds")[1]["name"] == "RESOURCE_NOT_FOUND"
    assert ask(program, "DELETE", PAYOUTS)[0] == 405
    assert ask(program, "POST", PAYOUTS, order(), Content_Type="text/plain")[0] == 415


def test_our_own_protocol_is_spoken_beside_it(program: SandboxProgram) -> None:
    assert send_ours(program, "POST", "/v1/payouts", order_of_ours())[0] == 201


@pytest.mark.parametrize(
    ("amount", "event"),
    [
        ("100.50", "PAYMENT.PAYOUTS-ITEM.SUCCEEDED"),
        ("1313.05", "PAYMENT.PAYOUTS-ITEM.FAILED"),
        ("1313.13", "PAYMENT.PAYOUTS-ITEM.RETURNED"),
    ],
)
def test_an_end_is_told_and_can_be_verified(tmp_path: Path, amount: str, event: str) -> None:
    with receiving() as (receiver, url):
        settings = {"SANDBOX_PAYPAL_WEBHOOK_URL": url, "SANDBOX_PAYPAL_WEBHOOK_ID": WEBHOOK_ID}
        with business(tmp_path, **settings) as program:
            pay(program, order(amount))
            headers, body = receiver.next()
            asked = _verification(headers, body)
            answers = [
                ask(program, "POST", VERIFY, hold("verify", each))[1]["verification_status"]
                for each in (asked, asked | {"webhook_id": "ANOTHERS"}, asked | {"webhook_event": {"id": 1.5}})
            ]

    told = hold("event", json.loads(body))
    assert told["event_type"] == event
    assert answers == ["SUCCESS", "FAILURE", "FAILURE"]


def _verification(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    given = {name.lower(): value for name, value in headers.items()}
    names = ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time")
    signed = {name: given[f"paypal-{name.replace('_', '-')}"] for name in names}
    return {**signed, "webhook_id": WEBHOOK_ID, "webhook_event": json.loads(body)}


@pytest.mark.parametrize(
    "environment",
    [
        {"SANDBOX_PAYPAL_SECRET": ""},
        {"SANDBOX_PAYPAL_CLIENT_ID": ""},
        {"SANDBOX_PAYPAL_WEBHOOK_URL": "http://127.0.0.1:1/"},
        {"SANDBOX_PAYPAL_BALANCE": "NaN"},
    ],
)
def test_what_makes_no_sense_does_not_start(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="SANDBOX_PAYPAL_"), business(tmp_path, **environment):
        pass


def test_without_an_account_nobody_answers(tmp_path: Path) -> None:
    with sandbox(tmp_path) as program:
        status, _ = send_ours(program, "GET", f"{PAYOUTS}/X")

    assert status == 404


def test_the_log_and_the_page_show_no_recipient_and_no_secret(tmp_path: Path) -> None:
    with business(tmp_path) as program:
        _, made = pay(program, order())
        _, page = _get(program, "/")
        program.stop()
        log = program.log.read_text()

    assert made["batch_header"]["payout_batch_id"] in page
    for canary in ("petrov@example.com", SECRET, "A21AA"):
        assert canary not in log
        assert canary not in page


def _get(program: SandboxProgram, path: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{program.url}{path}", timeout=20) as response:
        return response.status, response.read().decode()
