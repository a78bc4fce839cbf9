"""A small web server for figures on a private port: `/metrics`, and `/healthz/` for whoever starts it anew.

It imports nothing of Django, and no prometheus_client: that one decides at its import how it counts.
"""

from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Whoever sends nothing holds a thread for so long.
WITHIN_SECONDS = 30

type Answer = tuple[int, bytes]
STATUS = {200: "200 OK", 404: "404 Not Found", 405: "405 Method Not Allowed", 503: "503 Service Unavailable"}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = WITHIN_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""


def server(host: str, port: int, figures: Callable[[], Answer]) -> WSGIServer:
    """Listens; answers once it is told to `serve_forever`. `figures` is called in any thread. Raises OSError."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, content = _answer(environ, figures)
        start_response(STATUS[status], [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store")])
        return [content if environ["REQUEST_METHOD"] != "HEAD" else b""]

    return make_server(host, port, application, _Server, _Handler)


def _answer(environ: dict[str, Any], figures: Callable[[], Answer]) -> Answer:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return 405, b""
    match environ["PATH_INFO"].rstrip("/"):
        case "/metrics":
            return figures()
        case "/healthz":
            return 200, b"ok\n"
        case _:
            return 404, b""
