"""Answers that show that an account's settings are not what they seem: people are told at once.

A payment with test money has paid nobody, and one with real money on an account for tests has paid somebody.
"""

from collections.abc import Iterable

import structlog
from django.db.models.functions import Now
from django.utils import timezone

from payouts.models import WRONG_ACCOUNT_FOR, WrongAccount
from payouts.providers import WRONG_ACCOUNT, Answer

log = structlog.get_logger(__name__)


def note(answers: Iterable[tuple[str, Answer]]) -> None:
    """Keep what these answers show of the accounts that gave them, named first; most show nothing."""
    found = {(name, answer.code): answer.message for name, answer in answers if answer.code in WRONG_ACCOUNT}
    for (name, code), message in sorted(found.items()):
        log.error("wrong_account", account=name, code=code, reason=message)
        WrongAccount.objects.update_or_create(
            account=name, code=code, defaults={"message": message, "last_at": Now()}
        )


def seen() -> list[WrongAccount]:
    """Those of now, and of the last day."""
    return list(WrongAccount.objects.filter(last_at__gt=timezone.now() - WRONG_ACCOUNT_FOR))
