"""PayPal's own Payouts SDK against the sandbox: what it sends is taken, and what it is answered it reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paypalhttp import HttpError
from paypalpayoutssdk.core import PayPalEnvironment, PayPalHttpClient
from paypalpayoutssdk.payouts import PayoutsGetRequest, PayoutsItemGetRequest, PayoutsPostRequest

from tests.payouts.providers.programs import SandboxProgram
from tests.payouts.sandbox.paypal import CLIENT_ID, PAYOUTS, SECRET, business, hold, order


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with business(tmp_path_factory.mktemp("business")) as running:
        yield running


def _client(program: SandboxProgram, secret: str = SECRET) -> Any:
    return PayPalHttpClient(PayPalEnvironment(CLIENT_ID, secret, program.url, program.url))


def _made(client: Any, body: dict[str, Any]) -> Any:
    request = PayoutsPostRequest()
    request.request_body(hold("request", body))
    return client.execute(request)


def _problem(raised: pytest.ExceptionInfo[Any]) -> tuple[int, dict[str, Any]]:
    problem: dict[str, Any] = hold("error", json.loads(raised.value.message))
    return raised.value.status_code, problem


def test_it_makes_a_payout_and_reads_the_batch_and_the_item(program: SandboxProgram) -> None:
    client, body = _client(program), order()

    made = _made(client, body)
    batch = client.execute(PayoutsGetRequest(made.result.batch_header.payout_batch_id))
    item = client.execute(PayoutsItemGetRequest(batch.result.items[0].payout_item_id))

    assert (made.status_code, made.result.batch_header.batch_status) == (201, "PENDING")
    assert batch.result.batch_header.batch_status == "SUCCESS"
    assert item.result.transaction_status == "SUCCESS"
    assert item.result.payout_item.receiver == body["items"][0]["receiver"]
    assert item.result.sender_batch_id == body["sender_batch_header"]["sender_batch_id"]


def test_it_is_told_of_a_duplicate_with_the_link_to_the_first(program: SandboxProgram) -> None:
    client, body = _client(program), order()
    made = _made(client, body)

    with pytest.raises(HttpError) as raised:
        _made(client, body)

    status, problem = _problem(raised)
    assert (status, problem["name"]) == (400, "USER_BUSINESS_ERROR")
    link = problem["details"][0]["link"][0]["href"]
    assert link.endswith(f"{PAYOUTS}/{made.result.batch_header.payout_batch_id}")


@pytest.mark.parametrize(
    ("amount", "status", "name"),
    [
        ("1313.01", 400, "VALIDATION_ERROR"),
        ("1313.07", 500, "INTERNAL_ERROR"),
        ("1313.10", 429, "RATE_LIMIT_REACHED"),
        ("20000.01", 400, "VALIDATION_ERROR"),
    ],
)
def test_it_gets_the_documented_errors(program: SandboxProgram, amount: str, status: int, name: str) -> None:
    with pytest.raises(HttpError) as raised:
        _made(_client(program), order(amount))

    told, problem = _problem(raised)
    assert (told, problem["name"]) == (status, name)


def test_it_is_told_that_there_is_not_enough_money(tmp_path: Path) -> None:
    with business(tmp_path, SANDBOX_PAYPAL_BALANCE="100") as program, pytest.raises(HttpError) as raised:
        _made(_client(program), order("100.01"))

    status, problem = _problem(raised)
    assert (status, problem["name"]) == (422, "INSUFFICIENT_FUNDS")


def test_it_is_told_of_what_is_not_there_and_of_wrong_credentials(program: SandboxProgram) -> None:
    with pytest.raises(HttpError) as unknown:
        _client(program).execute(PayoutsGetRequest("NOBODYS"))
    with pytest.raises(HttpError) as unauthorized:
        _made(_client(program, "wrong"), order())

    assert (unknown.value.status_code, unauthorized.value.status_code) == (404, 401)
