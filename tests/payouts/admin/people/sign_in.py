"""Logging in and out in a browser, and what is recorded of it."""

import time
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from payouts.models import AccessEvent
from payouts.staff import sessions

LOGIN = "/admin/login/"
PASSWORD = "a-long-password-1"
Kind = AccessEvent.Kind


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def idle(browser: Client, seconds: float) -> None:
    """Let so many seconds pass since anything was done."""
    session = browser.session
    session[sessions.SEEN_AT] = int(time.time() - seconds)
    session.save()


def kinds(user: User | None = None) -> list[str]:
    return list(AccessEvent.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


def attempt(browser: Client, name: str, password: str = "wrong", **extra: Any) -> Any:
    return browser.post(LOGIN, {"username": name, "password": password}, **extra)
