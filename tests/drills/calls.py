"""Callers over HTTP: clients of the API, people in the back office, and a load of them in threads."""

import copy
import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

TIMEOUT_SECONDS = 60
PASSWORD = "a long drill's password"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/problem+json")


class Caller:
    """One keep-alive connection. Raises OSError or HTTPException when there is no answer."""

    def __init__(self, port: int, key: str = "") -> None:
        self.port = port
        self.headers = {"X-Forwarded-Proto": "https"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._connection.request(method, path, body, self.headers | named)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, content, tuple(answer.headers.get_all("Set-Cookie", ())))

    def move(self, port: int) -> None:
        """To another server, from the next call on."""
        if port != self.port:
            self._connection.close()
            self.port = port
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def submit(self, *, key: str = "", user_id: int = 123, amount: str = "100.50") -> Reply:
        """A payout under a key of its own, if none is given: two alike without keys would wait for an approval."""
        body = {
            "user_id": user_id,
            "amount": amount,
            "currency": "RUB",
            "recipient_details": {"card": f"0000 1111 2222 {user_id % 10_000:04}"},
            "comment": "Оплата бонуса",
        }
        named = {"Idempotency_Key": key or uuid.uuid4().hex, "Content_Type": "application/json"}
        return self("POST", "/api/payouts/", json.dumps(body).encode(), **named)

    def submit_same(self, *, key: str, user_id: int, amount: str, recipient: dict[str, str], comment: str) -> Reply:
        """Exactly this payout, under this key."""
        body = {
            "user_id": user_id,
            "amount": amount,
            "currency": "RUB",
            "recipient_details": recipient,
            "comment": comment,
        }
        return self(
            "POST", "/api/payouts/", json.dumps(body).encode(), Idempotency_Key=key, Content_Type="application/json"
        )

    def patch(self, payout_id: int, status: str) -> Reply:
        body = json.dumps({"status": status}).encode()
        return self("PATCH", f"/api/payouts/{payout_id}/", body, Content_Type="application/json")


class Person(Caller):
    """Someone who is logged in to the back office, by a password and a backup code."""

    def __init__(self, port: int, name: str, code: str) -> None:
        super().__init__(port)
        self._cookies: dict[str, str] = {}
        page = self("GET", "/admin/login/")
        if b'name="csrfmiddlewaretoken"' not in page.body:
            raise AssertionError(f"The login page is {page.status} {page.body[:500]!r}")
        self._keep(page)
        self.post("/admin/login/", username=name, password=PASSWORD, next="/admin/")
        self.post("/admin/second-factor/", code=code, next="/admin/")
        start = self.get("/admin/")
        if start.status != 200:
            raise AssertionError(f"{name} cannot log in: {start.status}")

    def again(self) -> "Person":
        """The same session over a connection of its own."""
        other = copy.copy(self)
        Caller.__init__(other, self.port)
        return other

    def get(self, path: str) -> Reply:
        """Raises AssertionError when we are asked to log in: that page is none of those that are wanted."""
        reply = self._keep(self("GET", path, Cookie=self._cookie()))
        if reply.headers.get("location", "").startswith(("/admin/login/", "/admin/second-factor/")):
            raise AssertionError(f"{path} leads to {reply.headers['location']}")
        return reply

    def post(self, path: str, **fields: object) -> Reply:
        fields = {"csrfmiddlewaretoken": self._cookies["__Host-csrftoken"], **fields}
        return self._send(path, urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def upload(self, path: str, content: bytes, name: str) -> Reply:
        cut = uuid.uuid4().hex
        part = f"--{cut}\r\nContent-Disposition: form-data; name="
        token = f'{part}"csrfmiddlewaretoken"\r\n\r\n{self._cookies["__Host-csrftoken"]}\r\n'
        head = f'{token}{part}"file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{cut}--\r\n".encode()
        return self._send(path, body, f"multipart/form-data; boundary={cut}")

    def _send(self, path: str, body: bytes, content_type: str) -> Reply:
        origin = f"https://127.0.0.1:{self.port}"
        return self._keep(self("POST", path, body, Content_Type=content_type, Cookie=self._cookie(), Origin=origin))

    def act(self, payout_id: int, action: str, *, version: int = 1) -> bool:
        """Confirm the dialog of an action; False when it was refused."""
        page = f"/admin/payouts/payout/{payout_id}/"
        answer = self.post(f"{page}{action}/", version=version, reason="A drill.")
        is_done = answer.status == 302 and answer.headers["location"].startswith(page)
        if not is_done and answer.status != 200:
            raise AssertionError(f"{action} was answered with {answer.status} {answer.headers.get('location', '')}")
        return is_done

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def _keep(self, reply: Reply) -> Reply:
        for cookie in reply.cookies:
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(cookie).items()}
        return reply


@dataclass
class Load:
    """Functions that are called again and again, each in a thread of its own, until the load is stopped."""

    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, call: Callable[[], object], *, pause_seconds: float = 0.0) -> None:
        def work() -> None:
            try:
                while not self.stopped.is_set():
                    call()
                    time.sleep(pause_seconds)
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Raises what a thread died of."""
        self.stopped.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS + 10)
        if self.errors:
            raise self.errors[0]
