"""Running totals: what has happened, counted once each, so that a counter is right at every scrape.

A transaction may commit a row whose number is lower than that of a row which was counted before. So nothing is
counted before it is settled: a mark is set at the highest number of now; once every transaction that was under way
after it has ended, no row below the mark can come any more, and all up to it are counted in the order of an index.
The totals are kept in the database with how far they have come, in one transaction: they outlive the exporter, and
several count each row once.

A transaction that has a number and has not written anything yet would escape; so a mark waits for MARK_PAUSE_SECONDS
before it looks who is under way.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from django.db import connection, transaction

from payouts.models import FigureTotal
from payouts.providers import registry

log = structlog.get_logger(__name__)

# Upper bounds in seconds of what is counted of calls; one more has no bound.
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
# Rows that one transaction counts.
AT_ONCE = 20_000
MARK_PAUSE_SECONDS = 0.05
LOOK_PAUSE_SECONDS = 0.02
# A scrape waits for so long until what is under way has ended, and counts for so long; the next goes on from there.
SETTLE_SECONDS = 0.5
COUNT_SECONDS = 3.0
# Who has a transaction open for longer, in psql say, keeps every counter still meanwhile.
STILL_SECONDS = 60.0

TASK_FAILURES = "task_failures"
# The moment of the last answer that says that we may not, and of the last that does not.
UNAUTHORIZED_AT, AUTHORIZED_AT = "unauthorized_at", "authorized_at"
MOMENTS = [UNAUTHORIZED_AT, AUTHORIZED_AT]


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose rows only come: in the order of `column`, whose place is a number that only grows."""

    name: str
    table: str
    column: str
    place: str
    """The column as a number."""
    at: str
    """A number as the column's value."""
    last: str
    """The highest place of now."""
    counts: str
    """Gives name, labels and value of the rows `{between}`."""

    @property
    def between(self) -> str:
        begins, ends = (self.at.format(place=f"%({name})s::bigint") for name in ("begins", "ends"))
        return f"{self.column} > {begins} AND {self.column} <= {ends}"


MOVES = """
SELECT 'moves', ARRAY[e.to_status, p.currency, p.provider], count(*)
FROM payouts_event e
CROSS JOIN LATERAL (SELECT currency, provider FROM payouts_payout WHERE id = e.payout_id OFFSET 0) AS p
WHERE {between} AND (e.from_status IS NULL OR e.from_status <> e.to_status) GROUP BY 2
"""
CALLS = """
WITH answered AS (
    SELECT a.provider, x.call, x.verdict, x.http_status, extract(epoch FROM x.answered_at)::float8 AS at,
           greatest(extract(epoch FROM x.answered_at - x.called_at)::float8, 0) AS seconds
    FROM payouts_exchange x
    CROSS JOIN LATERAL (SELECT provider FROM payouts_attempt WHERE reference = x.attempt_id OFFSET 0) AS a
    WHERE {between}
)
SELECT 'calls', ARRAY[provider, verdict]::text[], count(*) FROM answered GROUP BY 2
UNION ALL
SELECT 'retries', ARRAY[provider]::text[], count(*) FROM answered WHERE call > 1 GROUP BY 2
UNION ALL
SELECT 'call_seconds', ARRAY[provider, width_bucket(seconds, %(buckets)s::float8[])::text]::text[], count(*)
FROM answered GROUP BY 2
UNION ALL
SELECT 'call_seconds_sum', ARRAY[provider]::text[], sum(seconds) FROM answered GROUP BY 2
UNION ALL
SELECT 'unauthorized_at', ARRAY[provider]::text[], max(at) FROM answered WHERE http_status IN (401, 403) GROUP BY 2
UNION ALL
SELECT 'authorized_at', ARRAY[provider]::text[], max(at) FROM answered
WHERE http_status NOT IN (401, 403) GROUP BY 2
"""
# A message is called by its account and its own name, except those of the account without a name.
WEBHOOKS = """
SELECT 'webhooks', ARRAY[CASE WHEN position(':' IN message_id) > 0
    AND split_part(message_id, ':', 1) = ANY(%(accounts)s::text[]) THEN split_part(message_id, ':', 1)
    ELSE %(unnamed)s::text END], count(*)
FROM payouts_webhookmessage WHERE {between} GROUP BY 2
"""
MICROSECONDS = "(extract(epoch FROM {moment}) * 1000000)::bigint"

SOURCES = (
    Source("events", "payouts_event", "id", "id", "{place}", "SELECT max(id) FROM payouts_event", MOVES),
    Source("exchanges", "payouts_exchange", "id", "id", "{place}", "SELECT max(id) FROM payouts_exchange", CALLS),
    # Their names have no order. A row's time is when the statement began that writes it, which takes its time.
    Source(
        "webhooks",
        "payouts_webhookmessage",
        "received_at",
        MICROSECONDS.format(moment="received_at"),
        "timestamptz 'epoch' + {place} * interval '1 microsecond'",
        f"SELECT {MICROSECONDS.format(moment="clock_timestamp() - interval '2 seconds'")}",
        WEBHOOKS,
    ),
)

# Of this database alone: a snapshot would wait for other databases' transactions too.
UNDER_WAY = """
SELECT backend_xid::text FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""
BEGIN = "INSERT INTO payouts_figuresource (name, counted_to) VALUES (%s, 0) ON CONFLICT DO NOTHING"
TAKE = "SELECT counted_to FROM payouts_figuresource WHERE name = %s FOR UPDATE SKIP LOCKED"
GO_ON = "UPDATE payouts_figuresource SET counted_to = %s WHERE name = %s"
# The place of the last row of a slice; less than AT_ONCE rows are all up to the mark.
SLICE = """
SELECT count(*), max({place}) FROM (
    SELECT {column} FROM {table} WHERE {between} ORDER BY {column} LIMIT %(at_once)s) AS slice
