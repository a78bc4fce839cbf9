"""How many wait in each queue, COUNTED at most, and for how long the oldest has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from payouts.figures.standing import Waits

COUNTED = 10_000
# Of what was sent: each costs a look at its attempt.
SENT_COUNTED = 1_000

# Each from a partial index, in its order.
QUEUES = """
SELECT 'approval', count(*), min(created_at) FROM (
    SELECT created_at, held_at, attention FROM payouts_payout
    WHERE status = 'pending' AND approvals_given < approvals_required ORDER BY id LIMIT %(counted)s) AS asked
WHERE held_at IS NULL AND attention = ''
UNION ALL
SELECT 'held', count(*), min(held_at) FROM (
    SELECT held_at FROM payouts_payout
    WHERE status = 'pending' AND held_at IS NOT NULL ORDER BY id LIMIT %(counted)s) AS held
UNION ALL
SELECT 'attention', count(*), min(updated_at) FROM (
    SELECT updated_at FROM payouts_payout WHERE attention <> '' ORDER BY id LIMIT %(counted)s) AS flagged
UNION ALL
SELECT 'batches', count(*), min(sent_at) FROM payouts_batch
WHERE sent_at IS NOT NULL AND approved_at IS NULL AND rejected_at IS NULL AND discarded_at IS NULL
"""
# Since the attempt that is open was made: when the money may have left. The status is no parameter: PostgreSQL is to
# know that the partial index has it.
SENT = """
SELECT count(*), min(open.created_at) FROM (
    SELECT id FROM payouts_payout WHERE status = '{status}' ORDER BY created_at LIMIT %(counted)s) AS sent
CROSS JOIN LATERAL (
    SELECT created_at FROM payouts_attempt a WHERE a.payout_id = sent.id AND a.outcome = 'open' OFFSET 0) AS open
"""


@dataclass(frozen=True, slots=True)
class Queue:
    count: int
    since: datetime | None
    """Since when the oldest waits; None where nothing does."""


def queues(waiting: Waits) -> dict[str, Queue]:
    """Each queue by the name that the figures have.

    What is due at a provider that is paused or silent is none of the queue `due`: nobody can work on it.
    """
    found = {name: Queue(count, since) for name, count, since in _rows(QUEUES, {"counted": COUNTED})}
    for status in ("processing", "unknown"):
        ((count, since),) = _rows(SENT.format(status=status), {"counted": SENT_COUNTED})
        found[status] = Queue(count, since)
    callable_now = [each for each in waiting.owed if each.is_callable]
    found["due"] = _sum([(each.count, each.oldest_at) for each in callable_now])
    found["funds"] = _sum([(each.count, each.since) for each in waiting.for_funds])
    found["velocity"] = _sum([(each.count, each.since) for each in waiting.over_limit])
    return found


def _sum(parts: Sequence[tuple[int, datetime]]) -> Queue:
    return Queue(sum(count for count, _since in parts), min((since for _count, since in parts), default=None))


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
