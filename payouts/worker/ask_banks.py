"""Ask the providers that list banks for their list, one call a kind, outside any transaction."""

import structlog

from payouts.actions import bank_lists
from payouts.database.clock import clock
from payouts.jobs import Stop, never
from payouts.providers import Answer, registry
from payouts.providers.asking import ask, deadline

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 10


def refresh(*, must_stop: Stop = never) -> None:
    """Note the list of each kind that has none, or an old one: of its first account that tells it.

    Where none does, the old list stays, and the next hour asks again. Accounts that people have paused are asked
    too: it says nothing about any payment.
    """
    accounts = registry.accounts_by_kind()
    for kind in kinds_due():
        for name in accounts[kind]:
            if must_stop():
                return
            if _ask(kind, name):
                break


def kinds_due() -> list[str]:
    """The kinds of provider to ask."""
    return bank_lists.due(kind for kind in registry.accounts_by_kind() if registry.KINDS[kind].lists_banks)


def _ask(kind: str, name: str) -> bool:
    asked_at = clock()
    by = deadline(ANSWER_SECONDS)
    told = ask(name, registry.banks_of, lambda provider: provider.banks(deadline=by), call="banks")
    if isinstance(told, Answer):
        log.warning("banks_not_told", account=name, code=told.code, reason=told.message)
        return False
    bank_lists.note(kind, told, asked_at=asked_at)
    return bool(told)
