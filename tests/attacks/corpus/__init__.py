"""Hostile HTTP requests as data. A part is a list of attacks; `PARTS` names them all.

In an attack's bytes @HOST@ stands for the server's name and port, @KEY@ for the key of a client with every scope,
@ADDRESS@ for an address that nobody else comes from.
"""

from collections.abc import Iterable
from dataclasses import dataclass

REFUSED = frozenset({400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 421, 422, 426, 428, 429, 431})
CLOSED = None
"""In place of a status: the connection is closed without an answer."""

HOST = b"Host: @HOST@\r\n"
KEY = b"Authorization: Bearer @KEY@\r\n"
# Each from an address of its own, or the limit of bad keys and log-ins would answer in place of what is attacked.
HTTPS = b"X-Forwarded-Proto: https\r\nX-Forwarded-For: @ADDRESS@\r\n"
JSON = b"Content-Type: application/json\r\n"
PAYOUTS = b"/api/payouts/"


@dataclass(frozen=True)
class Attack:
    """Bytes to send, and the statuses that are right. `then_ends`: we send no more, and say so (a half-closed line)."""

    name: str
    raw: bytes
    answers: frozenset[int | None] = REFUSED
    then_ends: bool = False


def request(
    method: bytes,
    target: bytes,
    headers: bytes = b"",
    body: bytes | None = None,
    *,
    version: bytes = b"HTTP/1.1",
    begin: bytes = HOST + HTTPS + KEY,
) -> bytes:
    """A whole request; with a body its length is stated."""
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    return b"%s %s %s\r\n%s%s%s\r\n%s" % (method, target, version, begin, headers, length, body or b"")


def answered(*statuses: int | None) -> frozenset[int | None]:
    return frozenset(statuses)


def either(statuses: Iterable[int | None], *more: int | None) -> frozenset[int | None]:
    return frozenset((*statuses, *more))
