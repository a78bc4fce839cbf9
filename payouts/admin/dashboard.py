"""The start page's figures: what waits for whom and for how long, against its norm; then what was paid by day.

No query here grows with the table: open queues come from partial indexes and are counted up to LIMIT, the days that
are over from their totals, and all of it is counted once for all who look (kit.counted_once).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.db.models import Max
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from payouts import daily_totals, money, rules
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.payouts import queues
from payouts.models import Attention, DailyTotal, Payout, PayoutQuerySet
from payouts.states import Stage, Status

type Someone = User | AnonymousUser

LIMIT = 10_000
CURRENCIES_SHOWN = 4
DAYS_SHOWN = 30

# Beginning with the youngest.
AGE_BOUNDS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
AGE_LABELS = (
    gettext_lazy("under 1 h"),
    gettext_lazy("1 to 4 h"),
    gettext_lazy("4 to 24 h"),
    gettext_lazy("over 24 h"),
)
FLAGGED_ELSEWHERE = "flagged elsewhere"
# What waits for people, each payout once, in the order of the bars' segments.
WAITING = (Stage.AWAITING_APPROVAL, Stage.HELD, Stage.UNKNOWN, Stage.FAILED, FLAGGED_ELSEWHERE)


# Queues


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


def open_queues() -> dict[str, Depth]:
    """Every queue that waits for people, by stage, and what needs attention: all of it, and in none of the stages."""
    return cached("queues", _open_queues)


def _open_queues() -> dict[str, Depth]:
    # By id: the index of what needs attention has no other order, and ids are given in the order of time.
    flagged = Payout.objects.exclude(attention=Attention.NONE)
    elsewhere = flagged.exclude(status__in=(Status.PENDING, Status.UNKNOWN, Status.FAILED))
    return {
        **{stage: measure(Payout.objects.in_stage(stage)) for stage in WAITING if stage in Stage.values},
        queues.ATTENTION: measure(flagged, order="id"),
        FLAGGED_ELSEWHERE: measure(elsewhere, order="id"),
    }


def lead(person: Someone) -> dict[str, str]:
    """The next thing to do, in a sentence, and where; first what only this person and their like can do."""
    found = open_queues()
    listed = reverse("admin:payouts_payout_changelist")
    mine = _mine(person)
    if mine and mine.oldest_at:
        said = ngettext(
            "%(count)s payout waits for your approval, for %(age)s.",
            "%(count)s payouts wait for your approval, the oldest for %(age)s.",
            mine.count,
        ) % {"count": mine.shown, "age": format.duration(timezone.now() - mine.oldest_at)}
        return {"said": said, "url": reverse("approvals")}
    if found[queues.ATTENTION].count:
        depth = found[queues.ATTENTION]
        said = ngettext("%(count)s payout needs attention.", "%(count)s payouts need attention.", depth.count)
        return {"said": said % {"count": depth.shown}, "url": f"{listed}?{queues.ATTENTION}={queues.ANY_REASON}"}
    if mine is not None:
        return {"said": _("Nothing waits for your approval."), "url": ""}
    return {"said": _("Nothing needs attention."), "url": ""}


def cards(person: Someone) -> list[dict[str, Any]]:
    """The six figures that a day begins with, each with the list that it counts."""
    found = open_queues()
    return [
        _first_card(person, found[Stage.AWAITING_APPROVAL]),
        _card(_("On hold"), Stage.HELD, found),
        _card(_("Outcome unknown"), Stage.UNKNOWN, found),
        _card(_("Failed"), Stage.FAILED, found),
        _card(_("Needs attention"), queues.ATTENTION, found),
        _paid_today(),
    ]


def _first_card(person: Someone, everyones: Depth) -> dict[str, Any]:
    """What waits for this person; for one who may not approve, what waits for others."""
    name = Stage.AWAITING_APPROVAL
    mine = _mine(person)
    if mine is None:
        return _card(str(name.label), name, {name: everyones})
    card = _card(_("Waiting for me"), name, {name: mine})
    card["is_first"] = bool(mine.count)
    card["url"] = reverse("approvals")
    if everyones.count > mine.count or everyones.is_capped:
        card["note"] = _("of %(count)s awaiting approval") % {"count": everyones.shown}
    return card


def _mine(person: Someone) -> Depth | None:
    """What waits for this person's approval; None for one who may not approve."""
    if not isinstance(person, User) or not person.has_perm("payouts.approve_payout"):
        return None
    return cached(f"mine:{person.pk}", lambda: measure(rules.awaiting(person)))


