"""PayPal's REST API with the credentials of one app: an access token, kept until it ends, and single requests.

https://developer.paypal.com/api/rest/authentication/
"""

import base64
import os
import re
import threading
import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta, Struct

from payouts import trace
from payouts.providers import Account, Answer, fingerprint
from payouts.providers.paypal.reasons import NO_ACCESS
from payouts.providers.shapes import read
from payouts.providers.wire import Link, Reply, Target, retry_after_seconds
from payouts.providers.words import unknown

LIVE_URL: Final = "https://api-m.paypal.com"
TEST_URL: Final = "https://api-m.sandbox.paypal.com"
# A token is given up before it ends: the request that it is for takes a while.
TOKEN_MARGIN_SECONDS: Final = 60.0
_CLIENT_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,128}")
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,256}")
_GRANT: Final = b"grant_type=client_credentials"


class Access(Struct, frozen=True):
    """What is granted for the app's credentials."""

    access_token: Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,4096}\Z")]
    token_type: Annotated[str, Meta(pattern=r"\A[Bb]earer\Z")]
    expires_in: Annotated[int, Meta(ge=0, le=10**9)]
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Token:
    value: str = field(repr=False)
    ends_at: float
    """On the clock of `time.monotonic()`."""


@dataclass(frozen=True, slots=True)
class App:
    """The credentials of a REST app, and where its API is."""

    client_id: str
    secret: str = field(repr=False)
    url: str
    is_test: bool

    @classmethod
    def of(cls, account: Account) -> "App":
        """Raises ValueError for what cannot work."""
        values, is_test = account.values, account.is_on("TEST")
        app = cls(
            client_id=values.get("CLIENT_ID", ""),
            secret=values.get("SECRET", ""),
            url=values.get("API_URL") or (TEST_URL if is_test else LIVE_URL),
            is_test=is_test,
        )
        if not _CLIENT_ID.fullmatch(app.client_id):
            raise ValueError("CLIENT_ID must be the client ID of a PayPal app.")
        if not _SECRET.fullmatch(app.secret):
            raise ValueError("SECRET must be printable ASCII without spaces, and not empty.")
        Target.parse(app.url, None)
        return app

    @property
    def fingerprint(self) -> str:
        """Whose money it pays with. Not the URL: it may be a proxy's, or a sandbox's with another port each time."""
        return fingerprint(f"paypal {'test' if self.is_test else 'live'} {self.client_id}")

    @property
    def api(self) -> "Api":
        """The one of this process."""
        return shared_api(self, os.getpid())


@lru_cache(32)
def shared_api(app: App, process: int) -> "Api":
    """One for each app and process: a fork shares neither connections nor locks."""
    return Api(app)


class Api:
    """Safe from any number of threads, which share one token."""

    def __init__(self, app: App) -> None:
        target = Target.parse(app.url, None)
        self._link = Link(target)
        self._path = target.path
        self._host = f"Host: {target.authority}\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
        self._credentials = base64.b64encode(f"{app.client_id}:{app.secret}".encode()).decode()
        self._lock = threading.Lock()
        self._token: Token | None = None

    def get(self, path: str, *, request_id: str, deadline: float) -> Reply | Answer:
        """One GET. It is asked once more, with a new token, where the token is not taken (401)."""
        reply = self._exchange("GET", path, b"", request_id, deadline)
        if isinstance(reply, Reply) and reply.status == 401:
            return self._exchange("GET", path, b"", request_id, deadline)
        return reply

    def post(self, path: str, body: bytes, *, request_id: str, deadline: float) -> Reply | Answer:
        """One POST of JSON, and never a second one."""
        return self._exchange("POST", path, body, request_id, deadline)

    def close(self) -> None:
        """Close the calling thread's connection; the next call opens another."""
        self._link.close()

    def _exchange(self, method: str, path: str, body: bytes, request_id: str, deadline: float) -> Reply | Answer:
        """UNKNOWN, with nothing sent, where there is no token."""
        token = self._taken_token(deadline)
        if isinstance(token, Answer):
            return token
        head = f"Authorization: Bearer {token.value}\r\nX-Request-ID: {trace.taken_or_made(request_id)}\r\n"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        reply = self._link.exchange(method, self._request(method, path, head) + body, deadline)
        if isinstance(reply, Answer):
            return reply
        if reply.status == 401:
            self._drop(token)
        # Some error pages repeat the request, and parts of an answer are kept.
        secret = token.value.encode()
        return replace(reply, body=reply.body.replace(secret, b"*" * len(secret)))

    def _taken_token(self, deadline: float) -> Token | Answer:
        """The token of this process; one thread asks for it, the others wait."""
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return unknown("timeout", "No connection before the deadline; nothing was sent.")
        try:
            if self._token is None or self._token.ends_at <= time.monotonic():
                granted = self._granted(deadline)
                if isinstance(granted, Answer):
                    return granted
                self._token = granted
            return self._token
        finally:
            self._lock.release()

    def _granted(self, deadline: float) -> Token | Answer:
        asked_at = time.monotonic()
        head = (
            f"Authorization: Basic {self._credentials}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(_GRANT)}\r\n"
        )
        reply = self._link.exchange("POST", self._request("POST", "/v1/oauth2/token", head) + _GRANT, deadline)
        if isinstance(reply, Answer):
            return reply
        access = read(reply.body, Access) if reply.status == 200 and not reply.encoded else None
        if access is None:
            answer = unknown("no_access", NO_ACCESS % {"status": reply.status}, http_status=reply.status)
            return replace(answer, retry_after_seconds=retry_after_seconds(reply))
        return Token(access.access_token, asked_at + access.expires_in - TOKEN_MARGIN_SECONDS)

    def _drop(self, token: Token) -> None:
        # Without the lock, which another thread may hold past our deadline. At worst one token more is asked for.
        if self._token is token:
            self._token = None

    def _request(self, method: str, path: str, head: str) -> bytes:
        line = f"{method} {self._path}{path} HTTP/1.1\r\n"
        return f"{line}{self._host}User-Agent: payouts-backoffice/1\r\n{head}\r\n".encode("ascii")
