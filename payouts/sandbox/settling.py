"""Payments that end later, and the webhooks that say so, sent again until they are taken."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from payouts.sandbox.dialect import Dialect
from payouts.sandbox.exchange import post
from payouts.sandbox.ledger import Ledger, Waiting

WEBHOOKS_AT_ONCE: Final = 16
WEBHOOK_TIMEOUT_SECONDS: Final = 10.0
WEBHOOK_BACKOFF_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)


class Settling:
    """Used by one event loop. `dialects` are those that can be told of, by name."""

    def __init__(self, ledger: Ledger, dialects: Mapping[str, Dialect], log: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._dialects = dialects
        self._log = log
        self._running: dict[int, asyncio.Task[None]] = {}
        self._sending = asyncio.Semaphore(WEBHOOKS_AT_ONCE)

    def resume(self) -> None:
        """Take up what the ledger says is still to settle or to be told."""
        for waiting in self._ledger.waiting():
            self.start(waiting)

    def start(self, waiting: Waiting) -> None:
        task = asyncio.create_task(self._settle(waiting))
        self._running[waiting.seq] = task
        task.add_done_callback(lambda _: self._running.pop(waiting.seq, None))

    async def _settle(self, waiting: Waiting) -> None:
        await asyncio.sleep(max(0.0, waiting.settles_at - datetime.now(UTC).timestamp()))
        self._ledger.settle(waiting.seq)
        for pause_seconds in (*WEBHOOK_BACKOFF_SECONDS[waiting.tries :], 0.0):
            async with self._sending:
                if await self._deliver(waiting.seq):
                    return
            await asyncio.sleep(pause_seconds)

    async def _deliver(self, seq: int) -> bool:
        payment = self._ledger.settled(seq)
        dialect = self._dialects.get(payment.dialect)
        webhook = dialect.webhook(payment) if dialect else None
        if webhook is None:
            self._ledger.delivered(seq, "no receiver", accepted=True)
            return True
        try:
            async with asyncio.timeout(WEBHOOK_TIMEOUT_SECONDS):
                status = await post(webhook.url, webhook.headers, webhook.body)
            outcome, accepted = str(status), status in webhook.accepted
        except (OSError, ValueError, EOFError) as error:
            outcome, accepted = type(error).__name__, False
        self._ledger.delivered(seq, outcome, accepted=accepted)
        self._log(f"webhook reference={payment.reference} status={payment.status} outcome={outcome}")
        return accepted
