"""A WSGI application behind the door, with short deadlines: the door is seen without the product behind it."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import django

django.setup()

from django.http import FileResponse, StreamingHttpResponse  # noqa: E402

from backoffice.door import bodies, threads, turns  # noqa: E402

bodies.WITHIN_SECONDS = 1.0
bodies.HELD_BYTES, bodies.HELD_OF_ONE_BYTES = 3_000_000, 1_000_000
threads.WITHIN_SECONDS = 1.0
threads.IDLE_SECONDS = 1
turns.WAITING = 4

PART = b"x" * 65_536
PARTS = 128


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/waits/":
        Path(os.environ["HAS_BEGUN"]).touch()
        time.sleep(0.5)
    if path in ("/stuck/", "/admin/login/"):
        time.sleep(3)
    if path == "/breaks/":
        raise RuntimeError("the application is broken")
    if path == "/exits/":
        raise SystemExit(3)
    if path == "/file/":
        file = FileResponse(Path(__file__).open("rb"))  # noqa: SIM115 (the response closes it)
        start_response("200 OK", list(file.items()))
        return file
    if path in ("/download/", "/unknown-length/"):
        response = StreamingHttpResponse(_parts())
        length = [("Content-Length", str(len(PART) * PARTS))] if path == "/download/" else []
        start_response("200 OK", length)
        return response
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    content = json.dumps(
        {
            "environ": seen,
            "body": environ["wsgi.input"].read().decode(),
            "thread": threading.get_ident(),
        }
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def _parts() -> Iterator[bytes]:
    for _ in range(PARTS):
        yield PART
