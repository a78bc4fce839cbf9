"""What the sandbox answers, and the webhooks that it sends."""

import http.client
import json
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from payouts.providers import Verdict
from payouts.providers.http.client import HttpProvider
from payouts.sandbox.ledger import Magic
from tests.payouts.providers.programs import TOKEN, SandboxProgram, instruction, sandbox, soon
from tests.payouts.sandbox.requests import SECRET, order, receiving, send


def test_a_slow_payment_outlasts_an_impatient_caller_and_succeeds(provider: HttpProvider) -> None:
    attempt = instruction(Magic.SLOW.value)

    impatient = provider.pay(attempt, deadline=soon(0.2))
    patient = provider.pay(attempt, deadline=soon())

    assert (impatient.verdict, impatient.code) == (Verdict.UNKNOWN, "timeout")
    assert patient.verdict is Verdict.SUCCEEDED


def test_pending_payments_end_with_signed_webhooks(tmp_path: Path) -> None:
    settling = instruction(Magic.PENDING_THEN_SETTLED.value)
    bouncing = instruction(Magic.PENDING_THEN_REJECTED.value)
    with (
        receiving() as (receiver, url),
        sandbox(tmp_path, SANDBOX_WEBHOOK_URL=url, PROVIDER_WEBHOOK_SECRET=SECRET) as program,
    ):
        adapter = HttpProvider(program.url, TOKEN)
        accepted = [adapter.pay(attempt, deadline=soon()) for attempt in (settling, bouncing)]
        received = [receiver.next() for _ in accepted]
        found = [adapter.look_up(attempt, deadline=soon()).verdict for attempt in (settling, bouncing)]
        adapter.close()

    webhooks = [Webhook(SECRET).verify(body, headers) for headers, body in received]
    assert {webhook["type"] for webhook in webhooks} == {"payout.updated"}
    ends = {webhook["data"]["id"]: webhook["data"] for webhook in webhooks}
    settled, bounced = (ends[answer.provider_id] for answer in accepted)
    assert (settled["reference"], settled["status"]) == (str(settling.reference), "succeeded")
    assert (bounced["reference"], bounced["status"]) == (str(bouncing.reference), "rejected")
    assert bounced["code"] == "beneficiary_bank_rejected"
    assert found == [Verdict.SUCCEEDED, Verdict.REFUSED]
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(received[0][1], received[0][0])


def test_a_returned_payment_is_told_by_webhook_and_found_as_such(tmp_path: Path) -> None:
    attempt = instruction(Magic.PAID_THEN_RETURNED.value)
    with (
        receiving() as (receiver, url),
        sandbox(tmp_path, SANDBOX_WEBHOOK_URL=url, PROVIDER_WEBHOOK_SECRET=SECRET) as program,
    ):
        adapter = HttpProvider(program.url, TOKEN)
        paid = adapter.pay(attempt, deadline=soon())
        headers, body = receiver.next()
        found = adapter.look_up(attempt, deadline=soon())
        adapter.close()

    assert Webhook(SECRET).verify(body, headers)["data"]["status"] == "returned"
    assert (paid.verdict, found.verdict) == (Verdict.SUCCEEDED, Verdict.RETURNED)


def test_a_settlement_survives_a_kill_and_its_webhook_is_sent_until_it_is_taken(tmp_path: Path) -> None:
    attempt = instruction(Magic.PENDING_THEN_SETTLED.value)
    with receiving(500) as (receiver, url):
        settings = {"SANDBOX_WEBHOOK_URL": url, "PROVIDER_WEBHOOK_SECRET": SECRET}
        with sandbox(tmp_path, **settings) as program:
            HttpProvider(program.url, TOKEN).pay(attempt, deadline=soon())
            program.kill()
        with sandbox(tmp_path, **settings) as program:
            (not_taken, _), (taken, body) = receiver.next(), receiver.next()
            program.wait_for_log("outcome=204")
            payments = program.payments()
        with sandbox(tmp_path, **settings), pytest.raises(Empty):
            receiver.next(0.5)

    assert not_taken["webhook-id"] == taken["webhook-id"]
    assert json.loads(body)["data"]["reference"] == str(attempt.reference)
    assert [payment["status"] for payment in payments] == ["succeeded"]


def test_the_list_is_newest_first(tmp_path: Path) -> None:
    bodies = [order() for _ in range(3)]
    with sandbox(tmp_path) as program:
        for body in bodies:
            send(program, "POST", "/v1/payouts", body)
        _, listed = send(program, "GET", "/v1/payouts")
        _, limited = send(program, "GET", "/v1/payouts?limit=1")

    assert [payment["reference"] for payment in listed["data"]] == [each["reference"] for each in bodies[::-1]]
    assert [payment["reference"] for payment in limited["data"]] == [bodies[-1]["reference"]]
    assert limited["count"] == 3


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", f"bearer {TOKEN}", f"Basic {TOKEN}"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_the_token_opens(program: SandboxProgram, method: str, authorization: str) -> None:
    body = order()

    status, _ = send(program, method, "/v1/payouts", body, Authorization=authorization)

    assert status == 401
    assert program.payments(f"?reference={body['reference']}") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"amount": 100.5},
        lambda body: body | {"amount": "1e2"},
        lambda body: body | {"amount": "0.00"},
        lambda body: body | {"amount": "-1.00"},
        lambda body: body | {"amount": "NaN"},
        lambda body: body | {"currency": "rub"},
        lambda body: body | {"currency": None},
        lambda body: body | {"payout": "1"},
        lambda body: body | {"reference": body["reference"].upper()},
        lambda body: body | {"recipient": {}},
        lambda body: body | {"recipient": "card"},
        lambda body: body | {"extra": 1},
        lambda body: {name: body[name] for name in body if name != "payout"},
        lambda body: b"",
        lambda body: b"{",
        lambda body: b"[]",
        lambda body: b"[" * 50_000,
        lambda body: b"\xff",
        lambda body: json.dumps(body).replace('"currency"', '"amount": "1.00", "currency"').encode(),
    ],
)
def test_a_body_that_is_not_the_contracts_is_refused(
    program: SandboxProgram, change: Callable[[dict[str, Any]], dict[str, Any] | bytes]
) -> None:
    body = order()

    status, problem = send(program, "POST", "/v1/payouts", change(body), Idempotency_Key=body["reference"].lower())

    assert (status, problem["code"]) == (400, "bad_request")
    assert program.payments(f"?reference={body['reference']}") == []


def test_a_key_that_is_not_the_reference_is_refused(program: SandboxProgram) -> None:
    assert send(program, "POST", "/v1/payouts", order(), Idempotency_Key=str(uuid4()))[0] == 400


def test_a_huge_body_is_refused(program: SandboxProgram) -> None:
    with closing(http.client.HTTPConnection(urlsplit(program.url).netloc, timeout=20)) as connection:
        connection.putrequest("POST", "/v1/payouts")
        connection.putheader("Content-Length", "10000000")
        connection.endheaders()

        assert connection.getresponse().status == 413


def test_junk_does_not_stop_it(program: SandboxProgram) -> None:
    address = urlsplit(program.url)
    for junk in (
        b"\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"\xff" * 100_000,
        b"GET /\r\nA\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
    ):
        with closing(socket.create_connection((address.hostname, address.port), 20)) as sock:
            sock.sendall(junk)

    assert send(program, "GET", "/healthz", Authorization="") == (200, {"status": "ok"})
    assert "Traceback" not in program.log.read_text()
    assert send(program, "GET", "/nothing")[0] == 404
    assert send(program, "PUT", "/v1/payouts")[0] == 405
