"""A standby of the database, from which a few pages and tasks read what nobody decides by.

They ask for it by name, through `read`; whoever does not reads the primary. A decision, a claim and a form never do.
The standby answers only while all of this holds, and the primary does otherwise:

- it is a standby of our server, on the primary's own timeline: a promoted one, one that follows a lost primary, and
  another installation's are none;
- it has replayed what the primary had written at most REPLICA_LAG_SECONDS ago;
- it has replayed all that whoever asks has written themselves.

Times are never compared, only places in the primary's log (WAL), in bytes. The first statement of a transaction looks
how far the standby has come, and the transaction keeps to this one session, whatever stands between: what it reads
later is as new as that, or newer.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import Any, NamedTuple, Self

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections, transaction
from psycopg.errors import QueryCanceled

log = structlog.get_logger(__name__)

REPLICA = "replica"  # in DATABASES
SAMPLED_EVERY_SECONDS = 1.0
KEPT_SECONDS = 600.0
# A standby that did not answer is left alone for so long, or each page would wait for it.
LEFT_ALONE_SECONDS = 10.0
POLL_SECONDS = 0.05
# Whoever has not asked for a while knows only that it is a little behind: it is given so long to reach the primary.
UNSURE_SECONDS = 0.25
# How far it has come it tells at once, unless the server hangs: then nothing but our own clock ends the waiting.
TELLS_WITHIN_SECONDS = 2.0
# Longer than its statements may take.
ANSWERS_WITHIN_SECONDS = 60.0
# Of its ten seconds (payouts/exports/write.py).
TASK_WAITS_SECONDS = 2.0
NEVER_REACHED = 2**64 - 1

# The end of what is safe on the primary's disk; its timeline is in the name of the file that has it.
WRITTEN = """
SELECT system_identifier, ('x' || left(pg_walfile_name(written), 8))::bit(32)::bigint, (written - '0/0')::bigint
FROM pg_control_system(), pg_current_wal_flush_lsn() AS written
"""
# Of a standby the control file knows the timeline since its last restart point: too old a one only costs its help.
REPLAYED = """
SELECT pg_is_in_recovery(), system_identifier, greatest(timeline_id, min_recovery_end_timeline),
       coalesce((pg_last_wal_replay_lsn() - '0/0')::bigint, 0)
FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()
"""

AWAY = "it does not answer"
PRIMARY = "DATABASE_REPLICA_URL leads to a server that is no standby"
FOREIGN = "DATABASE_REPLICA_URL leads to a standby of another server"
LOST = "it does not follow the present primary, or has not noted yet that it does"
LATE = "it lags by more than REPLICA_LAG_SECONDS"
# No fault of its: it has not replayed yet what this person has just done.
BEHIND = "it has not replayed what was written a moment ago"
# None either: what it must replay next removes what the statement still reads (hot standby's conflicts).
CANCELLED = "it cancelled what was being read"
UNTOLD = "it, or the primary, does not tell how far its log has come"
GONE = (OperationalError, InterfaceError)


class ReplicaError(Exception):
    """Something would write a row that was read from the standby."""


class Router:
    """Chooses nothing: it keeps rows that were read from the standby from being written, and migrations off it."""

    def db_for_write(self, model: Any, **hints: Any) -> None:
        state = getattr(hints.get("instance"), "_state", None)
        if state is not None and state.db == REPLICA:
            raise ReplicaError(f"A row of {model._meta.label} that was read from the standby is not to be written.")

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == REPLICA else None


class Place(NamedTuple):
    """How far a server's log has come."""

    system: int
    timeline: int
    lsn: int
    """Bytes from its beginning."""


class Standing(NamedTuple):
    why_not: str
    """Why it is not read from; empty where it is."""
    lag_seconds: float
    """How long ago the primary had written no more than the standby has replayed, as far as this process saw."""
    least_lag_seconds: float = 0.0
    """How long ago it had surely written more."""


class _Watch:
    """What this process has seen of the primary's log, and of the standby."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: deque[tuple[float, Place]] = deque()
        self._away_until = 0.0
        self._said = ""

    def primary(self) -> Place:
        """Where the primary is, or was within the last second. Raises django.db.Error."""
        with self._lock:
            if self._seen and time.monotonic() - self._seen[-1][0] < SAMPLED_EVERY_SECONDS:
                return self._seen[-1][1]
        return self.primary_now()

    def primary_now(self) -> Place:
        """Raises django.db.Error."""
        now, place = time.monotonic(), written()
        with self._lock:
            if self._seen and self._seen[-1][1][:2] != place[:2]:
                self._seen.clear()  # a new primary: what the old one had written may be lost
            self._seen.append((now, place))
            while self._seen[0][0] < now - KEPT_SECONDS:
                self._seen.popleft()
        return place

    def lag_seconds(self, lsn: int) -> float:
        """0 where it has all that was seen; infinite where it is older than all that is remembered."""
        with self._lock:
            for at, place in reversed(self._seen):
                if place.lsn <= lsn:
                    return 0.0 if at == self._seen[-1][0] else time.monotonic() - at
        return float("inf")

    def surely_lags_seconds(self, lsn: int) -> float:
        """For so long at least: the primary had written more by then."""
        with self._lock:
            for at, place in self._seen:
                if place.lsn > lsn:
                    return time.monotonic() - at
        return 0.0

    @property
    def is_left_alone(self) -> bool:
        return time.monotonic() < self._away_until

    def leave_alone(self) -> None:
        self._away_until = time.monotonic() + LEFT_ALONE_SECONDS

    def say(self, why: str) -> None:
        """In the log, each time that it changes."""
        with self._lock:
            if why == self._said:
                return
            self._said = why
        if why:
            log.warning("replica_not_used", reason=why)
        else:
            log.info("replica_used_again")


_watch = _Watch()


def forget() -> None:
    """As a process that has just begun."""
    global _watch
    _watch = _Watch()


def is_there() -> bool:
    """DATABASE_REPLICA_URL is set."""
    return REPLICA in connections


def written() -> Place:
    """How far the primary has come: all that is committed by now is before it. Raises django.db.Error."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(WRITTEN)
        return Place(*cursor.fetchone())


