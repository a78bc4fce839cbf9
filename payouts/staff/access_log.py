"""Who logged in, and what privileged people did. The back office's access log shows both, newest first.

Sign-ins and second factors are `AccessEvent`s. What was done to an object is a `LogEntry` of Django's: its
admin writes one for every form, and `log_act` for everything else. Neither holds a secret.
"""

import json
from datetime import timedelta
from typing import Any

from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from payouts import trace
from payouts.models import AccessEvent
from payouts.staff import sessions
from payouts.staff.client_address import client_address

Kind = AccessEvent.Kind

FORGOTTEN_AT_ONCE, FORGOTTEN_ROUNDS = 5_000, 20

ACTS = {
    "revealed": _("saw the recipient in clear"),
    "key_made": _("made a key"),
    "key_revoked": _("revoked a key"),
    "sessions_ended": _("ended sessions"),
    "link_made": _("made a password link"),
    "second_factor_removed": _("removed the second factor"),
    "single_sign_on_linked": _("linked single sign-on"),
    "single_sign_on_unlinked": _("took away single sign-on"),
    "groups_taken": _("lost groups by the identity provider's word"),
    "groups_given": _("got groups by the identity provider's word"),
    "account_closed": _("closed the account"),
    "proposed": _("proposed a change"),
    "proposal_confirmed": _("confirmed a change"),
    "proposal_declined": _("declined a change"),
    "proposal_withdrawn": _("withdrew a proposed change"),
}


def note(kind: AccessEvent.Kind, request: HttpRequest | None, *, user: User | None) -> None:
    """Record that this person logged in or out, was refused, or changed their password or second factor."""
    AccessEvent.objects.create(
        kind=kind,
        user=user,
        address=client_address(request) if request else None,
        trace_id=trace.current.get(),
    )


def log_act(user: User | AnonymousUser, instance: models.Model, act: str, **facts: str) -> None:
    """Record in Django's log what this person did to the object: a name of ACTS, and facts that are no secrets."""
    if act not in ACTS:
        raise ValueError(act)
    assert user.pk is not None
    LogEntry.objects.log_actions(
        user.pk,
        [instance],
        CHANGE,
        json.dumps([{"act": {"name": act, **facts}}], ensure_ascii=False),
        single_object=True,
    )


def forget() -> None:
    """Delete logins and the like that are older than ACCESS_LOG_RETENTION_DAYS, some at a time."""
    if not settings.ACCESS_LOG_RETENTION_DAYS:
        return
    before = timezone.now() - timedelta(days=settings.ACCESS_LOG_RETENTION_DAYS)
    for _number in range(FORGOTTEN_ROUNDS):
        old = AccessEvent.objects.filter(at__lt=before).order_by("pk").values("pk")[:FORGOTTEN_AT_ONCE]
        if not AccessEvent.objects.filter(pk__in=old).delete()[0]:
            return


class PasswordWatch:
    """Records each new password, and ends the sessions that the one before opened, but for the one that changes it.

    It is a password validator because Django calls these for every new one.
    """

    def validate(self, password: str, user: Any = None) -> None:
        """Accepts every password."""

    def get_help_text(self) -> str:
        return ""

    def password_changed(self, password: str, user: Any = None) -> None:
        if isinstance(user, User):
            request = getattr(HistoricalRecords.context, "request", None)
            note(Kind.PASSWORD_SET, request, user=user)
            sessions.end(user, but=sessions.present(request) if request else "")


# What a person is told at the next login: it may have been somebody else.
TOLD = (
    *(Kind.PASSWORD_SET, Kind.SET_UP, Kind.REPLACED, Kind.CODES_MADE, Kind.REMOVED),
    *(Kind.BACKUP_CODE_USED, Kind.PASSKEY_ADDED, Kind.PASSKEY_REMOVED),
)
REFUSED = (Kind.LOGIN_FAILED, Kind.LOCKED_OUT, Kind.CODE_REFUSED)


# Only who has given the second factor, or sets up the first one, leaves one of these.
CONFIRMED = (
    *(Kind.CODE_ACCEPTED, Kind.PASSKEY_ACCEPTED, Kind.BACKUP_CODE_USED),
    *(Kind.SET_UP, Kind.REPLACED, Kind.CODES_MADE, Kind.PASSKEY_ADDED),
)


def since_last_login(user: User, *, is_confirmed: bool = False) -> tuple[list[AccessEvent], int]:
    """Changes of how this person logs in, and how often a login was refused, between their last login and this.

    Nothing at the first login. Where this one is confirmed by the second factor, the last one is one that was
    confirmed too: who knows no more than the password hides nothing by logging in and going no further.
    """
    events = AccessEvent.objects.filter(user=user).order_by("-pk")
    logins = events.filter(kind=Kind.LOGGED_IN)
    now = logins.first()
    earlier = logins.filter(pk__lt=now.pk if now else 0)
    before = earlier.first()
    if is_confirmed and (confirmed := events.filter(kind__in=CONFIRMED, pk__lt=now.pk if now else 0).first()):
        before = earlier.filter(pk__lt=confirmed.pk).first() or before
    if now is None or before is None:
        return [], 0
    between = events.filter(pk__gt=before.pk, pk__lt=now.pk).reverse()
    return list(between.filter(kind__in=TOLD)), between.filter(kind__in=REFUSED).count()


# Receivers of the signals of django.contrib.auth


def logged_in(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    sessions.begin(request)
    note(Kind.LOGGED_IN, request, user=user)


def logged_out(request: HttpRequest, user: AbstractBaseUser | None, **_kwargs: Any) -> None:
    if isinstance(user, User):
        note(getattr(request, "session_ended_as", Kind.LOGGED_OUT), request, user=user)


def login_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """The name only if somebody has it: people type their passwords into this field, too."""
    name = str(credentials.get("username") or "")[:150]
    user = User.objects.filter(username=name).first() if name and "\0" not in name else None
    if not getattr(request, "axes_locked_out", False):
        note(Kind.LOGIN_FAILED, request, user=user)
        return
    # Once for each time of being locked out, however often they go on trying.
    since = timezone.now() - (get_cool_off(request) or timedelta(days=1))
    address = client_address(request) if request else None
    if not AccessEvent.objects.filter(user=user, kind=Kind.LOCKED_OUT, address=address, at__gt=since).exists():
        note(Kind.LOCKED_OUT, request, user=user)
