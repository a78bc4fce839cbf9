"""Payouts that are due and put off by the worker itself: why, since when, and until when.

They are not moves: `waits_for` is the worker's own, beside `due_at`, and any move of the payout ends the wait.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models.functions import Now

from payouts import doorbell
from payouts.models import WAITS_FOR_US, Payout

SHORTEST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 60
# More payouts than this are told as so many.
COUNTED = 10_000

# As long as it has waited already, within the two bounds.
PUT_OFF = """
UPDATE payouts_payout SET waits_for = %(reason)s, waits_since = coalesce(waits_since, statement_timestamp()),
       lease_token = NULL, due_at = statement_timestamp() + greatest(
           %(shortest)s * interval '1 second',
           least(%(longest)s * interval '1 second', statement_timestamp() - waits_since))
WHERE id = ANY(%(ids)s) AND due_at <= statement_timestamp()
"""
OVER_LIMIT = """
SELECT currency, waits_for, count(*), min(waits_since)
FROM (SELECT currency, waits_for, waits_since FROM payouts_payout
      WHERE waits_for <> '' AND waits_for <> %(us)s LIMIT %(counted)s) AS waiting
GROUP BY currency, waits_for ORDER BY currency, waits_for
"""
FAILING = """
SELECT count(*), min(waits_since)
FROM (SELECT waits_since FROM payouts_payout
      WHERE waits_for <> '' AND waits_for = %(us)s ORDER BY waits_since LIMIT %(counted)s) AS waiting
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many payouts of a currency wait for the limit that `reason` names, and since when the first."""

    currency: str
    reason: str
    count: int
    since: datetime


def put_off(payout: Payout, reason: str, at: datetime) -> None:
    """Let the payout wait: for seconds at first, for a minute in the end. The caller writes it, WAIT_FIELDS."""
    payout.waits_for, payout.waits_since = reason, payout.waits_since or at
    waited = (at - payout.waits_since).total_seconds()
    pause = max(SHORTEST_PAUSE_SECONDS, min(LONGEST_PAUSE_SECONDS, waited))
    payout.due_at = at + timedelta(seconds=pause)


def put_off_for_us(payout_ids: Collection[int]) -> None:
    """Let these wait because none of them could be claimed, which is no fault of theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            PUT_OFF,
            {
                "ids": list(payout_ids),
                "reason": WAITS_FOR_US,
                "shortest": SHORTEST_PAUSE_SECONDS,
                "longest": LONGEST_PAUSE_SECONDS,
            },
        )


def end(payout_id: int) -> None:
    """Let the worker look at a payout at once that it has put off, and ring for it."""
    if Payout.objects.filter(pk=payout_id, due_at__isnull=False).exclude(waits_for="").update(due_at=Now()):
        doorbell.ring()


def over_limit() -> list[Waiting]:
    """What waits for a velocity limit, by currency and limit; COUNTED payouts at most in all."""
    with connection.cursor() as cursor:
        cursor.execute(OVER_LIMIT, {"us": WAITS_FOR_US, "counted": COUNTED})
        return [Waiting(*row) for row in cursor.fetchall()]


def failing() -> tuple[int, datetime | None]:
    """How many payouts could not be claimed for a fault of ours, COUNTED at most, and since when the first."""
    with connection.cursor() as cursor:
        cursor.execute(FAILING, {"us": WAITS_FOR_US, "counted": COUNTED})
        count, since = cursor.fetchone()
    return count, since
