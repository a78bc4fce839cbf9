"""HTTP/1.1 over a connection of our own: what every provider that speaks HTTP is called through.

Built on the response parser of `http.client` and a socket of our own, because of what must not happen here:
no retry, no redirect, no proxy from the environment, no decoding of compressed bodies, no wait past the
deadline. Every read gets only the time that is left, so a peer that drips a byte a minute ends with the
deadline, over TLS as well.

Each thread keeps one connection. It is used again only after an answer that was read to its last byte with
nothing behind it, and only while it is fresh and silent, so that no answer is taken for the next call's.
"""

import contextlib
import io
import ipaddress
import os
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Buffer
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Final
from urllib.parse import urlsplit

from payouts.providers import Answer
from payouts.providers.words import unknown

BODY_LIMIT: Final = 64 * 1024
# Of a list, where the caller says so: a page of it, with everything at its longest.
LIST_LIMIT: Final = 8 * 1024 * 1024
RECEIVED_PER_BYTE: Final = 4  # headers, chunk sizes and trailers included
RETRY_AFTER_LIMIT_SECONDS: Final = 86_400
IDLE_LIMIT_SECONDS: Final = 4.0  # below the keep-alive of common servers (uvicorn and Node.js: 5 s)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: HTTPMessage
    encoded: bool
    clean: bool
    """Read to its end with nothing behind it: the connection may serve another call."""


@dataclass(frozen=True, slots=True)
class Target:
    host: str
    port: int
    authority: str
    path: str
    tls: ssl.SSLContext | None = field(repr=False)
    literal: bool
    """The host is an address, which needs no resolver."""

    @property
    def origin(self) -> str:
        """One spelling for one address and path."""
        return f"{'https' if self.tls else 'http'}://{self.host.lower()}:{self.port}{self.path}"

    @classmethod
    def parse(cls, url: str, tls: ssl.SSLContext | None) -> "Target":
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("The provider's URL is not a URL.") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("The provider's URL must be http(s)://HOST[:PORT], and a path if any.")
        if parts.username is not None or parts.query or parts.fragment or port == 0:
            raise ValueError("The provider's URL must have no user, query or fragment, and a port above 0 if any.")
        path = parts.path.rstrip("/")
        if not _PATH.fullmatch(path):
            raise ValueError("The provider's URL has a path with characters that need escaping.")
        try:
            host = parts.hostname.encode("idna").decode("ascii") if ":" not in parts.hostname else parts.hostname
        except UnicodeError:
            raise ValueError("The provider's URL has a host that is no name and no address.") from None
        if not re.fullmatch(r"[A-Za-z0-9._:%-]+", host):
            raise ValueError("The provider's URL has a host that is no name and no address.")

        secure = parts.scheme == "https"
        bracketed = f"[{host}]" if ":" in host else host
        return cls(
            host=host,
            port=port or (443 if secure else 80),
            authority=bracketed if port is None else f"{bracketed}:{port}",
            path=path,
            tls=(tls or ssl.create_default_context()) if secure else None,
            literal=_is_address(host),
        )


class OversizedError(Exception):
    def __init__(self, status: int | None = None) -> None:
        super().__init__()
        self.status = status


class _Source(io.RawIOBase):
    """What a response is read from: a socket with a deadline and a budget of bytes."""

    def __init__(self, sock: socket.socket, deadline: float, body_limit: int) -> None:
        self.sock = sock
        self.deadline = deadline
        self.receive_limit = RECEIVED_PER_BYTE * body_limit
        self.received = 0
        self.finished = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if self.finished:
            return 0
        self.sock.settimeout(_left(self.deadline))
        count = self.sock.recv_into(buffer)
        self.received += count
        if self.received > self.receive_limit:
            raise OversizedError
        return count


class _Stream(io.BufferedReader):
    """Tells, when the response parser closes it, whether bytes were left behind the response."""

    leftover = False

    def close(self) -> None:
        if not self.closed:
            source = self.raw
            if isinstance(source, _Source):
                source.finished = True
                self.leftover = bool(self.peek(1))
        super().close()


