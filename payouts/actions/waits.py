"""Payouts that are due and put off by the worker itself: why, since when, and until when.

They are not moves: `waits_for` is the worker's own, beside `due_at`, and any move of the payout ends the wait.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Value
from django.db.models.functions import Coalesce, Greatest, Least, Now

from payouts import doorbell
from payouts.models import WAITS_FOR_ACCOUNT, WAITS_FOR_LIMIT, WAITS_FOR_US, Payout

# As long as it has waited already, within these.
SHORTEST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=60)
# And where it is known when there can be room: within this, in case a limit is raised while a claim goes by the old.
LONGEST_FOR_ROOM = timedelta(minutes=15)
# More payouts than this are told as so many.
COUNTED = 10_000

OVER_LIMIT = """
SELECT currency, waits_for, count(*), min(waits_since)
FROM (SELECT currency, waits_for, waits_since FROM payouts_payout
      WHERE waits_for <> '' AND starts_with(waits_for, %(limit)s) LIMIT %(counted)s) AS waiting
GROUP BY currency, waits_for ORDER BY currency, waits_for
"""
FAILING = """
SELECT count(*), min(waits_since)
FROM (SELECT waits_since FROM payouts_payout
      WHERE waits_for <> '' AND waits_for = %(us)s ORDER BY waits_since LIMIT %(counted)s) AS waiting
"""


WITHOUT_ACCOUNT = """
SELECT provider, count(*)
FROM (SELECT provider FROM payouts_payout
      WHERE waits_for <> '' AND waits_for = %(account)s LIMIT %(counted)s) AS waiting
GROUP BY provider ORDER BY provider
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many payouts of a currency wait for the limit that `reason` names, and since when the first."""

    currency: str
    reason: str
    count: int
    since: datetime


def put_off(payout: Payout, reason: str, at: datetime, *, room_at: datetime | None) -> None:
    """Let the payout wait until there can be room for it, for 1 to 15 minutes. The caller writes it.

    So that claims do not look again and again at 100,000 that wait for a day's limit; who makes room ends the wait
    (`end`, `end_over_limit`). Where no moment can be told it waits for seconds at first, for a minute in the end.
    """
    payout.waits_for, payout.waits_since = reason, payout.waits_since or at
    if room_at is None:
        payout.due_at = at + max(SHORTEST_PAUSE, min(LONGEST_PAUSE, at - payout.waits_since))
    else:
        payout.due_at = at + max(LONGEST_PAUSE, min(LONGEST_FOR_ROOM, room_at - at))


def put_off_for_us(payout_ids: Collection[int]) -> None:
    """Let these wait because none of them could be claimed, which is no fault of theirs; as `put_off` does."""
    waited = ExpressionWrapper(Now() - Coalesce(F("waits_since"), Now()), output_field=DurationField())
    pause = Greatest(Value(SHORTEST_PAUSE), Least(Value(LONGEST_PAUSE), waited), output_field=DurationField())
    Payout.objects.due().filter(pk__in=payout_ids).update(
        waits_for=WAITS_FOR_US,
        waits_since=Coalesce("waits_since", Now()),
        due_at=ExpressionWrapper(Now() + pause, output_field=DateTimeField()),
        lease_token=None,
    )


def end(payout_id: int) -> None:
    """Let the worker look at a payout at once that it has put off, and ring for it."""
    if Payout.objects.filter(pk=payout_id, due_at__isnull=False).exclude(waits_for="").update(due_at=Now()):
        doorbell.ring()


def end_over_limit(currency: str) -> None:
    """Let the worker look at once at all that waits for a velocity limit of this currency, and ring for it."""
    waiting = Payout.objects.exclude(waits_for="").filter(waits_for__startswith=WAITS_FOR_LIMIT, currency=currency)
    if waiting.filter(due_at__isnull=False).update(due_at=Now()):
        doorbell.ring()


def over_limit() -> list[Waiting]:
    """What waits for a velocity limit, by currency and limit; COUNTED payouts at most in all."""
    with connection.cursor() as cursor:
        cursor.execute(OVER_LIMIT, {"limit": WAITS_FOR_LIMIT, "counted": COUNTED})
        return [Waiting(*row) for row in cursor.fetchall()]


def failing() -> tuple[int, datetime | None]:
    """How many payouts could not be claimed for a fault of ours, COUNTED at most, and since when the first."""
    with connection.cursor() as cursor:
        cursor.execute(FAILING, {"us": WAITS_FOR_US, "counted": COUNTED})
        count, since = cursor.fetchone()
    return count, since


def without_account() -> dict[str, int]:
    """How many payouts wait, COUNTED at most in all, because the settings do not name the account that is to pay."""
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT_ACCOUNT, {"account": WAITS_FOR_ACCOUNT, "counted": COUNTED})
        return dict(cursor.fetchall())
