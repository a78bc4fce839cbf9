"""What kills and stops the processes of the product, of PostgreSQL and of Redis, along the dice's own timetable."""

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import psutil

from tests.campaign import marks
from tests.campaign.plan import KEPT_AT, PUT_BACK_AT, Plan
from tests.campaign.programs import Keeper, Program, members
from tests.campaign.restore import Backup

KILLED: Final = (
    "web_parent",
    "web_worker",
    "supervisor",
    "supervisors_child",
    "sentinel",
    "worker",
    "monitor",
    "pusher",
)
# Left stopped, these cost a restart by the watchdog or nothing; the others are woken, as there is nobody above them.
LEFT_STOPPED: Final = ("supervisors_child", "sentinel", "worker", "monitor", "pusher")
WHOLE: Final = ("web_parent", "supervisor")
"""The first process of a container: where orphans are reaped, all its family goes with it."""
KILL_EVERY_SECONDS: Final = 2.5
STOP_EVERY_SECONDS: Final = 6.0
STOPPED_SECONDS: Final = (1.0, 6.0)
WEB_SPARED_SECONDS: Final = 6.0
POSTGRES_KILLS: Final = ((0.25, "postmaster"), (0.5, "every process"), (0.75, "postmaster"))
REDIS_BLOWS: Final = ((0.2, "killed"), (0.4, "flushed"), (0.6, "flushed"), (0.8, "killed"))

type Blow = Callable[[], None]


class Chaos:
    def __init__(self, keeper: Keeper, plan: Plan, redis_url: str, backup: Backup) -> None:
        self.keeper = keeper
        self.plan = plan
        self.redis_url = redis_url
        self.backup = backup
        self.kills: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.orphans: Counter[str] = Counter()
        """Processes that outlived their killed ancestor by a second."""
        self.postgres_kills: Counter[str] = Counter()
        self.redis_blows: Counter[str] = Counter()
        self.dice = plan.dice("chaos")
        self._decks: dict[str, list[str]] = {}
        self._web_spared_until = 0.0
        self._to_wake: list[tuple[float, int]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        began_at = time.monotonic()
        for at, blow in self._timetable():
            while not self._stopped.wait(0.05) and time.monotonic() - began_at < at:
                self._wake()
            if self._stopped.is_set():
                break
            self.keeper.reaps_orphans = self._reaps(at)
            blow()
        while self._to_wake:
            self._wake()
            time.sleep(0.05)

    def _reaps(self, at: float) -> bool:
        return self.plan.orphans == "reaped" or (self.plan.orphans == "both" and at < self.plan.storm_seconds / 2)

    def _timetable(self) -> list[tuple[float, Blow]]:
        storm = self.plan.storm_seconds
        kill_every = min(KILL_EVERY_SECONDS, storm / 14)
        timetable: list[tuple[float, Blow]] = [
            *((self._jittered(at, kill_every), self._kill) for at in _every(kill_every, storm)),
            *((self._jittered(at, STOP_EVERY_SECONDS), self._stop_one) for at in _every(STOP_EVERY_SECONDS, storm)),
            *((share * storm, lambda how=how: self._kill_postgres(how)) for share, how in POSTGRES_KILLS),
            *((share * storm, lambda how=how: self._strike_redis(how)) for share, how in REDIS_BLOWS),
        ]
        if self.plan.is_put_back:
            timetable += [(KEPT_AT * storm, self.backup.take), (PUT_BACK_AT * storm, self.backup.put_back)]
        return sorted(timetable, key=lambda each: each[0])

    def _jittered(self, at: float, every: float) -> float:
        return at + self.dice.uniform(0, 0.8 * every)

    def _draw(self, deck: str) -> tuple[str, Program, int] | None:
        """A process to strike, of the next kind that is there: every kind once before any comes twice."""
        waiting = self._decks.setdefault(deck, [])
        if not waiting:
            waiting += self.dice.sample(KILLED, len(KILLED))
        for kind in list(waiting):
            if found := self._find(kind):
                waiting.remove(kind)
                return kind, *found
        return None

    def _find(self, kind: str) -> tuple[Program, int] | None:
        """A process of this kind in a program that is not frozen at the moment."""
        if kind.startswith("web") and time.monotonic() < self._web_spared_until:
            return None
        programs = [each for name, each in self.keeper.programs.items() if name == "web" or "cluster" in name]
        self.dice.shuffle(programs)
        for program in programs:
            if program.pid and marks.state(program.pid) != "T" and (found := members(program).get(kind)):
                return program, self.dice.choice(found)
        return None

    def _kill(self) -> None:
        if (drawn := self._draw("kill")) is None:
            return
        kind, program, pid = drawn
        family = program.family
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills[kind] += 1
        if kind in WHOLE and self.keeper.reaps_orphans:
            marks.signal_all(family, signal.SIGKILL)
        elif kind in WHOLE:
            time.sleep(1.0)
            self.orphans[kind] += sum(marks.state(each) not in ("", "Z") for each in family)

    def _stop_one(self) -> None:
        if (drawn := self._draw("stop")) is None:
            return
        kind, _program, pid = drawn
        is_left = kind in LEFT_STOPPED and self.dice.random() < 0.5
        marks.signal_all([pid], signal.SIGSTOP)
        self.stops[f"{kind}, left" if is_left else kind] += 1
        if not is_left:
            self._to_wake.append((time.monotonic() + self.dice.uniform(*STOPPED_SECONDS), pid))

    def _wake(self) -> None:
        now = time.monotonic()
        marks.signal_all([pid for at, pid in self._to_wake if at <= now], signal.SIGCONT)
        self._to_wake = [(at, pid) for at, pid in self._to_wake if at > now]

    def _kill_postgres(self, how: str) -> None:
        pid = self.keeper.programs["postgres"].pid
        if not pid:
            return
        self._web_spared_until = time.monotonic() + min(WEB_SPARED_SECONDS, self.plan.storm_seconds / 10)
        with suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(pid)
            targets = [postmaster, *(postmaster.children() if how == "every process" else [])]
            for target in targets:
                with suppress(psutil.NoSuchProcess):
                    target.kill()
            self.postgres_kills[how] += 1

    def _strike_redis(self, how: str) -> None:
        pid = self.keeper.programs["redis"].pid
        if how == "killed" and pid:
            os.kill(pid, signal.SIGKILL)
            self.redis_blows[how] += 1
        elif how == "flushed" and self._flush():
            self.redis_blows[how] += 1

    def _flush(self) -> bool:
        parts = urlsplit(self.redis_url)
        try:
            with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=2) as connection:
                connection.sendall(f"AUTH {parts.password}\r\nFLUSHALL\r\n".encode())
                return connection.recv(100).startswith(b"+OK")
        except OSError:
            return False


def _every(seconds: float, until: float) -> list[float]:
    return [number * seconds for number in range(1, int(until / seconds))]
