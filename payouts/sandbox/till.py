"""The till: it pays what the dialects order, and misbehaves for the magic amounts."""

import asyncio
from typing import Final

from payouts.sandbox.dialect import Dialect, Trouble
from payouts.sandbox.exchange import Reply
from payouts.sandbox.ledger import Ledger, Magic, Order
from payouts.sandbox.settling import Settling

SLOW_SECONDS: Final = 3.0
RATE_LIMITED_TIMES: Final = 2
# What the first POST of a key is answered after paying; the others are told of the payment.
_FIRST_ANSWERS: Final[dict[Magic | None, Reply | Trouble]] = {
    Magic.SILENT_AFTER_PAYING: Reply(0, silent=True),
    Magic.RESET_AFTER_PAYING: Reply(0, drop=True),
    Magic.ERROR_AFTER_PAYING: Trouble.BROKEN_AFTER_PAYING,
    Magic.GARBAGE_AFTER_PAYING: Reply(200, raw=b'{"id": "sbx_\x00\xff<html>it wor'),
}


class Till:
    """Used by one event loop."""

    def __init__(self, ledger: Ledger, settling: Settling, *, delay_seconds: float = 0.0) -> None:
        self._ledger = ledger
        self._settling = settling
        self._delay_seconds = delay_seconds

    async def pay(self, order: Order, dialect: Dialect) -> Reply:
        """Pay the order unless its reference was paid before, and answer in the dialect's words."""
        number = self._ledger.note(order)
        if number is None:
            return dialect.trouble(Trouble.KEY_REUSED)
        magic = order.magic
        if trouble := _before_paying(magic, number):
            return dialect.trouble(trouble)

        known = self._ledger.find(order.reference)
        if known is not None:
            return dialect.paid(known, is_new=False)
        delay_seconds = self._delay_seconds + (SLOW_SECONDS if magic is Magic.SLOW else 0.0)
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        payment, waiting = self._ledger.pay(order, dialect.outcome(order))
        if waiting is not None:
            self._settling.start(waiting)

        first = _FIRST_ANSWERS.get(magic) if number == 1 else None
        if first is None:
            return dialect.paid(payment, is_new=True)
        return first if isinstance(first, Reply) else dialect.trouble(first)


def _before_paying(magic: Magic | None, number: int) -> Trouble | None:
    """`number` is 1 for the key's first POST, 2 for its second."""
    if magic is Magic.REFUSED:
        return Trouble.REFUSED
    if magic is Magic.ERROR_BEFORE_PAYING and number == 1:
        return Trouble.BROKEN_BEFORE_PAYING
    if magic is Magic.RATE_LIMITED and number <= RATE_LIMITED_TIMES:
        return Trouble.RATE_LIMITED
    return None
