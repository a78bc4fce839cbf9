"""What was paid by day: the start page's bars and their table. Days that are over come from their totals."""

import itertools
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from payouts import daily_totals, money
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.database import replica
from payouts.models import DailyTotal

DAYS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid on the last DAYS_SHOWN days (UTC), by day and currency."""

    today: date
    by_day: dict[tuple[date, str], tuple[int, Decimal]]
    uncounted_from: date | None

    @property
    def days(self) -> list[date]:
        return [self.today - timedelta(days=ago) for ago in range(DAYS_SHOWN - 1, -1, -1)]

    def count(self, day: date) -> int:
        return sum(count for (on, _currency), (count, _amount) in self.by_day.items() if on == day)

    def sums(self, day: date) -> dict[str, Decimal]:
        return {currency: amount for (on, currency), (_count, amount) in sorted(self.by_day.items()) if on == day}

    def amount(self, day: date, currency: str) -> Decimal:
        return self.by_day.get((day, currency), (0, Decimal(0)))[1]

    @property
    def currencies(self) -> list[str]:
        """Those with the most payouts first."""
        counts: dict[str, int] = {}
        for (_on, currency), (count, _amount) in self.by_day.items():
            counts[currency] = counts.get(currency, 0) + count
        return sorted(counts, key=lambda currency: (-counts[currency], currency))


@dataclass(frozen=True, slots=True)
class Counted:
    """The same as rows, as the cache keeps it, and the first day whose total is not counted yet."""

    days: tuple[tuple[date, str, int, Decimal], ...]
    gap: date | None


def paid() -> Paid:
    """The days that are counted, and today and yesterday as they stand where they are not."""
    today = timezone.now().astimezone(UTC).date()
    found = cached(f"paid:{today}", Counted, lambda: replica.read(lambda alias: _paid(today, alias)))
    return Paid(today, {(on, currency): (count, amount) for on, currency, count, amount in found.days}, found.gap)


def _paid(today: date, using: str) -> Counted:
    yesterday = today - timedelta(days=1)
    totals = DailyTotal.objects.using(using)
    counted = totals.filter(on__gt=today - timedelta(days=DAYS_SHOWN)).values_list(
        "on", "currency", "paid_count", "paid_amount"
    )
    by_day = {(on, currency): (count, amount) for on, currency, count, amount in counted}
    last = totals.aggregate(last=Max("on"))["last"]
    by_day |= daily_totals.paid_since(today if last and last >= yesterday else yesterday, using=using)
    uncounted = daily_totals.next_uncounted(using=using)
    days = tuple((on, currency, count, amount) for (on, currency), (count, amount) in by_day.items())
    return Counted(days, uncounted if uncounted and uncounted < yesterday else None)


COUNTS = "count"


def volume(chosen: str) -> dict[str, Any]:
    """The last DAYS_SHOWN days as bars, by number of payouts or by the sum in one currency, and all as a table."""
    found = paid()
    currencies = found.currencies
    if chosen not in currencies:
        chosen = COUNTS if len(currencies) != 1 or chosen == COUNTS else currencies[0]
    is_count = chosen == COUNTS
    heights = [Decimal(found.count(day)) if is_count else found.amount(day, chosen) for day in found.days]
    top, ticks = _scale(max(heights))
    most = max(range(len(heights)), key=lambda place: heights[place])
    label = _("Payouts paid per day") if is_count else _("Paid per day in %(currency)s") % {"currency": chosen}

    def said(height: Decimal) -> str:
        return format.number(int(height)) if is_count else money.shown(height, chosen)

    return {
        "is_empty": not currencies,
        "label": label,
        "summary": _("%(label)s, from %(from)s to %(to)s; the most on %(day)s: %(most)s.")
        % {
            "label": label,
            "from": format.day(found.days[0]),
            "to": format.day(found.days[-1]),
            "day": format.day(found.days[most]),
            "most": said(heights[most]),
        },
        "choices": [
            {"label": label, "query": f"?volume={name}", "is_chosen": chosen == name}
            for name, label in [(COUNTS, _("By number")), *((currency, currency) for currency in currencies)]
        ],
        "ticks": [{"label": _short(tick), "height": format.percent(tick, top)} for tick in ticks],
        "bars": [
            {
                "height": format.percent(height, top),
                "said": f"{format.day(day)}: {said(height)}",
                "label": formats.date_format(day, pgettext("day of a chart", "j M")),
                "is_labelled": (len(heights) - 1 - place) % 5 == 0,
                "is_today": day == found.today,
            }
            for place, (day, height) in enumerate(zip(found.days, heights, strict=True))
        ],
        "currencies": currencies,
        "rows": [
            {
                "day": format.day(day),
                "count": format.number(found.count(day)),
                "amounts": [
                    money.shown(found.amount(day, currency), currency) if found.amount(day, currency) else "–"
                    for currency in currencies
                ],
                "is_today": day == found.today,
            }
            for day in reversed(found.days)
        ],
        "uncounted_from": format.day(found.uncounted_from) if found.uncounted_from else "",
    }


def _scale(most: Decimal) -> tuple[Decimal, list[Decimal]]:
    """A round top above the highest bar, and the marks up to it."""
    steps = (Decimal(digit).scaleb(exponent) for exponent in itertools.count() for digit in (1, 2, 5))
    step = next(step for step in steps if step * 4 >= most)
    return step * 4, [step * place for place in range(5)]


def _short(value: Decimal) -> str:
    """1,500,000 as 1.5 M."""
    units = (
        (9, pgettext("thousand millions, after a number", "%(number)s B")),
        (6, pgettext("millions, after a number", "%(number)s M")),
        (3, pgettext("thousands, after a number", "%(number)s K")),
    )
    for exponent, pattern in units:
        if value >= Decimal(10) ** exponent:
            scaled = (value.scaleb(-exponent)).normalize()
            return (pattern % {"number": formats.number_format(f"{scaled:f}", use_l10n=True)}).replace(" ", "\u00a0")
    return format.number(int(value))
