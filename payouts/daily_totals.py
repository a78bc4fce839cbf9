"""What was paid, by day (UTC) and currency: counted once when a day is over, so that no screen scans the payouts.

Days are counted from the oldest on without a gap, so the last one tells how far the count has come.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Max

from payouts.jobs import Stop, never
from payouts.models import DailyTotal

# A day is counted when no transaction that paid on it can still be open.
SETTLED_AFTER = timedelta(minutes=10)

# One seek in payout_by_day: days on which nothing was paid are jumped over.
NEXT_PAID = """
SELECT min(processed_at), clock_timestamp() FROM payouts_payout WHERE processed_at >= %s
"""
COUNT_DAY = """
INSERT INTO payouts_dailytotal ("on", currency, paid_count, paid_amount)
SELECT %(on)s, currency, count(*), sum(amount) FROM payouts_payout
WHERE processed_at >= %(begins)s AND processed_at < %(ends)s GROUP BY currency
ON CONFLICT ON CONSTRAINT daily_total_unique
DO UPDATE SET paid_count = excluded.paid_count, paid_amount = excluded.paid_amount
"""
BY_DAY = """
SELECT (processed_at AT TIME ZONE 'UTC')::date, currency, count(*), sum(amount) FROM payouts_payout
WHERE processed_at >= %s GROUP BY 1, 2
"""


def count_days(*, must_stop: Stop = never) -> bool:
    """Count every day that is over and was not counted yet, one at a time. Returns whether none is left."""
    while day := next_uncounted():
        if must_stop():
            return False
        with connection.cursor() as cursor:
            cursor.execute(COUNT_DAY, {"on": day, "begins": midnight(day), "ends": midnight(day + timedelta(days=1))})
    return True


def next_uncounted(*, using: str = DEFAULT_DB_ALIAS) -> date | None:
    """The first day that is over, on which something was paid, and that is not counted, as this database has it."""
    last = DailyTotal.objects.using(using).aggregate(last=Max("on"))["last"]
    begins = midnight(last + timedelta(days=1)) if last else datetime(1970, 1, 1, tzinfo=UTC)
    with connections[using].cursor() as cursor:
        cursor.execute(NEXT_PAID, [begins])
        paid_at, now = cursor.fetchone()
    if paid_at is None:
        return None
    day: date = paid_at.astimezone(UTC).date()
    return day if now >= midnight(day + timedelta(days=1)) + SETTLED_AFTER else None


def paid_since(day: date, *, using: str = DEFAULT_DB_ALIAS) -> dict[tuple[date, str], tuple[int, Decimal]]:
    """How many and how much was paid by day and currency from this day on, from the payouts themselves."""
    with connections[using].cursor() as cursor:
        cursor.execute(BY_DAY, [midnight(day)])
        return {(on, currency): (count, amount) for on, currency, count, amount in cursor.fetchall()}


def midnight(day: date) -> datetime:
    """When the day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
