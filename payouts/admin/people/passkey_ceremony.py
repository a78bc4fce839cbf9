"""The challenge of a passkey, kept in the session from the page that shows it until the answer: for one use."""

import ipaddress
import secrets
import time

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest

from payouts.models import Passkey
from payouts.staff import passkeys
from payouts.staff.passkeys import Ceremony

CHALLENGE = "passkey_challenge"  # in the session
GOOD_SECONDS = 600


def begin_use(request: HttpRequest, user: User) -> str:
    """What the browser asks the person's passkeys by; empty where they have none for this address."""
    if not is_possible(request) or not Passkey.objects.filter(user=user).exists():
        return ""
    return passkeys.options_to_use(user, _begin(request))


def begin_adding(request: HttpRequest, user: User) -> str:
    """What the browser makes a passkey by; empty where it can make none for this address."""
    return passkeys.options_to_add(user, _begin(request)) if is_possible(request) else ""


def end(request: HttpRequest) -> Ceremony | None:
    """What this session was last asked, once; None where it was not, or too long ago."""
    challenge, until = request.session.pop(CHALLENGE, ("", 0))
    return _ceremony(request, bytes.fromhex(challenge)) if challenge and time.time() < until else None


def is_possible(request: HttpRequest) -> bool:
    """A passkey is for a domain: an address of numbers has none (WebAuthn, section 5.1.3)."""
    try:
        ipaddress.ip_address(_domain(request).strip("[]"))
    except ValueError:
        return True
    return False


def _begin(request: HttpRequest) -> Ceremony:
    challenge = secrets.token_bytes(32)
    request.session[CHALLENGE] = (challenge.hex(), int(time.time()) + GOOD_SECONDS)
    return _ceremony(request, challenge)


def _ceremony(request: HttpRequest, challenge: bytes) -> Ceremony:
    return Ceremony(_domain(request), f"{request.scheme}://{request.get_host()}", challenge)


def _domain(request: HttpRequest) -> str:
    host: str = request.get_host()
    return settings.PASSKEY_DOMAIN or (host if host.endswith("]") else host.rpartition(":")[0] or host)
