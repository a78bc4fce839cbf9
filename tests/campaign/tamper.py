"""Somebody with SQL, as the database's owner: takes an approval away after it was counted, or raises the count.

The sound product pays none of these, and its audit names them.
"""

import threading
import time
from contextlib import suppress
from typing import Final

import psycopg

from tests.campaign.plan import Intent, Plan

PAUSE_SECONDS: Final = 0.2
DELETE: Final = """
ALTER TABLE payouts_approval DISABLE TRIGGER approval_append_only;
DELETE FROM payouts_approval WHERE payout_id = {payout};
ALTER TABLE payouts_approval ENABLE TRIGGER approval_append_only;
"""
RAISE: Final = "UPDATE payouts_payout SET approvals_given = approvals_required, due_at = now() WHERE id = {payout}"
# What can still be altered: locked, because the worker may be about to look.
READY_TO_DELETE: Final = (
    "SELECT id FROM payouts_payout WHERE user_id = %s AND status = 'pending' AND attention = ''"
    " AND approvals_given >= approvals_required AND scheduled_for > now() + interval '2 seconds' FOR UPDATE"
)
READY_TO_RAISE: Final = "SELECT id FROM payouts_payout WHERE user_id = %s AND status = 'pending' FOR UPDATE"


class Tamperer:
    def __init__(self, database: str, plan: Plan) -> None:
        self.altered: dict[int, str] = {}
        """Intents that were altered, and how."""
        self._database = database
        self._all: list[tuple[Intent, str]] = [
            *((intent, "approval_deleted") for intent in plan.tampered("approval_deleted")),
            *((intent, "count_raised") for intent in plan.tampered("count_raised")),
        ]
        self._left = list(self._all)
        self._times: dict[int, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def was_put_back(self, taken_at: float, restored_at: float) -> None:
        """The database has forgotten what was altered between these, by time.time(): it is altered again."""
        forgotten = {number for number, at in self._times.items() if taken_at < at <= restored_at}
        for intent, how in [each for each in self._all if each[0].number in forgotten]:
            del self.altered[intent.number], self._times[intent.number]
            self._left.append((intent, how))
        if self._left and not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._left and not self._stopped.wait(PAUSE_SECONDS):
            with suppress(psycopg.Error):
                for intent, how in list(self._left):
                    if self._alter(intent, how):
                        self.altered[intent.number], self._times[intent.number] = how, time.time()
                        self._left.remove((intent, how))

    def _alter(self, intent: Intent, how: str) -> bool:
        ready, change = (READY_TO_DELETE, DELETE) if how == "approval_deleted" else (READY_TO_RAISE, RAISE)
        with psycopg.connect(self._database, options="-c lock_timeout=2s") as connection:
            row = connection.execute(ready, (intent.number + 1,)).fetchone()
            if row is None:
                return False
            connection.execute(change.format(payout=int(row[0])))
        return True
