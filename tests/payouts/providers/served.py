"""A provider in memory behind a port of 127.0.0.1, for the stubs that say what it answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from jsonschema import ValidationError


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content: object
    is_dropped: bool = False


class Answering(Protocol):
    url: str
    """Where it is, while it is served."""
    faults: list[str]
    """What was asked or answered against the documents."""

    def answer(self, request: Request) -> Reply:
        """Raises ValidationError, ValueError or LookupError for what is not documented."""


@contextmanager
def served(stub: Answering, *, fault: object, path: str = "") -> Iterator[None]:
    """Under that path; `fault` is the content of the 500 that what is not documented gets, and fails the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                reply = stub.answer(Request(self.command, self.path, headers, content))
            except (ValidationError, ValueError, LookupError) as error:
                stub.faults.append(repr(error))
                reply = Reply(500, fault)
            if reply.is_dropped:
                self.close_connection = True
                return
            sent = json.dumps(reply.content).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
    assert stub.faults == []
