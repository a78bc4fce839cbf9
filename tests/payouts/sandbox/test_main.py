"""The sandbox as a program: how it starts and stops, and what it writes down."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payouts.providers import Verdict
from payouts.providers.http.client import HttpProvider
from payouts.sandbox.ledger import Magic
from tests.payouts.providers.programs import TOKEN, instruction, sandbox, soon
from tests.payouts.sandbox.requests import order, send


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
