"""Whose address a request comes from. A header is believed only as far as our own proxies wrote it."""

import ipaddress
from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The client's IP address; None when there is none, as on a Unix socket."""
    return address_in(request.META)


def address_in(environ: Mapping[str, str]) -> str | None:
    """The client's, by what a server says of a request (PEP 3333's names).

    Each of `TRUSTED_PROXIES` proxies appended the address that it was called from to X-Forwarded-For, so the
    client's is that many places from the end. What comes before it, the client may have written itself.
    """
    peer = environ.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES < 1:
        return normal_address(peer)
    hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if len(hops) < settings.TRUSTED_PROXIES:
        return normal_address(peer)
    return normal_address(hops[-settings.TRUSTED_PROXIES]) or normal_address(peer)


def normal_address(text: str) -> str | None:
    """The IP address in its one spelling; None for a text that is not one."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def network_of(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """What one subscriber is given: an IPv4 address, or all of an IPv6 /64."""
    whole = ipaddress.ip_address(address)
    return ipaddress.ip_network((whole, 64 if whole.version == 6 else 32), strict=False)
