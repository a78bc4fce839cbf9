"""The sandbox as a process of its own, and instructions to send it."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from payouts.providers import Instruction
from tests.waiting import wait_until

TOKEN = "tok_canary_8b1f0c7d2e"
ROOT = Path(__file__).parents[3]


def instruction(amount: str | Decimal = "100.50", currency: str = "RUB", **changes: Any) -> Instruction:
    """An attempt of an hour ago with the recipient of the contract's example."""
    fields: dict[str, Any] = {
        "reference": uuid4(),
        "payout": uuid4(),
        "amount": Decimal(amount),
        "currency": currency,
        "recipient": {"card": "0000 1111 2222 3333", "name": "Иван Петров"},
        "request_id": "trace-1",
        "age": timedelta(hours=1),
    }
    return Instruction(**(fields | changes))


def soon(seconds: float = 20.0) -> float:
    """A deadline that ordinary calls keep with ease."""
    return time.monotonic() + seconds


class SandboxProgram:
    """A running `python -m payouts.sandbox`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, url: str) -> None:
        self.process = process
        self.log = log
        self.url = url

    def payments(self, query: str = "") -> list[dict[str, str]]:
        request = urllib.request.Request(f"{self.url}/v1/payouts{query}")
        request.add_header("Authorization", f"Bearer {TOKEN}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as response:
            found: list[dict[str, str]] = msgspec.json.decode(response.read())["data"]
        return found

    def wait_for_log(self, words: str) -> None:
        """Wait until the log holds `words`."""
        wait_until(lambda: words in self.log.read_text(), f"{words!r} in the log")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def sandbox(folder: Path, *arguments: str, **environment: str) -> Iterator[SandboxProgram]:
    """Run the sandbox on a free port with its ledger in `folder`."""
    log = folder / f"sandbox-{uuid4().hex}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "payouts.sandbox",
                "--port",
                "0",
                "--ledger",
                folder / "ledger",
                *arguments,
            ],
            cwd=ROOT,
            env=os.environ | {"PROVIDER_TOKEN": TOKEN, "SANDBOX_WEBHOOK_URL": ""} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield SandboxProgram(process, log, _url(process, log))
    finally:
        process.kill()
        process.wait(20)


def _url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    def told() -> str:
        first = log.read_text().partition("\n")
        return first[0].rpartition(" ")[2] if first[1] and "http://" in first[0] else ""

    return wait_until(told, "the sandbox starts", lives=lambda: process.poll() is None, say=log.read_text)
