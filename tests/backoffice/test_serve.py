"""One way to start the web server, with one set of options."""

import os
import re
import resource
import subprocess
import sys

import pytest

from backoffice import serve
from backoffice.local import ROOT

STARTED_BY = (
    *("Dockerfile", "fly.toml", "deploy/kubernetes/base/web.yaml"),
    *("backoffice/local/run.py", "tests/bench/stand.py"),
)


@pytest.mark.parametrize("name", STARTED_BY)
def test_whatever_starts_a_web_server_starts_this_one(name):
    assert "backoffice.serve" in (ROOT / name).read_text()


def test_nothing_else_starts_granian():
    kept = {"backoffice/serve.py", "tests/backoffice/test_serve.py"}
    files = [*ROOT.glob("*.*ml"), ROOT / "Dockerfile", ROOT / "Makefile", ROOT / ".ci/run"]
    files += [path for folder in ("backoffice", "payouts", "tests") for path in (ROOT / folder).rglob("*.py")]

    found = [
        str(path.relative_to(ROOT))
        for path in files
        if re.search(r"\bgranian\s+--|[\"']granian[\"'],|granian\.server", path.read_text())
    ]

    assert set(found) <= kept


@pytest.mark.parametrize(
    "setting",
    [
        {"WEB_THREADS": "0"},
        {"WEB_CONCURRENCY": "-1"},
        {"PORT": "http"},
        {"WEB_THREADS": "many"},
        {"LOG_LEVEL": "loud"},
    ],
)
def test_a_setting_that_means_nothing_stops_the_start(setting):
    done = subprocess.run(
        [sys.executable, "-m", "backoffice.serve"], cwd=ROOT, env=setting, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2
    assert next(iter(setting)) in done.stderr


def test_the_server_reads_env_files_before_its_own_settings(tmp_path):
    """What it asks for itself, like PORT, was read from the environment alone."""
    file = tmp_path / ".env"
    file.write_text("PORT=http\n")
    program = f"from backoffice import env_files, serve; env_files.FILES = ({str(file)!r},); serve.main([])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2
    assert "PORT must be a whole number, and is http." in done.stderr


def test_a_required_setting_that_is_missing_stops_the_start_with_its_sentence():
    """Not each process in turn, for ever, with a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "backoffice.serve", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"INDEX_KEY": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert "INDEX_KEY is not set: " in done.stderr
    assert "Traceback" not in done.stderr


def test_loading_connects_to_nothing_and_starts_no_thread():
    """What it did would be lost, or shared, when the processes fork."""
    tell = (
        "import psutil, threading; from backoffice import serve; serve.load(); "
        "print(threading.active_count(), len(psutil.Process().net_connections('all')))"
    )
    done = subprocess.run([sys.executable, "-c", tell], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["1", "0"]


def test_as_many_connections_may_be_open_as_the_machine_lets_us():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))

        serve.allow_many_files()

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(serve.FILES, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
