"""HTTP/1.1 by hand: what a dialect is asked, what it answers, and a POST to a receiver of webhooks."""

import asyncio
import json
import re
import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

JSON: Final = "application/json"
_REASONS: Final = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}


class BadRequestError(ValueError):
    """The request is refused with 400; the text says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out: JSON unless it is `raw`; `drop` resets the connection, `silent` never answers."""

    status: int
    content: object = None
    raw: bytes | None = None
    headers: str = ""
    content_type: str = JSON
    drop: bool = False
    silent: bool = False


def read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Return the method, the target and the headers. Raises `BadRequestError`."""
    request_line, *lines = head.decode("latin-1").split("\r\n")
    parts = request_line.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        raise BadRequestError("Only HTTP/1.1 is spoken here.")
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or name.lower() in headers:
            raise BadRequestError("A header is broken or comes twice.")
        headers[name.lower()] = value.strip()
    return parts[0], parts[1], headers


def content_length(headers: dict[str, str]) -> int:
    """Return how many bytes of body follow. Raises `BadRequestError`."""
    if "transfer-encoding" in headers:
        raise BadRequestError("Send Content-Length, not Transfer-Encoding.")
    length = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,9}", length):
        raise BadRequestError("Content-Length is no number.")
    return int(length)


def encoded(reply: Reply, *, close: bool) -> bytes:
    body = reply.raw if reply.raw is not None else json.dumps(reply.content).encode()
    connection = "Connection: close\r\n" if close else ""
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}\r\n"
        f"Content-Type: {reply.content_type}\r\nContent-Length: {len(body)}\r\n{connection}{reply.headers}\r\n"
    )
    return head.encode("latin-1") + body


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """POST JSON once and return the status. Raises OSError, EOFError or ValueError."""
    target = urlsplit(url)
    secure = target.scheme == "https"
    reader, writer = await asyncio.open_connection(
        target.hostname,
        target.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
    )
    try:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST {target.path or '/'} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n"
            f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        )
        writer.write(head.encode("latin-1") + body)
        status_line = await reader.readline()
        return int(status_line.split(b" ")[1])
    except IndexError:
        raise ValueError("no status line") from None
    finally:
        writer.close()
