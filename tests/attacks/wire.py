"""HTTP by hand: what a library would refuse to send, and answers read no further than they go."""

import socket
from contextlib import suppress
from dataclasses import dataclass, field

# The server waits ten seconds for what is missing in a request; who hears nothing for twice as long waits for ever.
HUNG_SECONDS = 25.0
HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer; without a status the connection was closed, or nothing came for HUNG_SECONDS."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hung: bool = False


def exchange(port: int, raw: bytes, *, then_ends: bool = False, seconds: float = HUNG_SECONDS) -> Heard:
    """Send the bytes and return the answer to the first request in them. `then_ends` half-closes after them."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        # A server that refuses early closes while we still send; its answer is there all the same.
        with suppress(ConnectionError):
            line.sendall(raw)
            if then_ends:
                line.shutdown(socket.SHUT_WR)
        try:
            return _read(line, is_bodiless=raw.startswith(b"HEAD "))
        except TimeoutError:
            return Heard(hung=True)
        except ConnectionError:
            return Heard()


def _read(line: socket.socket, *, is_bodiless: bool) -> Heard:
    got = b""
    while b"\r\n\r\n" not in got:
        more = line.recv(65536)
        if not more or len(got) > HEAD_LIMIT:
            return Heard()
        got += more
    head, _blank, body = got.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ", 2)
    if not first.startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        return Heard()
    status = int(words[1])
    pairs = (each.decode("latin-1").partition(":") for each in lines)
    headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
    if 100 <= status < 200:
        return _read_on(line, body, is_bodiless=is_bodiless)
    if is_bodiless or status in (204, 304):
        return Heard(status, headers)
    if headers.get("content-length", "").isdecimal():
        length = int(headers["content-length"])
        while len(body) < length:
            more = line.recv(65536)
            if not more:
                break
            body += more
    return Heard(status, headers, body)


def _read_on(line: socket.socket, begun: bytes, *, is_bodiless: bool) -> Heard:
    """After a 100 Continue, the answer proper."""
    if begun:
        return Heard()
    return _read(line, is_bodiless=is_bodiless)
