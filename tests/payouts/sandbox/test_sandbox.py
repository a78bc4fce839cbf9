"""The sandbox as a program: what it has acknowledged it has paid, once, whatever is done to it."""

import http.client
import json
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from payouts.providers import Verdict
from payouts.providers.http.client import HttpProvider
from payouts.sandbox.ledger import Ledger, Magic
from payouts.sandbox.server import read_order
from tests.payouts.providers.programs import TOKEN, SandboxProgram, instruction, sandbox, soon

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def order(**changes: Any) -> dict[str, Any]:
    """The body of a POST."""
    fields = {
        "reference": str(uuid4()),
        "payout": str(uuid4()),
        "amount": "100.50",
        "currency": "RUB",
        "recipient": {"card": "0000 1111 2222 3333"},
    }
    return fields | changes


def send(
    program: SandboxProgram,
    method: str,
    path: str,
    body: bytes | dict[str, Any] | None = None,
    **headers: str,
) -> tuple[int, Any]:
    """Make one request by hand; the key is the body's reference unless told."""
    if isinstance(body, dict):
        headers.setdefault("Idempotency_Key", str(body.get("reference")))
        body = json.dumps(body).encode()
    headers.setdefault("Authorization", f"Bearer {TOKEN}")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(urlsplit(program.url).netloc, timeout=20)) as connection:
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


