"""Figures by provider: success rates and median times of late, and what the worker has yet to do.

They cost little at any size: the backlog is read from the worker's own partial index, the rates from the index over
days, SAMPLE attempts at most, and once in RATES_SECONDS.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payouts.actions import due
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.payouts.depths import LIMIT

RATES_SECONDS = 30
SAMPLE = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How a provider's attempts ended in a time window; SAMPLE attempts at most."""

    succeeded: int = 0
    ended: int = 0
    median_seconds: float | None = None

    @property
    def share(self) -> str:
        if not self.ended:
            return "–"
        # Cut, not rounded: 100% must mean that every attempt succeeded.
        percent = formats.number_format(self.succeeded * 100 / self.ended, decimal_pos=1, use_l10n=True)
        return pgettext("share of a hundred", "%(number)s%%") % {"number": percent}

    @property
    def of(self) -> str:
        """How many attempts the share is of."""
        if not self.ended:
            return _("no attempt ended")
        plus = "+" if self.ended >= SAMPLE else ""
        return _("of %(count)s") % {"count": format.number(self.ended) + plus}

    @property
    def median(self) -> str:
        return seconds_shown(self.median_seconds)


def seconds_shown(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        digits = formats.number_format(round(seconds, 1), decimal_pos=1 if seconds < 10 else 0, use_l10n=True)
        return _("%(count)s s") % {"count": digits}
    return format.duration(timedelta(seconds=seconds))


def rates(window: timedelta) -> dict[str, Rate]:
    """By provider, for the attempts that ended within the last `window`."""

    def count() -> dict[str, Rate]:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT provider, count(*) FILTER (WHERE outcome = 'succeeded'), count(*),
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at))
                       FILTER (WHERE outcome = 'succeeded')
                FROM (SELECT provider, outcome, created_at, finished_at FROM payouts_attempt
                      WHERE finished_at > %s LIMIT %s) AS ended
                GROUP BY provider
                """,
                [timezone.now() - window, SAMPLE],
            )
            return {provider: Rate(*figures) for provider, *figures in cursor.fetchall()}

    return cached(f"rates:{window.total_seconds():.0f}", dict[str, Rate], count, seconds=RATES_SECONDS)


@dataclass(frozen=True, slots=True)
class Load:
    """A provider's payouts that are due now (and since when), in flight, and being asked about; LIMIT at most."""

    due: int = 0
    oldest_due_at: datetime | None = None
    in_flight: int = 0
    asked_now: int = 0


def loads() -> dict[str, Load]:
    def count() -> dict[str, Load]:
        owed = {each.provider: (each.count, each.oldest_at) for each in due.owed(most=LIMIT)}
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT provider, count(*), sum(asked)::int FROM (
                    SELECT provider, (lease_token IS NOT NULL AND due_at > statement_timestamp())::int AS asked
                    FROM payouts_payout WHERE status = 'processing' ORDER BY created_at LIMIT %s) AS processing
                GROUP BY provider
                """,
                [LIMIT],
            )
            processing = {provider: (in_flight, asked) for provider, in_flight, asked in cursor.fetchall()}
        found: dict[str, Load] = {}
        for provider in owed.keys() | processing.keys():
            waiting, oldest_at = owed.get(provider, (0, None))
            in_flight, asked = processing.get(provider, (0, 0))
            found[provider] = Load(waiting, oldest_at, in_flight, asked)
        return found

    return cached("loads", dict[str, Load], count)


def oldest_due(load: Iterable[Load]) -> datetime | None:
    return min((each.oldest_due_at for each in load if each.oldest_due_at), default=None)


def capped(count: int) -> str:
    return format.capped(count, LIMIT)
