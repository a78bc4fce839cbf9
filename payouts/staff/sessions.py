"""Sessions of which the database holds no key, so that reading or copying its rows opens none.

The cookie has the key; the row has its fingerprint under INDEX_KEY, and its content is signed for this row alone. A
session ends with its row: the next request finds none.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from payouts import vault
from payouts.models import StaffSession
from payouts.staff.client_address import client_address

KEY_LIMIT = 40  # characters, of the column
# In the session: seconds since the epoch, and what people tell it by.
BEGAN_AT, SEEN_AT, ADDRESS, DEVICE = "began_at", "seen_at", "address", "device"

# The first that a browser's own description has; others that are made of one name it too.
BROWSERS = (
    ("YaBrowser/", "Yandex Browser"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> type[StaffSession]:
        return StaffSession

    @property
    def key_salt(self) -> str:
        return f"{super().key_salt}:{stored(self.session_key or '')}"

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        found: AbstractBaseSession | None = self.model.objects.filter(
            session_key=stored(self.session_key or ""), expire_date__gt=timezone.now()
        ).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return super().exists(stored(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        made: Any = super().create_model_instance(data)
        made.session_key = stored(made.session_key)
        made.person_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        made.began_at, made.seen_at = _moment(data.get(BEGAN_AT)), _moment(data.get(SEEN_AT))
        made.address, made.device = data.get(ADDRESS), data.get(DEVICE, "")
        found: AbstractBaseSession = made
        return found

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(stored(key))


def stored(session_key: str) -> str:
    """What the row has in the key's place."""
    return vault.fingerprint("session", session_key).hex()[:KEY_LIMIT]


def begin(request: HttpRequest) -> None:
    """Write down when, from where and with what somebody logged in."""
    request.session[BEGAN_AT] = request.session[SEEN_AT] = int(timezone.now().timestamp())
    request.session[ADDRESS] = client_address(request)
    request.session[DEVICE] = device_of(request.headers.get("User-Agent", ""))


def device_of(user_agent: str) -> str:
    """“Firefox, Windows”; empty for what is neither a browser nor a system that we know."""
    named = [next((name for mark, name in known if mark in user_agent), "") for known in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in named if name)


# A person's sessions


def of_person(person: User) -> list[StaffSession]:
    """Those that still open pages, the one seen last first."""
    now = timezone.now()
    return list(
        StaffSession.objects.filter(
            person=person,
            expire_date__gt=now,
            began_at__gt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE),
            seen_at__gt=now - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
        ).order_by("-seen_at", "pk")
    )


def present(request: HttpRequest) -> str:
    """The row of the session that asks; empty where there is none."""
    session = getattr(request, "session", None)
    return stored(session.session_key) if session is not None and session.session_key else ""


def end(person: User, *, row: str = "", but: str = "") -> int:
    """End one session of this person, or all of them, or all but one. Returns how many."""
    found = StaffSession.objects.filter(person=person).exclude(pk=but)
    ended, _by_model = (found.filter(pk=row) if row else found).delete()
    return ended


def forget() -> None:
    """Delete what is over, also of Django's own table, where sessions stood before."""
    SessionStore.clear_expired()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
