"""Which passwords are refused: those that somebody who knows the person and the product would try early."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from zxcvbn import zxcvbn

GUESSES = 10**10  # zxcvbn's best class: an attacker with the hash needs more than these
LOOKED_AT = 72  # characters; of a longer password the rest counts all the same when it is hashed
# Beside the names of the person, the installation and its hosts. In Latin letters and in Russian.
WORDS = (
    *("payouts", "payout", "backoffice", "payment", "payments", "approver", "operator", "auditor", "admin"),
    *("пароль", "выплата", "выплаты", "платеж", "платежи", "админ", "оператор", "бухгалтер", "йцукенгшщзхъ"),
)

_WORD = re.compile(r"\w{3,}")


class GuessableValidator:
    """Refuses common passwords, names, words of the product, dates, keyboard rows, and what is made of these."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError."""
        if zxcvbn(password[:LOOKED_AT], user_inputs=known_words(user))["guesses"] < GUESSES:
            raise ValidationError(
                _(
                    "This password is easy to guess: it is made of common words, names, dates or patterns. Take"
                    " several words that have nothing to do with each other or with your work."
                ),
                code="password_guessable",
            )

    def get_help_text(self) -> str:
        return _("Take several words that have nothing to do with each other or with your work.")


def known_words(user: Any = None) -> list[str]:
    """Words that are guessed first here: of the product, of this installation, of the person."""
    of_person = [user.username, user.first_name, user.last_name, user.email] if isinstance(user, User) else []
    named = [settings.INSTALLATION, settings.OTP_TOTP_ISSUER, *settings.ALLOWED_HOSTS, *of_person]
    return sorted({*WORDS, *(word.lower() for text in named for word in _WORD.findall(text))})
