"""The person who makes a request."""

from django.contrib.auth.models import User
from django.http import HttpRequest


def person(request: HttpRequest) -> User:
    """The logged-in person; the admin's pages are closed to everybody else."""
    assert isinstance(request.user, User)
    return request.user
