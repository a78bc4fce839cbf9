"""What WSGI wants to know of a request, and whose request it is."""

import sys
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.http.cookie import parse_cookie
from django.urls import reverse
from granian.rsgi import Scope

from payouts.staff.client_address import address_in, network_of

type Environ = dict[str, Any]

BASE: Environ = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def environ_of(scope: Scope) -> Environ:
    """PEP 3333's, but for the body. A header with an underscore is left out: it would pass for one with a hyphen."""
    name, _, port = scope.server.rpartition(":")
    address, _, _port = scope.client.rpartition(":")
    environ: Environ = {
        **BASE,
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": scope.scheme,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "REMOTE_ADDR": address.strip("[]"),
    }
    for header, value in scope.headers.items():
        if "_" in header or header == "content-length":
            continue
        key = "CONTENT_TYPE" if header == "content-type" else f"HTTP_{header.upper().replace('-', '_')}"
        if key in environ:
            value = f"{environ[key]}{'; ' if header == 'cookie' else ','}{value}"
        environ[key] = value
    return environ


@cache
def login_page() -> str:
    """Its address. The first call reads all addresses, which takes a while."""
    return reverse("admin:login")


def caller_of(environ: Environ) -> str | None:
    """Whose request it is, as the views will see it: a key's or a session's; None for want of them.

    Nobody has looked whether the key or the session exists; one that does not has nothing to wait for.
    """
    if environ["PATH_INFO"].startswith("/api/"):
        kind, _, key = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() == "bearer":
            return f"key {key.strip()}"
    elif "HTTP_COOKIE" in environ and environ["PATH_INFO"] != login_page():
        session = parse_cookie(environ["HTTP_COOKIE"]).get(settings.SESSION_COOKIE_NAME)
        if session:
            return f"session {session}"
    return None


def network_of_caller(environ: Environ) -> str:
    """Where it comes from, whatever it says that it is: an IPv4 address, or all of an IPv6 /64."""
    return _network(address_in(environ))


@lru_cache(4_096)
def _network(address: str | None) -> str:
    return f"network {network_of(address) if address else ''}"


def tries_a_password(environ: Environ) -> bool:
    """Whether a stranger makes us hash a password, which takes a core for a while, and 100 MB."""
    return (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", login_page())