class _Wire:
    """One connection, used by one call at a time. `http.client` sees it as the socket of a response."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._owner = os.getpid()
        self._used_at = time.monotonic()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._source = _Source(sock, 0.0, BODY_LIMIT)
        self._stream: _Stream | None = None

    def __del__(self) -> None:
        self.close()

    def makefile(self, mode: str) -> _Stream:
        self._stream = _Stream(self._source)
        return self._stream

    def exchange(self, method: str, request: bytes, deadline: float, body_limit: int) -> Reply:
        """Send one request and read its whole answer.

        Raises TimeoutError at the deadline, `OversizedError`, OSError for a broken connection, and whatever
        `http.client` raises for an answer that is no HTTP.
        """
        self._source = _Source(self._sock, deadline, body_limit)
        self._sock.settimeout(_left(deadline))
        self._sock.sendall(request)

        response = HTTPResponse(self, method=method)  # type: ignore[arg-type]  # it only calls makefile()
        try:
            response.begin()
            if response.status < 200:
                raise HTTPException("an interim answer in place of the final one")
            if response.length is not None and response.length > body_limit:
                raise OversizedError(response.status)
            body = response.read(body_limit + 1)
            if len(body) > body_limit:
                raise OversizedError(response.status)
            if response.length:
                raise ConnectionResetError("the body broke off")
            whole = response.isclosed()
        finally:
            response.close()

        leftover = self._stream is None or self._stream.leftover
        self._used_at = time.monotonic()
        return Reply(
            status=response.status,
            body=body,
            headers=response.headers,
            encoded=response.headers.get("Content-Encoding", "identity").strip().lower() != "identity",
            clean=whole and not leftover and not response.will_close,
        )

    def broken(self, error: Exception) -> Answer:
        """Say what an answer that could not be read looked like."""
        kind = type(error).__name__
        if isinstance(error, OSError) or not self._source.received:
            return unknown("reset", f"The provider broke the connection off ({kind}).")
        return unknown("unparsable", f"The provider's answer broke off or is not HTTP ({kind}).")

    def reusable(self) -> bool:
        """Say whether it is open, of this process, used a moment ago, and silent.

        Bytes or an end that wait already are no answer to a call yet to be made.
        """
        return (
            self._owner == os.getpid()
            and time.monotonic() - self._used_at < IDLE_LIMIT_SECONDS
            and not self._poll.poll(0)
            and not (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending())
        )

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()


class Link:
    """The way to one provider. Safe from any number of threads, each of which keeps a connection, and across fork."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._idle = _IdleConnection()

    def exchange(
        self, method: str, request: bytes, deadline: float, *, body_limit: int = BODY_LIMIT
    ) -> Reply | Answer:
        """Send one request, whole as it is, and never a second one; end by `deadline` (`time.monotonic()`).

        UNKNOWN where no whole answer came: `unreachable`, `tls`, `timeout`, `reset`, `oversized`, `unparsable`.
        """
        wire = self._idle.take()
        if wire is None:
            try:
                wire = _connect(self._target, deadline)
            except TimeoutError:
                return unknown("timeout", "No connection before the deadline; nothing was sent.")
            except ssl.SSLError as error:
                reason = getattr(error, "verify_message", "") or error.reason or "handshake failed"
                return unknown("tls", f"No trusted connection to the provider ({reason}); nothing was sent.")
            except OSError as error:
                reason = error.strerror or type(error).__name__
                return unknown("unreachable", f"No connection to the provider ({reason}); nothing was sent.")

        keep = False
        try:
            reply = wire.exchange(method, request, deadline, body_limit)
            keep = reply.clean
        except TimeoutError:
            return unknown("timeout", "The provider gave no whole answer before the deadline.")
        except OversizedError as error:
            return unknown("oversized", _too_large(body_limit), http_status=error.status)
        except Exception as error:  # whatever the parser trips over, the payment may have been made
            return wire.broken(error)
        finally:
            if keep:
                self._idle.keep(wire)
            else:
                wire.close()
        return reply

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._idle.drop()


def retry_after_seconds(reply: Reply) -> int | None:
    """The delay that a 429 or a 503 asks for (RFC 9110, 10.2.3), at most a day; its form as a date is left out."""
    seconds = reply.headers.get("Retry-After", "").strip()
    if reply.status not in {429, 503} or not re.fullmatch(r"[0-9]{1,9}", seconds):
        return None
    return min(int(seconds), RETRY_AFTER_LIMIT_SECONDS)


def _too_large(body_limit: int) -> str:
    if body_limit == BODY_LIMIT:
        return "The provider's answer is larger than 64 KiB."
    return f"The provider's answer is larger than {body_limit // 1024:,} KiB."


class _IdleConnection(threading.local):
    """The calling thread's idle connection."""

    wire: _Wire | None = None

    def take(self) -> _Wire | None:
        wire, self.wire = self.wire, None
        if wire is None or wire.reusable():
            return wire
        wire.close()
        return None

    def keep(self, wire: _Wire) -> None:
        self.wire = wire

    def drop(self) -> None:
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()


def _connect(target: Target, deadline: float) -> _Wire:
    """Open a connection. Raises TimeoutError at the deadline and OSError when no address answers."""
    addresses = _resolve(target, deadline)
    failure: OSError = ConnectionError("the name has no address")
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            # A dead first address leaves time for the others.
            sock.settimeout(_left(deadline) / (len(addresses) - index))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if target.tls is not None:
                sock.settimeout(_left(deadline))
                # A connection that ends without TLS's own end is broken off, not complete.
                sock = target.tls.wrap_socket(sock, server_hostname=target.host, suppress_ragged_eofs=False)
            return _Wire(sock)
        except OSError as error:
            sock.close()
            failure = error
    raise failure


type _Address = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


def _resolve(target: Target, deadline: float) -> list[_Address]:
    """Look the host up. The C library's resolver knows no deadline, so a name is looked up in a thread."""
    found: list[_Address] = []
    failed: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except OSError as error:
            failed.append(error)
        except UnicodeError:
            failed.append(OSError("the name cannot be looked up"))

    if target.literal:
        look_up()
    else:
        resolver = threading.Thread(target=look_up, name="resolve-provider", daemon=True)
        resolver.start()
        resolver.join(_left(deadline))
        if resolver.is_alive():
            raise TimeoutError
    if failed:
        raise failed[0]
    return found


def _left(deadline: float) -> float:
    """Seconds to the deadline. Raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
