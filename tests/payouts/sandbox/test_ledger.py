"""What the sandbox has acknowledged it has paid, once, whatever is done to it."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from payouts.providers import Verdict
from payouts.providers.http.client import HttpProvider
from payouts.sandbox.ledger import Ledger, Magic
from payouts.sandbox.server import read_order
from tests.payouts.providers.programs import TOKEN, SandboxProgram, instruction, sandbox, soon
from tests.payouts.sandbox.requests import order, send


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
