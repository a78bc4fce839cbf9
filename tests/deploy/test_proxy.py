"""The proxy of deploy/compose.production.yaml, run for real before a server that tells what reached it."""

import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backoffice.local import ROOT
from backoffice.local.servers import free_port
from payouts.files.limits import FILE_BYTES
from tests.deploy.check import tool
from tests.waiting import wait_until

PATIENCE_SECONDS = 60


class Told(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: list[str] = []


class Telling(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    server: Told

    def do_POST(self) -> None:
        self.close_connection = True
        body = self.rfile.read(length := int(self.headers["Content-Length"]))
        if len(body) < length:  # broken off, as the web server sees it too
            return
        self.server.asked.append(self.path)
        answer = json.dumps({**dict(self.headers.items()), "bytes": length}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Told]:
    with Told(("127.0.0.1", 0), Telling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(web: Told, tmp_path: Any) -> Iterator[int]:
    """The port of a Caddy with our file, without TLS."""
    port = free_port()
    command = [tool("caddy"), "run", "--adapter", "caddyfile", "--config", str(ROOT / "deploy/caddy/Caddyfile")]
    settings = {"DOMAIN": f"http://127.0.0.1:{port}", "WEB": f"127.0.0.1:{web.server_port}", "HOME": str(tmp_path)}
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, env=settings, stderr=log) as process:
        try:
            with wait_until(lambda: socket.create_connection(("127.0.0.1", port), timeout=5), errors=OSError):
                pass
            yield port
        finally:
            process.terminate()


def _post(port: int, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """The status, and what the web server was told, if it was asked."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("POST", "/api/payouts/", body, headers or {})
        with connection.getresponse() as answer:
            content = answer.read()
            return answer.status, json.loads(content or "null")


def test_whose_request_it_is_says_the_proxy_and_not_the_caller(proxy):
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "elsewhere"}

    _status, seen = _post(proxy, b"{}", headers)

    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"


def test_a_request_reaches_the_web_server_when_it_is_whole(proxy, web):
    with socket.create_connection(("127.0.0.1", proxy), timeout=PATIENCE_SECONDS) as slow:
        host = f"127.0.0.1:{proxy}"
        slow.sendall(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab".encode())
        _post(proxy, b"{}")  # another one passes meanwhile
        before = list(web.asked)

        slow.sendall(b"cd")
        answer = b"".join(iter(lambda: slow.recv(65_536), b""))

    assert before == ["/api/payouts/"]
    assert b'"bytes": 4' in answer


def test_the_longest_upload_passes_and_a_longer_one_does_not(proxy, web):
    form_around_it = 4096

    longest, seen = _post(proxy, b"x" * (FILE_BYTES + form_around_it))
    too_long, _seen = _post(proxy, b"x" * (FILE_BYTES + 2 * 1024**2))

    assert (longest, seen["bytes"]) == (200, FILE_BYTES + form_around_it)
    assert too_long == 413
    assert len(web.asked) == 1
