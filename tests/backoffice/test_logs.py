"""Where lines go, and that each is JSON: the web server's first process, granian's and Django's lines included."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from backoffice import logs
from backoffice.local.servers import free_port
from tests.backoffice.door.conftest import ROOT
from tests.waiting import wait_until

SAY = "import django; django.setup(); import structlog; structlog.get_logger('mine').warning('said', payout=7)"


def _said(before: str, **environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{before}; {SAY}"],
        cwd=ROOT,
        env=os.environ | {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json"} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout, done.stderr


def test_a_command_leaves_its_stdout_to_people() -> None:
    out, errors = _said("pass")

    assert out == ""
    assert json.loads(errors).items() >= {"event": "said", "payout": 7, "level": "warning", "logger": "mine"}.items()


def test_what_serves_writes_its_lines_to_stdout() -> None:
    out, errors = _said("from backoffice import logs; logs.to_stdout()")

    assert errors == ""
    assert json.loads(out)["event"] == "said"


@pytest.mark.parametrize("name", logs.SERVICES)
def test_the_services_of_manage_py_do(name: str) -> None:
    main = "import manage\ntry: manage.main()\nexcept SystemExit: pass\n0"

    out, errors = _said(f"import sys; sys.argv = ['manage.py', '{name}', '--help']\n{main}")

    assert errors in ("", f"Unknown command: '{name}'\nType 'manage.py help' for usage.\n")
    assert json.loads(out.splitlines()[-1])["event"] == "said"


def test_every_line_of_the_web_server_is_json_on_stdout_granians_own_too(tmp_path: Path) -> None:
    port, out, errors = free_port(), tmp_path / "out", tmp_path / "errors"
    command = [sys.executable, "-m", "backoffice.serve", "--port", str(port)]
    with out.open("wb") as output, errors.open("wb") as other:
        process = subprocess.Popen(
            [*command, "--application", "tests.backoffice.door.application:application"],
            cwd=ROOT,
            env=os.environ | {"WEB_CONCURRENCY": "1", "LOG_LEVEL": "INFO", "LOG_FORMAT": "json"},
            stdout=output,
            stderr=other,
        )
    try:
        wait_until(lambda: process.poll() is not None or _answers(port, "/healthz/"))
        assert process.poll() is None, errors.read_text()
        _answers(port, "/breaks/")
        for worker in psutil.Process(process.pid).children():
            worker.send_signal(signal.SIGKILL)
        wait_until(lambda: "_granian" in out.read_text())
    finally:
        process.terminate()
        process.wait(60)

    lines = [json.loads(line) for line in out.read_text().splitlines()]
    said = {(line["logger"], line["level"]) for line in lines}
    assert said >= {("_granian", "error"), ("backoffice.door.threads", "error")}
    assert "Unexpected exit" in next(line["event"] for line in lines if line["logger"] == "_granian")
    assert errors.read_text() == ""


def _answers(port: int, path: str) -> bool:
    with suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20).close()
        return True
    return False


@pytest.mark.parametrize("text", ["выплата", "\ud800 alone", "a\nb", "\x00"])
def test_whatever_a_line_says_it_is_one_line_of_json(text: str) -> None:
    line = logs._as_json(None, "", {"event": text, "at": object, "amount": 1})

    assert json.loads(line)["event"] == text
    assert len(line.splitlines()) == 1
    line.encode()


def test_nothing_of_sentry_or_opentelemetry_is_imported_where_neither_is_set() -> None:
    look = "from payouts import spans; s = spans.span('x'); s.__enter__(); import sys"
    tell = "print([name for name in sys.modules if name.startswith(('sentry_sdk', 'opentelemetry'))])"

    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); import backoffice.wsgi; {look}; {tell}"],
        cwd=ROOT,
        env=os.environ | {"SENTRY_DSN": "", "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == "[]"
