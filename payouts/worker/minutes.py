"""Count what happened in each minute, and look at what is due: for the pictures of the operations page.

A minute is counted when it is over, and again in the next two, for the transactions that were open at its end. What
was missed while no cluster ran is counted later, but for what was due then: that is known only while it is.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from payouts.actions import due
from payouts.database.clock import clock
from payouts.jobs import Stop, never
from payouts.models import CALL_SECONDS, FigureSource, MinuteSample
from payouts.providers import registry

MINUTE = timedelta(minutes=1)
# A minute is counted so many times.
LOOKED_BACK = 3 * MINUTE
# Older minutes are in no picture.
KEPT = timedelta(days=2)
SHOWN = timedelta(days=1)
AT_ONCE = timedelta(hours=1)
# How far the minutes are counted stands beside the running totals of the figures.
SOURCE = "minutes"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# By the index of the events' time: the rows of these minutes, however many there are of others.
MOVED = """
SELECT date_trunc('minute', e.at), p.provider, count(*) FILTER (WHERE e.to_status = 'processed'),
       count(*) FILTER (WHERE e.to_status = 'failed'), count(*) FILTER (WHERE e.to_status = 'unknown')
FROM payouts_event e JOIN payouts_payout p ON p.id = e.payout_id
WHERE e.at >= %s AND e.at < %s AND e.to_status IN ('processed', 'failed', 'unknown')
  AND e.from_status IS DISTINCT FROM e.to_status
GROUP BY 1, 2
"""
CALLED = """
SELECT date_trunc('minute', x.answered_at), a.provider,
       width_bucket(extract(epoch FROM x.answered_at - x.called_at)::float8, %s::float8[]), count(*)
FROM payouts_exchange x JOIN payouts_attempt a ON a.reference = x.attempt_id
WHERE x.answered_at >= %s AND x.answered_at < %s
GROUP BY 1, 2, 3
"""
NOTE = """
INSERT INTO payouts_figuresource AS s (name, counted_to) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET counted_to = greatest(s.counted_to, excluded.counted_to)
"""


def sample(*, must_stop: Stop = never) -> bool:
    """Count the minutes that are over, and note what is due now.

    Returns False where minutes are left to count: another call goes on with them.
    """
    now = clock()
    minute = now.replace(second=0, microsecond=0)
    # No later than now, for a clock that was set back.
    begins = max(min(_counted_until(), minute) - LOOKED_BACK, minute - SHOWN)
    while begins < minute:
        ends = min(begins + AT_ONCE, minute)
        _count(begins, ends)
        _note(ends)
        begins = ends
        if begins < minute and must_stop():
            return False
    _look(now, minute)
    return True


def forget() -> None:
    """Delete the samples that no picture shows any more."""
    MinuteSample.objects.filter(at__lt=clock() - KEPT).delete()


def _counted_until() -> datetime:
    source = FigureSource.objects.filter(name=SOURCE).first()
    return EPOCH + MINUTE * (source.counted_to if source else 0)


def _note(until: datetime) -> None:
    """A task that counts beside this one may be further."""
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [SOURCE, (until - EPOCH) // MINUTE])


def _count(begins: datetime, ends: datetime) -> None:
    found: dict[tuple[datetime, str], dict[str, Any]] = defaultdict(lambda: {"calls": []})
    with connection.cursor() as cursor:
        cursor.execute(MOVED, [begins, ends])
        for at, provider, paid, refused, unknown in cursor.fetchall():
            found[at, provider] |= {"paid": paid, "refused": refused, "unknown": unknown}
        cursor.execute(CALLED, [list(CALL_SECONDS), begins, ends])
        for at, provider, step, count in cursor.fetchall():
            calls = found[at, provider]["calls"] or [0] * (len(CALL_SECONDS) + 1)
            calls[step] = count
            found[at, provider]["calls"] = calls
    counted = [MinuteSample(at=at, provider=provider, **facts) for (at, provider), facts in found.items()]
    _write(counted, ("paid", "refused", "unknown", "calls"))


def _look(now: datetime, minute: datetime) -> None:
    owed = {each.provider: each for each in due.owed()}
    looked = []
    for provider in sorted({*owed, *registry.known_names()}):
        each = owed.get(provider)
        wait = max((now - each.oldest_at).total_seconds(), 0.0) if each else 0.0
        looked.append(
            MinuteSample(at=minute, provider=provider, due=each.count if each else 0, oldest_seconds=round(wait))
        )
    _write(looked, ("due", "oldest_seconds"))


def _write(samples: Iterable[MinuteSample], columns: tuple[str, ...]) -> None:
    """Of a minute that is there already these columns alone; in one order, so that two that write wait in turn."""
    rows = sorted(samples, key=lambda each: (each.at, each.provider))
    MinuteSample.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["at", "provider"], update_fields=list(columns), batch_size=1_000
    )