"""
ADD = """
INSERT INTO payouts_figuretotal AS t (name, labels, value) {counts}
ON CONFLICT (name, labels) DO UPDATE
SET value = CASE WHEN t.name = ANY(%(moments)s::text[]) THEN greatest(t.value, excluded.value)
                 ELSE t.value + excluded.value END
"""
KEEP = """
INSERT INTO payouts_figuretotal AS t (name, labels, value) VALUES (%s, %s, %s)
ON CONFLICT (name, labels) DO UPDATE SET value = t.value + excluded.value
"""
FAILURES = """
SELECT coalesce((SELECT value FROM payouts_figuretotal WHERE name = %s AND labels = '{}'), 0)
       + (SELECT count(*) FROM django_q_task WHERE NOT success)
"""

type Totals = dict[str, dict[tuple[str, ...], float]]


class Mark(NamedTuple):
    """Places of each source, and the transactions that must have ended before they are settled."""

    places: dict[str, int]
    under_way: frozenset[str]


class Counting:
    """Brings the totals up to date, scrape by scrape. For one thread at a time."""

    def __init__(self) -> None:
        self._mark: Mark | None = None
        self._marked_at = 0.0
        self._was_current = False

    def bring_up(self) -> bool:
        """Count what is settled. False while more is left than a scrape counts, or none of it could be counted yet,
        or for a minute already.

        Then the totals are those of some time ago, and a counter that caught up before everybody's eyes would look
        like a rush.
        """
        is_of_before = self._mark is not None
        is_current = self._count_to_mark()
        return self._count_to_mark() if is_of_before and self._mark is None else is_current

    def _count_to_mark(self) -> bool:
        if self._mark is None:
            self._mark, self._marked_at = _marked(), time.monotonic()
        if not _is_settled(self._mark):
            waited = time.monotonic() - self._marked_at
            if waited > STILL_SECONDS:
                log.warning("figures_wait_for_a_transaction", seconds=round(waited))
                self._was_current = False
            return self._was_current
        if any(place < self._mark.places[name] for name, place in _places().items()):
            self._mark = None  # the database was put back meanwhile
            return self._was_current
        deadline = time.monotonic() + COUNT_SECONDS
        counted = [_count(source, self._mark.places[source.name], deadline) for source in SOURCES]
        self._was_current = all(counted)
        if self._was_current:
            self._mark = None
        return self._was_current


def read() -> Totals:
    """The totals by name and labels, as they were counted."""
    found: Totals = {}
    for name, labels, value in FigureTotal.objects.values_list("name", "labels", "value"):
        found.setdefault(name, {})[tuple(labels)] = value
    return found


def keep(name: str, labels: Sequence[str], value: float) -> None:
    """Add to a total what its rows will not show any more, in the transaction that deletes them."""
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [name, list(labels), value])


def task_failures() -> float:
    """Tasks that failed: those that are kept, and those that were pruned."""
    with connection.cursor() as cursor:
        cursor.execute(FAILURES, [TASK_FAILURES])
        (count,) = cursor.fetchone()
    return float(count)


def _marked() -> Mark:
    places = _places()
    time.sleep(MARK_PAUSE_SECONDS)
    return Mark(places, _under_way())


def _places() -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for source in SOURCES:
            cursor.execute(source.last)
            found[source.name] = cursor.fetchone()[0] or 0
    return found


def _under_way() -> frozenset[str]:
    with connection.cursor() as cursor:
        cursor.execute(UNDER_WAY)
        return frozenset(number for (number,) in cursor.fetchall())


def _is_settled(mark: Mark) -> bool:
    """Whether all that was under way at the mark has ended; waits for it for a moment."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while mark.under_way & _under_way():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_PAUSE_SECONDS)
    return True


def _count(source: Source, to: int, deadline: float) -> bool:
    """Count the rows up to that place, in slices. False where the time was up, or another process is at it."""
    while (counted_to := _count_slice(source, to)) is not None:
        if counted_to >= to:
            return True
        if time.monotonic() > deadline:
            log.info("figures_behind", source=source.name, counted_to=counted_to, to=to)
            return False
    return False


def _count_slice(source: Source, to: int) -> int | None:
    """How far the totals have come; None while another process counts."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BEGIN, [source.name])
        cursor.execute(TAKE, [source.name])
        taken = cursor.fetchone()
        if taken is None or taken[0] >= to:
            return taken[0] if taken else None
        span: dict[str, Any] = {"begins": taken[0], "ends": to}
        names = {"place": source.place, "column": source.column, "table": source.table}
        cursor.execute(SLICE.format(**names, between=source.between), {**span, "at_once": AT_ONCE})
        count, last = cursor.fetchone()
        span["ends"] = to if count < AT_ONCE else last
        if count:
            cursor.execute(ADD.format(counts=source.counts.format(between=source.between)), span | _parameters())
        cursor.execute(GO_ON, [span["ends"], source.name])
        ends: int = span["ends"]
    return ends


def _parameters() -> dict[str, Any]:
    accounts = [name for name in registry.known_names() if name != registry.UNNAMED]
    return {"moments": MOMENTS, "buckets": list(BUCKETS), "accounts": accounts, "unnamed": registry.UNNAMED}