def _card(title: str, name: str, found: dict[str, Depth]) -> dict[str, Any]:
    depth = found[name]
    query = f"{queues.ATTENTION}={queues.ANY_REASON}" if name == queues.ATTENTION else f"stage={name}"
    tone, icon = ("magenta", "flag") if name == queues.ATTENTION else format.STAGE_LOOKS[Stage(name)]
    return {
        "title": title,
        "tone": tone if depth.count else "gray",
        "icon": icon,
        "url": f"{reverse('admin:payouts_payout_changelist')}?{query}",
        "count": depth.shown,
        "is_empty": not depth.count,
        "sums": depth.sums_shown,
        "note": _("sums of the oldest %(limit)s only") % {"limit": format.number(LIMIT)} if depth.is_capped else "",
        **against_target(name, depth.oldest_at),
    }


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


def on_their_way() -> list[dict[str, Any]]:
    """The stages in which nobody has to do anything."""
    found = queues.counts()
    return [
        {
            "label": stage.label,
            "count": queues.shown(found[stage]),
            "url": f"{reverse('admin:payouts_payout_changelist')}?stage={stage.value}",
            "icon": format.STAGE_LOOKS[stage][1],
        }
        for stage in (Stage.SCHEDULED, Stage.READY, Stage.PROCESSING)
    ]


def ages() -> dict[str, Any]:
    """What waits for people by age: a bar for each, made of its stages."""
    found = open_queues()
    looks: dict[str, tuple[str, str]] = {
        **{stage: (str(Stage(stage).label), format.STAGE_LOOKS[Stage(stage)][0]) for stage in WAITING[:-1]},
        FLAGGED_ELSEWHERE: (_("Paid or under way, needs attention"), "violet"),
    }
    by_age = [
        [(looks[name], found[name].ages[place]) for name in WAITING if found[name].ages[place]]
        for place in range(len(AGE_LABELS))
    ]
    most = max(sum(count for _look, count in parts) for parts in by_age) or 1
    is_capped = any(found[name].is_capped for name in WAITING)
    return {
        "is_empty": not any(by_age),
        "is_capped": is_capped,
        "limit": format.number(LIMIT),
        "rows": [
            {
                "label": label,
                "count": format.number(sum(count for _look, count in parts)),
                "parts": [
                    {"label": name, "tone": tone, "count": format.number(count), "width": _percent(count, most)}
                    for (name, tone), count in parts
                ],
            }
            for label, parts in zip(AGE_LABELS, by_age, strict=True)
        ],
    }


def _percent(part: Decimal | int, whole: Decimal | int) -> str:
    """For a style: a point whatever the language, and never nothing for something."""
    return f"{max(Decimal(part) * 100 / Decimal(whole), Decimal('0.6')) if part else 0:.2f}"


# Days


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


def paid() -> Paid:
    """The days that are counted, and today and yesterday as they stand where they are not."""
    today = timezone.now().astimezone(UTC).date()
    by_day, uncounted_from = cached(f"paid:{today}", lambda: _paid(today))
    return Paid(today, by_day, uncounted_from)


def _paid(today: date) -> tuple[dict[tuple[date, str], tuple[int, Decimal]], date | None]:
    yesterday = today - timedelta(days=1)
    counted = DailyTotal.objects.filter(on__gt=today - timedelta(days=DAYS_SHOWN)).values_list(
        "on", "currency", "paid_count", "paid_amount"
    )
    by_day = {(on, currency): (count, amount) for on, currency, count, amount in counted}
    last = DailyTotal.objects.aggregate(last=Max("on"))["last"]
    by_day |= daily_totals.paid_since(today if last and last >= yesterday else yesterday)
    uncounted = daily_totals.next_uncounted()
    return by_day, uncounted if uncounted and uncounted < yesterday else None


def _paid_today() -> dict[str, Any]:
    found = paid()
    count, before = found.count(found.today), found.count(found.today - timedelta(days=1))
    sums = Depth(count, False, found.sums(found.today), None, ()).sums_shown
    return {
        "title": _("Paid today"),
        "tone": "green" if count else "gray",
        "icon": "check_circle",
        "url": f"{reverse('admin:payouts_payout_changelist')}?stage={Stage.PROCESSED.value}",
        "count": format.number(count),
        "is_empty": not count,
        "sums": sums,
        "note": "",
        "age": _("since midnight UTC; yesterday: %(count)s") % {"count": format.number(before)},
        "age_tone": "",
        "age_icon": "",
    }


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
        "ticks": [{"label": _short(tick), "height": _percent(tick, top)} for tick in ticks],
        "bars": [
            {
                "height": _percent(height, top),
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
    step = Decimal(1)
    for candidate in _round_steps():
        step = candidate
        if step * 4 >= most:
            break
    return step * 4, [step * place for place in range(5)]


def _round_steps() -> Iterable[Decimal]:
    for exponent in range(15):
        for digit in (1, 2, 5):
            yield Decimal(digit).scaleb(exponent)


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


def counted_at() -> str:
    return format.exact_time(timezone.now())
