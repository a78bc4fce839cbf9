"""A logged-in person's own password, asked for again before a change of how they log in."""

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest


def is_right(request: HttpRequest, user: User, password: str) -> bool:
    """A wrong one counts as a failed login: after too many the answer is that the login is closed.

    So a session left open is no place to guess the password.
    """
    return authenticate(request, username=user.get_username(), password=password) == user
