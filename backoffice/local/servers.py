"""Servers as children of this process: started, waited for, stopped. On Linux they end even when it is killed."""

import ctypes
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

START_SECONDS = 60
STOP_SECONDS = 20
PORTS_TRIED = 3


class ServiceError(Exception):
    """A service could not be found or started; the text is a sentence for a person."""


@dataclass(frozen=True)
class Server:
    """A server that was started here."""

    url: str
    note: str
    process: subprocess.Popen[bytes]
    log: Path
    application: str = ""
    """PostgreSQL's URL for the product, which has fewer rights than the owner of `url`."""


@dataclass(frozen=True)
class Account:
    """The user that PostgreSQL runs as where we are root, whom it refuses."""

    name: str
    uid: int
    gid: int


def run_program(
    command: Sequence[str], account: Account | None, folder: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """The program's end, with both of its outputs in `stdout`; code 126, as in sh(1), when it cannot be run."""
    try:
        return subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            **_apart(account, folder, signal.SIGKILL),
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 126, str(error))


def start_server(
    command: Sequence[str],
    account: Account | None,
    folder: Path,
    output: Any,
    death_signal: signal.Signals,
    text: str = "",
) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        **_apart(account, folder, death_signal),
    )
    assert server.stdin is not None
    try:
        with server.stdin:
            server.stdin.write(text.encode())
    except BrokenPipeError:
        pass  # it is gone already, which the caller sees
    return server


def on_a_free_port(
    name: str,
    log: Path,
    start: Callable[[int, Any], subprocess.Popen[bytes]],
    answers: Callable[[subprocess.Popen[bytes], int], bool],
) -> tuple[subprocess.Popen[bytes], int]:
    """The server that `start(port, output)` starts, once it answers; another port if not. Raises ServiceError."""
    for _ in range(PORTS_TRIED):
        port = free_port()
        write_private(log, "")
        with log.open("wb") as output:
            server = start(port, output)
        if await_answer(server, partial(answers, server, port)):
            return server, port
    raise ServiceError(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")


def await_answer(server: subprocess.Popen[bytes], answers: Callable[[], bool]) -> bool:
    """Whether the server answers within START_SECONDS. One that does not is stopped."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None:
        if answers():
            return True
        if time.monotonic() > deadline:
            stop_server(server, signal.SIGTERM, signal.SIGKILL)
            return False
        time.sleep(0.03)
    return False


def stop_server(server: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    """Sends the signals one after the other, STOP_SECONDS apart, then SIGKILL, until the server has ended."""
    for number in (*signals, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(number)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def ends_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets `death_signal` when the thread that starts it ends (Linux, prctl(2)).

    Elsewhere it does nothing. `user=` of subprocess is applied before, so the setting survives it.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def arm() -> None:
        if libc is not None:
            libc.prctl(1, int(death_signal), 0, 0, 0)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(1)

    return arm


def _apart(account: Account | None, folder: Path, death_signal: signal.Signals) -> dict[str, Any]:
    """How a program runs here: as the account, in the folder, with one output, and ended with us.

    It has only what the servers need of our environment, as they may run as another user, and it may hold secrets.
    """
    kept = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    user = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    return {
        "stderr": subprocess.STDOUT,
        "cwd": folder,
        "env": {"LC_ALL": "C", "TZ": "UTC"} | {name: os.environ[name] for name in kept if name in os.environ},
        "umask": 0o077,
        "start_new_session": True,  # a terminal's Ctrl-C is for us alone
        "preexec_fn": ends_with_parent(death_signal),
        **user,
    }


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now; somebody may take it before its user does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Writes a file that only its owner may read: the account, or else our own user."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)


def package_folder(name: str) -> Path | None:
    """Where an installed package is; None where it is not installed. It is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
