"""What a person is told once they are logged in: what has changed since, in case it was not them."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.admin.kit import format
from payouts.staff import access_log, second_factor

LINES = 5


def tell(request: HttpRequest, user: User, *, is_confirmed: bool = False) -> None:
    """As messages of the next page: changes of how they log in, and refused logins, since their last login.

    `is_confirmed` says that the second factor was just given.
    """
    changes, refused = access_log.since_last_login(user, is_confirmed=is_confirmed)
    for event in changes[-LINES:]:
        facts = {
            "what": capfirst(str(event.get_kind_display())),
            "when": format.exact_time(event.at),
            "address": event.address or "–",
        }
        said = _("Since your last login: %(what)s, %(when)s, from %(address)s. If this was not you, tell an admin.")
        messages.warning(request, said % facts, fail_silently=True)
    if refused:
        said = ngettext(
            "%(count)s login under your name was refused since your last one. If this was not you, tell an admin.",
            "%(count)s logins under your name were refused since your last one. If this was not you, tell an admin.",
            refused,
        )
        messages.warning(request, said % {"count": format.number(refused)}, fail_silently=True)


def logged_in(request: HttpRequest, user: User, **_signal: Any) -> None:
    """Receiver of user_logged_in; who is still asked for the second factor is told after it."""
    if not second_factor.has_one(user):
        tell(request, user)
