"""How deep a queue is: how many payouts, how much money, and for how long the oldest waits, against its target.

No query here grows with the table: a queue is counted up to LIMIT.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from payouts import money
from payouts.admin.kit import format
from payouts.admin.payouts import queues
from payouts.models import PayoutQuerySet

LIMIT = 10_000
CURRENCIES_SHOWN = 4

# Beginning with the youngest.
AGE_BOUNDS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
AGE_LABELS = (
    gettext_lazy("under 1 h"),
    gettext_lazy("1 to 4 h"),
    gettext_lazy("4 to 24 h"),
    gettext_lazy("over 24 h"),
)


@dataclass(frozen=True, slots=True)
class Depth:
    """What is in a queue: how many (LIMIT at most), how much by currency, since when, and how many of which age."""

    count: int
    is_capped: bool
    sums: dict[str, Decimal]
    oldest_at: datetime | None
    ages: tuple[int, ...]

    @property
    def shown(self) -> str:
        return format.capped(self.count + self.is_capped, LIMIT + 1)

    @property
    def sums_shown(self) -> list[str]:
        shown = [money.shown(amount, currency) for currency, amount in self.sums.items()][:CURRENCIES_SHOWN]
        if left := len(self.sums) - len(shown):
            shown.append(
                ngettext("and %(count)s more currency", "and %(count)s more currencies", left) % {"count": left}
            )
        return shown


def measure(queue: PayoutQuerySet, *, order: str = "created_at") -> Depth:
    """Count a queue, its oldest LIMIT payouts at most."""
    queue_sql, parameters = (
        queue.order_by(order).values_list("currency", "amount", "created_at")[: LIMIT + 1].query.sql_with_params()
    )
    now = timezone.now()
    bounds = [now, *(now - bound for bound in AGE_BOUNDS), datetime(1, 1, 1, tzinfo=UTC)]
    ages = ", ".join(["count(*) FILTER (WHERE is_shown AND created_at <= %s AND created_at > %s)"] * len(AGE_LABELS))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT currency, count(*) FILTER (WHERE is_shown), sum(amount) FILTER (WHERE is_shown),
                   min(created_at), bool_or(NOT is_shown), {ages}
            FROM (SELECT q.*, row_number() OVER () <= {LIMIT} AS is_shown FROM ({queue_sql}) AS q) AS placed
            GROUP BY currency ORDER BY count(*) DESC, currency
            """,  # noqa: S608 (Django's own SQL and a constant)
            [*(bound for pair in pairwise(bounds) for bound in pair), *parameters],
        )
        rows = cursor.fetchall()
    return Depth(
        count=sum(row[1] for row in rows),
        is_capped=any(row[4] for row in rows),
        sums={row[0]: row[2] for row in rows if row[1]},
        oldest_at=min((row[3] for row in rows), default=None),
        ages=tuple(sum(row[5 + place] for row in rows) for place in range(len(AGE_LABELS))),
    )


def against_target(name: str, oldest_at: datetime | None) -> dict[str, str]:
    """The oldest one's age, in words that say whether it is too much; the colour only repeats them."""
    if oldest_at is None:
        return {"age": _("nothing is waiting"), "age_tone": "", "age_icon": ""}
    spent = timezone.now() - oldest_at
    is_late = queues.is_overdue(name, spent)
    return {
        "age": _("oldest: %(age)s") % {"age": queues.against_target(name, spent)},
        "age_tone": "red" if is_late else "green",
        "age_icon": "alarm" if is_late else "schedule",
    }
