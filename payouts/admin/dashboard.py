"""The start page's queues: what waits for whom and for how long, against its target. The days stand in daily_volume.

No query here grows with the table: open queues come from partial indexes and are counted up to LIMIT, the days that
are over from their totals, and all of it is counted once for all who look (kit.counted_once).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from payouts import money, rules
from payouts.admin import daily_volume
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.payouts import queues
from payouts.models import Attention, Payout, PayoutQuerySet
from payouts.states import Stage, Status

type Someone = User | AnonymousUser

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
FLAGGED_ELSEWHERE = "flagged elsewhere"
# What waits for people, each payout once, in the order of the bars' segments.
WAITING = (Stage.AWAITING_APPROVAL, Stage.HELD, Stage.UNKNOWN, Stage.FAILED, FLAGGED_ELSEWHERE)


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
        _card(Stage.HELD, found),
        _card(Stage.UNKNOWN, found),
        _card(Stage.FAILED, found),
        _card(queues.ATTENTION, found),
        _paid_today(),
    ]


def _first_card(person: Someone, everyones: Depth) -> dict[str, Any]:
    """What waits for this person; for one who may not approve, what waits for others."""
    name = Stage.AWAITING_APPROVAL
    mine = _mine(person)
    if mine is None:
        return _card(name, {name: everyones})
    card = _card(name, {name: mine}, title=_("Waiting for me"))
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


def _card(name: str, found: dict[str, Depth], *, title: str = "") -> dict[str, Any]:
    depth = found[name]
    query = f"{queues.ATTENTION}={queues.ANY_REASON}" if name == queues.ATTENTION else f"stage={name}"
    tone, icon = ("magenta", "flag") if name == queues.ATTENTION else format.STAGE_LOOKS[Stage(name)]
    return {
        "title": title or str(queues.TITLES[name]),
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
            "label": queues.TITLES[stage],
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
        **{stage: (str(queues.TITLES[stage]), format.STAGE_LOOKS[Stage(stage)][0]) for stage in WAITING[:-1]},
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
                    {"label": name, "tone": tone, "count": format.number(count), "width": format.percent(count, most)}
                    for (name, tone), count in parts
                ],
            }
            for label, parts in zip(AGE_LABELS, by_age, strict=True)
        ],
    }


def _paid_today() -> dict[str, Any]:
    found = daily_volume.paid()
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


def counted_at() -> str:
    return format.exact_time(timezone.now())