def read[Found](ask: Callable[[str], Found], *, seen: int = 0, patience_seconds: float = 0.0) -> Found:
    """What `ask` returns, which is given the alias of the database to read from.

    The standby where it may be, and has replayed up to `seen`, which is waited for so long; the primary otherwise.
    `ask` is called again, with the primary, where the standby fails half-way, so it must change nothing, and its
    answer must be whole: a lazy one would be read after the check is forgotten.
    """
    if not is_there() or _watch.is_left_alone:
        return ask(DEFAULT_DB_ALIAS)
    is_looked_at = False
    try:
        with transaction.atomic(using=REPLICA):
            why, is_looked_at = _looked(seen, patience_seconds).why_not, True
            if not why:
                with _ended_after(ANSWERS_WITHIN_SECONDS):
                    found = ask(REPLICA)
    except Error as error:
        # Over its time: the primary would be asked to spend as long again.
        is_over_time = isinstance(error.__cause__, QueryCanceled)
        if is_looked_at and (is_over_time or not isinstance(error, GONE)):
            raise
        why = _failed(error)
    if why not in (BEHIND, CANCELLED):
        _watch.say(why)
    return ask(DEFAULT_DB_ALIAS) if why else found


class Moment:
    """Of the primary: a task's questions are answered by a standby that has come so far, or by the primary.

    The first question waits for it a while; behind a standby that does not come, no other does.
    """

    def __init__(self, lsn: int) -> None:
        self._lsn = lsn
        self._patience_seconds = TASK_WAITS_SECONDS

    @classmethod
    def present(cls) -> Self:
        """Raises django.db.Error."""
        return cls(written().lsn if is_there() else 0)

    def read[Found](self, ask: Callable[[str], Found]) -> Found:
        """As `read` does."""
        patience, self._patience_seconds = self._patience_seconds, 0.0
        return read(ask, seen=self._lsn, patience_seconds=patience)


def standing() -> Standing:
    """How the standby is, for the figures and at the start; it is given a second to reach the primary's place."""
    try:
        with transaction.atomic(using=REPLICA):
            found = _looked(_watch.primary_now().lsn, 1.0)
    except Error as error:
        return Standing(_failed(error), float("inf"))
    return found._replace(why_not="") if found.why_not == BEHIND else found


def warn() -> None:
    """Say so in the log where there is a standby that is not read from."""
    if not is_there():
        return
    why = standing().why_not
    connections[REPLICA].close()  # a start forks, and serves from other threads
    if why != CANCELLED:
        _watch.say(why)


def _looked(seen: int, patience_seconds: float) -> Standing:
    began_at = time.monotonic()
    while True:
        found = _look(seen)
        is_unsure = found.why_not == LATE and found.least_lag_seconds <= settings.REPLICA_LAG_SECONDS
        patience = max(patience_seconds, UNSURE_SECONDS) if is_unsure else patience_seconds
        if found.why_not not in (BEHIND, LATE) or time.monotonic() - began_at >= patience:
            return found
        time.sleep(POLL_SECONDS)


def _look(seen: int) -> Standing:
    """In the transaction that is to read: behind a pooler the next one may find another standby."""
    primary = _watch.primary()
    with connections[REPLICA].cursor() as cursor, _ended_after(TELLS_WITHIN_SECONDS):
        cursor.execute(REPLAYED)
        is_standby, *place = cursor.fetchone()
    replayed = Place(*place)
    lag = _watch.lag_seconds(replayed.lsn)
    if not is_standby:
        why = PRIMARY
    elif replayed.system != primary.system:
        why = FOREIGN
    elif replayed.timeline != primary.timeline:
        why = LOST
    elif lag > settings.REPLICA_LAG_SECONDS:
        why = LATE
    else:
        why = BEHIND if replayed.lsn < seen else ""
    return Standing(why, lag, _watch.surely_lags_seconds(replayed.lsn))


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """The session is broken off then. A server that hangs sends nothing, its kernel answers for it, and no time-out
    of PostgreSQL's or of the network's comes."""
    # A handle of its own: libpq closes its own as it fails, and another thread may be given the number.
    with socket.socket(fileno=os.dup(connections[REPLICA].connection.fileno())) as line:

        def break_off() -> None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = Timer(seconds, break_off)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _failed(error: Exception) -> str:
    """After an error: a session that is gone is closed, and the standby is left alone for a while."""
    session = connections[REPLICA]
    log.info("replica_failed", reason=str(error))
    if session.is_usable():
        return CANCELLED if isinstance(error, GONE) else UNTOLD
    _watch.leave_alone()
    if not session.in_atomic_block:
        session.close()
    return AWAY
