"""How often a login may fail, and how long one then waits. django-axes keeps the failures and asks here.

- One name from one address: AXES_FAILURE_LIMIT, then AXES_COOLOFF_TIME.
- One address (of IPv6 its /64) over all names, so that one password is not tried on everybody: FROM_ADDRESS.
- One name over all addresses: from OF_NAME on, a wait that doubles up to LONGEST_WAIT. A device on which the person
  has logged in before does not wait for others' failures, so no stranger locks anybody out of their own account.

Names that nobody has count as those that somebody has. The tables hold names as fingerprints, for people type their
passwords into the wrong field, and nothing of what a form sent.
"""

from copy import copy
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core import signing
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone

from payouts import vault
from payouts.staff.client_address import network_of

FROM_ADDRESS, ADDRESS_WAIT = 50, timedelta(minutes=15)
OF_NAME, LONGEST_WAIT = 20, timedelta(minutes=30)
REMEMBERED_FOR = timedelta(days=1)  # how long a failure counts

DEVICE_KNOWN_FOR = timedelta(days=90)
RENEWED_AFTER = timedelta(days=30)
_SALT = "payouts.known-device"


def hashed_name(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str:
    """What django-axes stores in place of a typed name."""
    return vault.fingerprint("login-name", _typed(credentials)).hex()[:40]


def _typed(credentials: dict[str, Any] | None) -> str:
    return str((credentials or {}).get("username") or "")


class LoginLimits(AxesDatabaseHandler):  # type: ignore[misc]
    """django-axes' own, which also waits for an address and for a name."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        failures: int = super().get_failures(request, credentials)
        wait = wait_of(request, _typed(credentials))
        if not wait:
            return failures
        request.login_wait = wait
        return max(failures, settings.AXES_FAILURE_LIMIT)

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **given: Any) -> None:
        bare = copy(request)
        bare.GET = bare.POST = QueryDict()
        super().user_login_failed(sender, credentials, bare, **given)
        for name in ("axes_locked_out", "axes_failures_since_start", "axes_credentials"):
            setattr(request, name, getattr(bare, name))

    def clean_expired_user_attempts(self, request: Any = None, credentials: Any = None) -> int:
        return forget()


def forget() -> int:
    """Delete the failures that count no more; returns how many rows."""
    deleted, _by_model = AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - REMEMBERED_FOR).delete()
    return int(deleted)


def wait_of(request: Any, name: str) -> timedelta:
    """How long this device still waits before a login under this name is looked at; nothing where it need not."""
    wait = max(_wait_for_address(request.axes_ip_address), _wait_for_name(hashed_name(None, {"username": name})))
    return timedelta(0) if wait and is_known(request, name) else wait


def _wait_for_address(address: str | None) -> timedelta:
    if address is None:
        return timedelta(0)
    network = network_of(address)
    near = AccessAttempt.objects.filter(ip_address__gte=str(network[0]), ip_address__lte=str(network[-1]))
    failures, left = _counted(near.filter(attempt_time__gt=timezone.now() - ADDRESS_WAIT), ADDRESS_WAIT)
    return left if failures >= FROM_ADDRESS else timedelta(0)


def _wait_for_name(name: str) -> timedelta:
    recent = AccessAttempt.objects.filter(username=name, attempt_time__gt=timezone.now() - REMEMBERED_FOR)
    failures, _left = _counted(recent, LONGEST_WAIT)
    if failures < OF_NAME:
        return timedelta(0)
    wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(failures - OF_NAME, 20)))
    return _counted(recent, wait)[1]


def _counted(attempts: QuerySet[Any], wait: timedelta) -> tuple[int, timedelta]:
    """How many failures, and what is left of the wait since the last."""
    found = attempts.aggregate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
    if found["last"] is None:
        return 0, timedelta(0)
    return found["failures"], max(timedelta(0), found["last"] + wait - timezone.now())


# Devices on which somebody has logged in


def is_known(request: HttpRequest, name: str) -> bool:
    """Whether the person of this name has logged in on this device before, the second factor included."""
    person = User.objects.filter(username=name).only("pk").first() if name and "\0" not in name else None
    return person is not None and _owner(request, DEVICE_KNOWN_FOR) == person.pk


def remember(request: HttpRequest, response: HttpResponse, user: User | AnonymousUser) -> None:
    """Mark the device of somebody who is let in, where it is not marked yet, or not for long any more."""
    if user.pk is None or _owner(request, DEVICE_KNOWN_FOR - RENEWED_AFTER) == user.pk:
        return
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps(user.pk, salt=_SALT),
        max_age=DEVICE_KNOWN_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _owner(request: HttpRequest, no_older_than: timedelta) -> int | None:
    try:
        marked: int = signing.loads(
            request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), salt=_SALT, max_age=no_older_than
        )
    except signing.BadSignature:
        return None
    return marked
