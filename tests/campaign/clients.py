"""The clients: submit every intent over HTTP, and again under the same key until it is acknowledged."""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tests.campaign.plan import Intent, Plan

THREADS: Final = 8
TIMEOUT_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.3
LATER_SECONDS: Final = (1.0, 10.0)


@dataclass(frozen=True)
class Ack:
    """What the API promised of an intent."""

    intent: int
    payout: int
    reference: str
    body: dict[str, Any]
    at: float = 0.0
    """By time.time()."""


@dataclass
class Clients:
    """Submitting in threads. `acks` has one entry for each submission that was acknowledged, doubles too."""

    plan: Plan
    port: int
    key: str
    acks: list[Ack] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, Intent]] = []
        self._threads: list[threading.Thread] = []

    def storm(self, extra: list[Intent]) -> None:
        """Submit the storm's intents evenly over its time, doubles too, and `extra` at its tenth."""
        dice, step = self.plan.dice("clients"), self.plan.storm_seconds / self.plan.count
        now = time.monotonic()
        submissions = [(now + 0.1 * self.plan.storm_seconds, intent) for intent in extra]
        for place, intent in enumerate(self.plan.storm):
            at = now + place * step
            submissions.append((at, intent))
            if intent.doubled:
                submissions.append(
                    (at + (dice.uniform(*LATER_SECONDS) if intent.doubled == "later" else 0.0), intent)
                )
        self.submit(submissions)

    def submit(self, submissions: list[tuple[float, Intent]]) -> None:
        """Each at its time, in threads; `done` tells when all are acknowledged or refused."""
        with self._lock:
            self._waiting = sorted([*self._waiting, *submissions], key=lambda each: (each[0], each[1].number))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        for _ in range(THREADS):
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        while not self.stopped.is_set():
            with self._lock:
                if not self._waiting:
                    break
                at, intent = self._waiting.pop(0)
            self.stopped.wait(max(0.0, at - time.monotonic()))
            while not self.stopped.is_set() and not self._submitted(connection, intent):
                self.stopped.wait(PAUSE_SECONDS)
        connection.close()

    def _submitted(self, connection: http.client.HTTPConnection, intent: Intent) -> bool:
        """Ask once; False when it has to be asked again."""
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": intent.key,
            "X-Forwarded-Proto": "https",
        }
        try:
            connection.request("POST", "/api/payouts/", json.dumps(intent.body), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(answer.status)] += 1
        if answer.status in (200, 201):
            content = json.loads(body)
            with self._lock:
                self.acks.append(Ack(intent.number, content["id"], content["reference"], content, time.time()))
            return True
        if answer.status == 429 or answer.status >= 500:
            if answer.status not in (429, 503):
                self.refused.append(f"{answer.status} {body[:200]!r}")
            return False
        self.refused.append(f"{answer.status} {body[:200]!r}")
        return True
