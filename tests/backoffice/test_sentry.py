"""Sentry hears where an error was, of what type, and the numbers of its line; nothing that somebody sent."""

import json
import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import sentry_sdk
import structlog
from django.test import Client

from backoffice.local.servers import free_port
from backoffice.sentry import SentryHandler
from tests.backoffice.door.conftest import ROOT
from tests.receiver import Receiver, receiver
from tests.waiting import wait_until

CARD = "4929 1111 2222 3339"


@pytest.fixture
def sentry() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def handler(sentry: Receiver) -> Iterator[SentryHandler]:
    made = SentryHandler(dsn=_dsn(sentry), environment="tests", release="abc123")
    root = logging.getLogger()
    root.addHandler(made)
    yield made
    root.removeHandler(made)
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def _dsn(sentry: Receiver) -> str:
    return f"{sentry.url.replace('//', '//key@')}/1"


def events(sentry: Receiver) -> list[dict[str, Any]]:
    """What came, once something has."""
    bodies = wait_until(lambda: sentry.bodies("/api/1/envelope/"))
    return [json.loads(body.split(b"\n")[2]) for body in bodies]


def test_an_error_is_told_by_its_place_its_type_and_its_numbers(handler: SentryHandler, sentry: Receiver) -> None:
    card = CARD
    try:
        raise ValueError(f"no bank has {card}")
    except ValueError:
        structlog.get_logger("payouts.worker.pump").exception(
            "provider_adapter_failed", payout=7, request_id="r-1", recipient=card, reason=card
        )

    (event,) = events(sentry)
    assert (event["logentry"], event["level"]) == ({"message": "provider_adapter_failed"}, "error")
    assert event["tags"] == {"payout": "7", "request_id": "r-1"}
    assert (event["environment"], event["release"]) == ("tests", "abc123")
    (error,) = event["exception"]["values"]
    assert (error["type"], "value" in error) == ("ValueError", False)
    assert error["stacktrace"]["frames"][-1]["function"].startswith("test_an_error_is_told")
    assert not any("vars" in frame for frame in error["stacktrace"]["frames"])
    assert "no bank has 4929" not in json.dumps(event)
    assert set(event) <= {
        *("event_id", "timestamp", "platform", "level", "logger", "logentry", "exception", "fingerprint", "tags"),
        *("release", "environment", "server_name", "sdk", "type"),
    }


def test_of_another_librarys_line_the_template_alone_is_told(handler: SentryHandler, sentry: Receiver) -> None:
    logging.getLogger("django.request").error("Internal Server Error: %s", f"/x/?card={CARD}")
    wait_until(lambda: sentry.taken)
    logging.getLogger("other").error(f"a text with {CARD}")  # noqa: G004 (as other libraries do)
    wait_until(lambda: len(sentry.taken) > 1)

    said = [event["logentry"]["message"] for event in events(sentry)]
    assert said == ["Internal Server Error: %s", "other"]
    assert CARD not in str(sentry.taken)


def test_what_is_no_error_is_not_told(handler: SentryHandler, sentry: Receiver) -> None:
    structlog.get_logger("payouts").warning("database_away")
    structlog.get_logger("payouts").error("invariant_broken", payout=1, invariant="row_sealed", detail="x")

    assert [event["logentry"]["message"] for event in events(sentry)] == ["invariant_broken"]


def test_a_stranger_cannot_fill_it(handler: SentryHandler, sentry: Receiver, client: Client) -> None:
    answer = client.get("/admin/login/", headers={"host": "elsewhere.example"})
    structlog.get_logger("payouts").error("invariant_broken", payout=1)

    assert answer.status_code == 400
    assert [event["logentry"]["message"] for event in events(sentry)] == ["invariant_broken"]


def test_the_web_server_tells_of_a_crash_and_nothing_of_the_request(sentry: Receiver) -> None:
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "backoffice.serve", "--port", str(port)),
            *("--application", "tests.backoffice.door.application:application"),
        ],
        cwd=ROOT,
        env=os.environ | {"WEB_CONCURRENCY": "1", "SENTRY_DSN": _dsn(sentry), "SENTRY_ENVIRONMENT": "tests"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or _asked(port, "/healthz/") == 200)
        assert process.poll() is None
        body = json.dumps({"recipient_details": {"card": CARD}}).encode()
        headers = {"Cookie": "payouts_session=secret-cookie", "Authorization": "Bearer pk_secret_key"}
        status = _asked(port, f"/breaks/?card={CARD.replace(' ', '')}", body, headers)
        told = events(sentry)
    finally:
        process.terminate()
        process.wait(60)

    assert status == 500
    assert [event["exception"]["values"][-1]["type"] for event in told] == ["RuntimeError"]
    everything = json.dumps(told) + str(sentry.taken)
    for secret in (CARD, CARD.replace(" ", ""), "secret-cookie", "pk_secret_key", "the application is broken"):
        assert secret not in everything


def _asked(port: int, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers or {})
    with suppress(OSError):
        try:
            return int(urllib.request.urlopen(request, timeout=20).status)
        except urllib.error.HTTPError as error:
            return error.code
    return 0
