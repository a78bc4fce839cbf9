"""Ask the accounts for their balances: one call each, one after another, outside any transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from payouts.actions import funds, pauses, wrong_accounts
from payouts.database.clock import clock
from payouts.jobs import Stop, never
from payouts.providers import Answer, Balance, TellsBalance
from payouts.providers.asking import ask, deadline
from payouts.providers.registry import balance_of, known_names, tells_balance

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 5
NEVER_TOLD = datetime.min.replace(tzinfo=UTC)


def poll(*, must_stop: Stop = never) -> None:
    """Note what each account tells, that with the oldest balance first.

    One that tells nothing keeps its last balance, which no longer holds payouts back once it is old (funds.py). Those
    that people have paused are not called.
    """
    paused = set(pauses.paused_providers())
    told_at = {each.account: each.at for each in funds.balances()}
    names = [name for name in known_names() if tells_balance(name) and name not in paused]
    for name in sorted(names, key=lambda name: told_at.get(name, NEVER_TOLD)):
        if must_stop():
            return
        asked_at = clock()
        told = ask(name, balance_of, _balances, call="balances")
        if isinstance(told, Answer):
            log.warning("balance_not_told", account=name, code=told.code, reason=told.message)
            wrong_accounts.note([(name, told)])
        else:
            funds.note(name, told, asked_at=asked_at)


def _balances(provider: TellsBalance) -> Sequence[Balance] | Answer:
    return provider.balances(deadline=deadline(ANSWER_SECONDS))