class Receiver:
    """Takes webhooks, and answers each with the next of the statuses it was given, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.received: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()
        self.statuses = list(statuses)

    def next(self, seconds: float = 20.0) -> tuple[dict[str, str], bytes]:
        return self.received.get(timeout=seconds)


@contextmanager
def receiving(*statuses: int) -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.end_headers()
            receiver.received.put((dict(self.headers.items()), body))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver, f"http://127.0.0.1:{server.server_address[1]}/api/webhooks/provider/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def provider(program: SandboxProgram) -> Iterator[HttpProvider]:
    adapter = HttpProvider(program.url, TOKEN)
    yield adapter
    adapter.close()


def test_acknowledged_payments_survive_a_kill(tmp_path: Path) -> None:
    acknowledged = []
    with sandbox(tmp_path) as program:
        adapter = HttpProvider(program.url, TOKEN)

        def pay_until_it_dies(_: int) -> None:
            while True:
                attempt = instruction()
                if adapter.pay(attempt, deadline=soon()).verdict is not Verdict.SUCCEEDED:
                    return
                acknowledged.append(attempt)
                if len(acknowledged) == 200:
                    program.process.kill()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(pay_until_it_dies, range(8)))

    with sandbox(tmp_path) as program:
        kept = {payment["reference"] for payment in program.payments()}

    assert len(acknowledged) >= 200
    assert {str(attempt.reference) for attempt in acknowledged} <= kept


def test_one_key_at_once_pays_once(program: SandboxProgram) -> None:
    body = order()

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: send(program, "POST", "/v1/payouts", body), range(32)))

    assert {status for status, _ in found} == {200, 201}
    assert len({payment["id"] for _, payment in found}) == 1
    assert len(program.payments(f"?reference={body['reference']}")) == 1


def test_one_key_at_once_pays_once_during_a_delay(tmp_path: Path) -> None:
    body = order()

    with sandbox(tmp_path, "--delay-ms", "100") as program, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: send(program, "POST", "/v1/payouts", body), range(8)))
        payments = program.payments()

    assert len({payment["id"] for _, payment in found}) == 1
    assert len(payments) == 1


def test_a_payment_can_be_made_after_the_caller_gave_up(tmp_path: Path) -> None:
    attempt = instruction()
    with sandbox(tmp_path, "--delay-ms", "600") as program:
        adapter = HttpProvider(program.url, TOKEN)
        given_up = adapter.pay(attempt, deadline=soon(0.2))
        absent = adapter.look_up(attempt, deadline=soon())
        paid = adapter.pay(attempt, deadline=soon())
        adapter.close()
        payments = program.payments()

    assert given_up.code == "timeout"
    assert absent.verdict is Verdict.ABSENT
    assert paid.verdict is Verdict.SUCCEEDED
    assert len(payments) == 1


def test_the_same_key_with_the_same_body_gets_the_same_answer(program: SandboxProgram) -> None:
    body = order()

    first = send(program, "POST", "/v1/payouts", body)
    second = send(program, "POST", "/v1/payouts", body)

    assert (first[0], second[0]) == (201, 200)
    assert first[1] == second[1]
    assert first[1].keys() == {"id", "reference", "amount", "currency", "status"}


def test_the_same_key_with_another_body_is_refused(program: SandboxProgram) -> None:
    body = order()
    send(program, "POST", "/v1/payouts", body)

    status, problem = send(program, "POST", "/v1/payouts", body | {"recipient": {"card": "4"}})

    assert (status, problem["code"]) == (409, "idempotency_key_reuse")


@pytest.mark.parametrize("magic", list(Magic))
@pytest.mark.parametrize("written", ["{}", "{}0", "whole"])
def test_a_magic_amount_is_known_in_any_currency(magic: Magic, written: str) -> None:
    amount = str(magic.value).replace(".", "") if written == "whole" else written.format(magic.value)

    assert read_order(json.dumps(order(amount=amount)).encode()).magic is magic


@pytest.mark.parametrize("amount", ["100.50", "1313.00", "1313", "1313.14", "131301.00", "131300", "13.13"])
def test_an_ordinary_amount_is_not_magic(amount: str) -> None:
    assert read_order(json.dumps(order(amount=amount)).encode()).magic is None


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


def test_a_one_time_fault_is_remembered_across_a_restart(tmp_path: Path) -> None:
    attempt = instruction(Magic.ERROR_BEFORE_PAYING.value)

    answers = []
    for _ in range(2):
        with sandbox(tmp_path) as program:
            adapter = HttpProvider(program.url, TOKEN)
            answers.append(adapter.pay(attempt, deadline=soon()))
            adapter.close()

    assert [answer.code for answer in answers] == ["http_500", ""]
    assert answers[1].verdict is Verdict.SUCCEEDED


@pytest.mark.parametrize("table", ["requests", "payments", "settlements", "deliveries"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = ''", "DELETE FROM {}"])
def test_the_ledger_is_append_only(tmp_path: Path, table: str, statement: str) -> None:
    path = tmp_path / "ledger"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO requests VALUES ('k', 1, 'f', 'now')")
        database.execute(
            "INSERT INTO payments (id, reference, payout, amount, currency, status, at)"
            " VALUES ('i', 'r', 'p', '1', 'RUB', 'pending', 'now')"
        )
        database.execute("INSERT INTO settlements (payment, status, at) VALUES (1, 'succeeded', 'now')")
        database.execute("INSERT INTO deliveries VALUES (1, 1, '204', 1, 'now')")

        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement.format(table))


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_in_the_middle_of_work(tmp_path: Path, number: int) -> None:
    with sandbox(tmp_path) as program:
        adapter = HttpProvider(program.url, TOKEN)
        adapter.pay(instruction(Magic.PENDING_THEN_SETTLED.value), deadline=soon())
        with ThreadPoolExecutor(1) as threads:
            silent = threads.submit(adapter.pay, instruction(Magic.SILENT_AFTER_PAYING.value), deadline=soon())
            program.wait_for_log("status=silent")
            code = program.stop(number)
        adapter.close()
        log = program.log.read_text()

    assert code == 0
    assert silent.result().verdict is Verdict.UNKNOWN
    assert "Traceback" not in log


def test_the_log_and_the_ledger_hold_no_recipient_and_no_token(tmp_path: Path) -> None:
    with sandbox(tmp_path) as program:
        for magic in (*Magic, None):
            if magic is not Magic.SLOW:
                body = order(amount=str(magic.value) if magic else "100.50")
                adapter = HttpProvider(program.url, TOKEN)
                adapter.pay(instruction(body["amount"]), deadline=soon(0.5))
                adapter.close()
        send(program, "POST", f"/v1/payouts?card=4111111111111111&t={TOKEN}", order(), X_Request_ID="4111 1111")
        program.stop()
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    for canary in (TOKEN, "0000 1111", "Петров", "4111 1111", "4111111111111111"):
        assert canary.encode() not in written
    assert b"request_id=trace-1" in written


def test_it_does_not_start_without_a_token(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="PROVIDER_TOKEN must be set"), sandbox(tmp_path, PROVIDER_TOKEN=""):
        pass
