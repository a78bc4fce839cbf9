"""`manage.py exporter`: the figures on a port of their own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext

from backoffice.local import ROOT
from backoffice.local.servers import free_port
from payouts.figures import exporter, private_port
from tests.databases import application_url
from tests.payouts.figures.scraped import Scrape
from tests.recipes import processed_payout
from tests.waiting import wait_until


@contextmanager
def listening(figures) -> Iterator[str]:
    server = private_port.server("127.0.0.1", 0, figures)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(url: str, method: str = "GET") -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, "", error.read()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/metrics", (200, b"figures")),
        ("GET", "/metrics/", (200, b"figures")),
        ("GET", "/metrics?x=1", (200, b"figures")),
        ("HEAD", "/metrics", (200, b"")),
        ("GET", "/healthz/", (200, b"ok\n")),
        ("GET", "/", (404, b"")),
        ("GET", "/admin/", (404, b"")),
        ("POST", "/metrics", (405, b"")),
    ],
)
def test_the_private_port_has_the_figures_and_a_sign_of_life_and_nothing_else(method, path, expected) -> None:
    with listening(lambda: (200, b"figures")) as url:
        status, _kind, content = get(url + path, method)

    assert (status, content) == expected


def test_whoever_sends_nothing_keeps_nobody_waiting() -> None:
    with listening(lambda: (200, b"figures")) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            assert get(f"{url}/metrics")[0] == 200


@pytest.mark.django_db(transaction=True)
def test_the_database_is_asked_once_by_all_who_scrape_within_a_second(monkeypatch) -> None:
    monkeypatch.setattr(exporter, "KEPT_SECONDS", 3600.0)
    mine = exporter.Exporter()

    with CaptureQueriesContext(connections["default"]) as queries:
        first = mine.scrape()
        asked = len(queries)
        second = mine.scrape()

    assert first == second
    assert first[0] == 200
    assert asked == len(queries) > 10


@pytest.mark.django_db(transaction=True)
def test_it_says_503_while_the_database_is_away_and_comes_back() -> None:
    mine = exporter.Exporter()

    def refuse(execute, *args):
        raise OperationalError("connection refused")

    with connections["default"].execute_wrapper(refuse):
        away = mine.scrape()

    assert away == (503, b"")
    assert mine.scrape()[0] == 200


@pytest.mark.django_db(transaction=True)
def test_the_command_serves_what_the_database_says_until_sigterm() -> None:
    processed_payout()
    port = free_port()
    command = [sys.executable, "manage.py", "exporter", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DATABASE_URL": application_url(), "BUILD": "0123abc"}
    )
    try:
        status, kind, content = wait_until(
            lambda: get(f"http://127.0.0.1:{port}/metrics"),
            "the exporter answers",
            errors=OSError,
            lives=lambda: process.poll() is None,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()

    found = Scrape(content.decode())
    assert (status, kind) == (200, private_port.CONTENT_TYPE)
    assert found.value("moves_total", status="processed", currency="RUB", provider="http") == 1
    assert found.value("build_info", version="0.1.0", commit="0123abc") == 1


def test_a_port_that_is_taken_stops_the_command_with_a_sentence() -> None:
    with listening(lambda: (200, b"")) as url:
        port = url.rpartition(":")[2]
        command = [sys.executable, "manage.py", "exporter", "--port", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 1
    assert f"port {port}: " in done.stderr
