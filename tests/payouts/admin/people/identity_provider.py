"""An identity provider as a program of its own: oidc-provider-mock, whose people a test makes and closes."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import requests
from django.test import Client

from tests.waiting import wait_until

CLIENT = "payouts-back-office"
GO = "/admin/single-sign-on/"


class IdentityProvider:
    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def person(self, subject: str, **claims: Any) -> None:
        requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=20).raise_for_status()

    def close(self, subject: str) -> None:
        """What it does to a person who is closed there: every token of theirs ends."""
        requests.post(f"{self.issuer}/users/{subject}/revoke-tokens", timeout=20).raise_for_status()

    def asked(self, browser: Client, *, wanted: str = "") -> str:
        """Where our product sends the browser."""
        return str(browser.get(f"{GO}?next={wanted}").headers["Location"])

    def consents(self, address: str, subject: str) -> str:
        """The person logs in there; returns the address that the browser is sent back to."""
        answer = requests.post(address, data={"sub": subject}, timeout=20, allow_redirects=False)
        return str(answer.headers["Location"])

    def denies(self, address: str) -> str:
        answer = requests.post(address, data={"action": "deny"}, timeout=20, allow_redirects=False)
        return str(answer.headers["Location"])

    def log_in(self, browser: Client, subject: str, *, wanted: str = "") -> Any:
        """The whole way; returns our answer to the browser that comes back."""
        return browser.get(local(self.consents(self.asked(browser, wanted=wanted), subject)))


def local(address: str) -> str:
    """The path and query of an address of ours."""
    return re.sub(r"^https?://[^/]+", "", urljoin("http://testserver/", address))


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """The program, ended afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "AUTHLIB_INSECURE_TRANSPORT": "1"}  # http; our settings are not its
    program = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = IdentityProvider(f"http://127.0.0.1:{port}")
    try:
        wait_until(
            lambda: requests.get(f"{found.issuer}/.well-known/openid-configuration", timeout=5).ok,
            "the identity provider starts",
            errors=requests.RequestException,
            lives=lambda: program.poll() is None,
        )
        yield found
    finally:
        program.kill()
        program.wait()
