"""A web server's own figures: of all its processes, on a port of their own."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from backoffice import web_figures
from backoffice.local import ROOT
from backoffice.local.servers import free_port
from tests.databases import application_url
from tests.payouts.figures.scraped import Scrape
from tests.waiting import wait_until

# Counts in files as a web process does: how is chosen when prometheus_client is imported.
COUNTS = """
import os, sys
from backoffice.web_figures import Figures
figures = Figures()
def application(environ, start_response):
    if environ.get("raises"):
        raise RuntimeError("a fault of ours")
    environ["payouts.route"] = environ.get("route", "")
    start_response(environ.get("status", "200 OK"), [])
    return [b""]
counted = figures.counted(application)
def ask(method, path, **environ):
    try:
        counted({"REQUEST_METHOD": method, "PATH_INFO": path, **environ}, lambda *given: None)
    except RuntimeError:
        pass
"""


def count(folder, program: str) -> None:
    subprocess.run(
        [sys.executable, "-c", COUNTS + program],
        cwd=ROOT,
        env=os.environ | {web_figures.FOLDER: str(folder)},
        check=True,
        timeout=60,
    )


def added_up(folder) -> Scrape:
    return Scrape(web_figures.added_up(str(folder)).decode())


def test_requests_are_counted_by_method_route_and_status_over_all_processes(tmp_path) -> None:
    one = "ask('GET', '/api/payouts/7/', route='api/payouts/<int:payout_id>/')"
    for _process in range(2):
        count(tmp_path, one)

    found = added_up(tmp_path)

    labels = {"route": "api/payouts/<int:payout_id>/"}
    assert found.value("http_requests_total", method="GET", status="200", **labels) == 2
    assert found.value("http_seconds_count", **labels) == 2


@pytest.mark.parametrize(
    ("program", "labels"),
    [
        ("ask('GET', '/static/x.css')", {"method": "GET", "route": "(static)", "status": "200"}),
        ("ask('GET', '/x', status='404 Not Found')", {"method": "GET", "route": "(none)", "status": "404"}),
        ("ask('MAKEUP', '/x')", {"method": "other", "route": "(none)", "status": "200"}),
        ("ask('GET', '/x', raises=True)", {"method": "GET", "route": "(none)", "status": "500"}),
        (
            "figures.count('POST', '(refused)', 413, 0.1)",
            {"method": "POST", "route": "(refused)", "status": "413"},
        ),
    ],
)
def test_what_has_no_route_or_strange_method_makes_few_figures(tmp_path, program, labels) -> None:
    count(tmp_path, program)

    assert added_up(tmp_path).value("http_requests_total", **labels) == 1


def test_nobody_waits_for_a_process_that_is_gone(tmp_path) -> None:
    watch = """
class Loop:
    def call_later(self, *given): pass
class Door:
    busy, waiting = 3, 2
figures.watch(Loop(), Door())
"""
    count(tmp_path, watch)

    found = added_up(tmp_path)

    assert (found.value("http_busy_threads"), found.value("http_waiting")) == (None, None)


def test_without_a_port_nothing_is_counted(monkeypatch) -> None:
    monkeypatch.delenv(web_figures.FOLDER, raising=False)

    assert web_figures.figures() is None


@contextmanager
def web(**settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """The server as it is started everywhere; its address, and that of its figures."""
    port, figures = free_port(), free_port()
    command = [sys.executable, "-m", "backoffice.serve", "--port", str(port)]
    given = {"WEB_METRICS_PORT": str(figures), "WEB_CONCURRENCY": "2"} | settings
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DATABASE_URL": application_url()} | given, start_new_session=True
    )
    try:
        yield process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{figures}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.read()


def awaited(holds: Callable[[], object]) -> None:
    wait_until(holds, errors=OSError)


def requests(text: bytes) -> float:
    return sum(float(value) for value in re.findall(rb"^payouts_http_requests_total\{.* (\S+)$", text, re.MULTILINE))


@pytest.mark.django_db(transaction=True)
def test_one_port_has_the_figures_of_all_processes_and_outlives_one_that_is_killed() -> None:
    with web() as (process, url, figures):
        awaited(lambda: get(f"{url}/healthz/"))
        for _each in range(20):
            get(f"{url}/readyz/")
        awaited(lambda: requests(get(f"{figures}/metrics")) == 20)
        first = get(f"{figures}/metrics").decode()
        processes = psutil.Process(process.pid).children()
        workers = [child for child in processes if child.num_threads() > 10]
        workers[0].kill()
        awaited(lambda: get(f"{url}/readyz/"))
        awaited(lambda: requests(get(f"{figures}/metrics")) > 20)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
        awaited(lambda: not any(child.is_running() for child in processes))

    found = Scrape(first)
    assert found.value("http_requests_total", method="GET", route="^readyz/?$", status="200") == 20
    assert found.value("http_busy_threads") is not None
    assert found.value("http_waiting") is not None
    assert len(workers) == 2
