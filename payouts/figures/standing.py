"""What there is to do now, and what is in its way: for /readyz/ and the exporter."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from payouts.actions import due, funds, waits
from payouts.actions.due import Owed

FACTS = """
SELECT (SELECT count(*) FROM payouts_heartbeat WHERE beat_at > now() - %s * interval '1 second'),
       (SELECT count(*) FROM payouts_breaker WHERE open_until IS NOT NULL),
       EXISTS (SELECT FROM payouts_recovery WHERE ended_at IS NULL),
       EXISTS (SELECT FROM payouts_installation WHERE name NOT IN ('', %s)),
       (SELECT count(*) FROM payouts_unknownpayment WHERE closed_at IS NULL),
       (SELECT count(*) FROM payouts_heartbeat WHERE unfit_at > now() - interval '2 minutes'),
       statement_timestamp()
"""


class Facts(NamedTuple):
    clusters: int
    providers_silent: int
    is_recovering: bool
    is_other: bool
    """The database is another installation's: nothing is paid."""
    unknown_payments: int
    clusters_unfit: int
    now: datetime


class Waits(NamedTuple):
    """What is due at each provider, and what waits for a velocity limit or for funds; read once for all figures."""

    owed: Sequence[Owed]
    over_limit: Sequence[waits.Waiting]
    for_funds: Sequence[funds.Waiting]


class Backlog(NamedTuple):
    """What the worker has before it. Counts are exact up to due.COUNTED of each provider, and waits.COUNTED."""

    due: int
    age_seconds: float
    """How long the oldest due payout, or the first that could not be claimed, has waited beyond its time."""
    over_limit: int
    waits_for_funds: int
    claims_failing_since: datetime | None
    """Since when payouts cannot be claimed for a fault of ours: the worker's log says which."""
    claims_failing_seconds: float


def facts() -> Facts:
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [settings.STALL_SECONDS, settings.INSTALLATION])
        return Facts(*cursor.fetchone())


def all_waits() -> Waits:
    return Waits(due.owed(), waits.over_limit(), funds.waiting())


def backlog(now: datetime, waiting: Waits) -> Backlog:
    failing, failing_since = waits.failing()
    since = min(
        [*(each.oldest_at for each in waiting.owed), *([failing_since] if failing_since else [])], default=now
    )
    return Backlog(
        due=sum(each.count for each in waiting.owed) + failing,
        age_seconds=seconds(since, now),
        over_limit=sum(each.count for each in waiting.over_limit),
        waits_for_funds=sum(each.count for each in waiting.for_funds),
        claims_failing_since=failing_since,
        claims_failing_seconds=seconds(failing_since, now),
    )


def seconds(since: datetime | None, now: datetime) -> float:
    """From then to now; 0 where there is no such moment, or it is still to come."""
    return max((now - since).total_seconds(), 0.0) if since else 0.0
