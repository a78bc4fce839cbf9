"""The web server as it always runs, with one process of four threads, before the tests' application."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from backoffice.local import ROOT
from backoffice.local.servers import free_port
from tests.waiting import wait_until


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes
    seconds: float


@dataclass(frozen=True)
class Web:
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def connect(self, *, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))

    def ask(self, request: bytes, *, ends: bool = False, source: str = "127.0.0.1") -> Answer:
        """The answer to these bytes; `ends` when nothing more is to come."""
        with self.connect(source=source) as connection:
            began_at = time.monotonic()
            connection.sendall(request)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return read(connection, began_at)


def read(connection: socket.socket, began_at: float) -> Answer:
    received = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            received += part
    head, _, content = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, content, time.monotonic() - began_at)


def request(method: str, path: str, *headers: str, body: bytes | None = None) -> bytes:
    """A whole request, after which the server closes. Without a header Host it has one."""
    lines = [f"{method} {path} HTTP/1.1", *headers, "Connection: close"]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.append("Host: testserver")
    if body is not None and not any("content-length" in line.lower() for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serving(tmp_path_factory.mktemp("door")) as served:
        yield served


# A request that waits touches it.
BEGUN = "begun"


@contextmanager
def serving(folder: Path) -> Iterator[Web]:
    port, log = free_port(), folder / "web.log"
    command = [sys.executable, "-m", "backoffice.serve", "--port", str(port)]
    settings = {"WEB_CONCURRENCY": "1", "WEB_THREADS": "4", "LOG_LEVEL": "INFO", "LOG_FORMAT": "json"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--application", "tests.backoffice.door.application:application"],
            cwd=ROOT,
            env=os.environ | settings | {"HAS_BEGUN": str(folder / BEGUN)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    served = Web(port, process, log)
    wait_until(
        lambda: served.ask(request("GET", "/healthz/")).status == 200,
        "the start",
        errors=OSError,
        lives=lambda: process.poll() is None,
        say=log.read_text,
    )
    try:
        yield served
    finally:
        process.terminate()
        process.wait(40)
