"""What can only be seen while it happens: a history that is torn for a moment, and an API that is away."""

import http.client
import threading
import time
from contextlib import suppress
from typing import Final

import psycopg

LOOK_EVERY_SECONDS: Final = 0.05
ASK_TIMEOUT_SECONDS: Final = 1.0
# In one statement, so of one moment: every version has its event, or some commit wrote one without the other.
TORN: Final = """
SELECT p.id FROM payouts_payout p
LEFT JOIN (SELECT payout_id, count(*) AS events, max(seq) AS last FROM payouts_event GROUP BY payout_id) e
    ON e.payout_id = p.id
WHERE p.version IS DISTINCT FROM e.events OR p.version IS DISTINCT FROM e.last
"""


class Watch:
    """Two threads: one asks PostgreSQL, one asks the API."""

    def __init__(self, database: str, port: int, key: str) -> None:
        self.torn: set[int] = set()
        self.looks = 0
        self.postgres_back_at: list[float] = []
        self._answers: list[tuple[float, float]] = []
        """When the API was asked, and when it answered well."""
        self._database = database
        self._port = port
        self._key = key
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._look, self._ask)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    @property
    def longest_away_seconds(self) -> float:
        """From PostgreSQL's return to the first good answer of the API to a question asked after it."""
        away = [
            min((answered_at for asked_at, answered_at in self._answers if asked_at >= back_at), default=float("inf"))
            - back_at
            for back_at in self.postgres_back_at
        ]
        return max(away, default=0.0)

    def _look(self) -> None:
        is_first = True
        while not self._stopped.is_set():
            with suppress(psycopg.Error), psycopg.connect(self._database, autocommit=True) as connection:
                if not is_first:
                    self.postgres_back_at.append(time.monotonic())
                is_first = False
                while not self._stopped.wait(LOOK_EVERY_SECONDS):
                    self.torn |= {payout for (payout,) in connection.execute(TORN)}
                    self.looks += 1
            self._stopped.wait(LOOK_EVERY_SECONDS)

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}", "X-Forwarded-Proto": "https"}
        while not self._stopped.wait(LOOK_EVERY_SECONDS):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ASK_TIMEOUT_SECONDS)
            asked_at = time.monotonic()
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/api/payouts/?user_id=1", headers=headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self._answers.append((asked_at, time.monotonic()))
            connection.close()
