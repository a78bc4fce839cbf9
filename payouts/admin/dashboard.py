"""The start page's queues: what waits for whom and for how long, against its target. The days stand in daily_volume.

No query here grows with the table: open queues come from partial indexes and are counted up to LIMIT, the days that
are over from their totals, and all of it is counted once for all who look (kit.counted_once).
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts import rules
from payouts.admin import daily_volume
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.admin.payouts import queues
from payouts.admin.payouts.depths import AGE_LABELS, LIMIT, Depth, against_target, measure
from payouts.models import Attention, Payout
from payouts.states import Stage, Status

type Someone = User | AnonymousUser

FLAGGED_ELSEWHERE = "flagged elsewhere"
# What waits for people, each payout once, in the order of the bars' segments.
WAITING = (Stage.AWAITING_APPROVAL, Stage.HELD, Stage.UNKNOWN, Stage.FAILED, FLAGGED_ELSEWHERE)


def open_queues() -> dict[str, Depth]:
    """Every queue that waits for people, by stage, and what needs attention: all of it, and in none of the stages."""
    return cached("queues", dict[str, Depth], _open_queues)


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
        *(_card(name, found[name]) for name in (Stage.HELD, Stage.UNKNOWN, Stage.FAILED, queues.ATTENTION)),
        _paid_today(),
    ]


def _first_card(person: Someone, everyones: Depth) -> dict[str, Any]:
    """What waits for this person; for one who may not approve, what waits for others."""
    name = Stage.AWAITING_APPROVAL
    mine = _mine(person)
    if mine is None:
        return _card(name, everyones)
    card = _card(name, mine, title=_("Waiting for me"))
    card["is_first"] = bool(mine.count)
    card["url"] = reverse("approvals")
    if everyones.count > mine.count or everyones.is_capped:
        card["note"] = _("of %(count)s awaiting approval") % {"count": everyones.shown}
    return card


def _mine(person: Someone) -> Depth | None:
    """What waits for this person's approval; None for one who may not approve."""
    if not isinstance(person, User) or not person.has_perm("payouts.approve_payout"):
        return None
    return cached(f"mine:{person.pk}", Depth, lambda: measure(rules.awaiting(person)))


def _card(name: str, depth: Depth, *, title: str = "") -> dict[str, Any]:
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
        "age": _("since midnight UTC; yesterday: %(count)s") % {"count": format.number(before)},
    }


def counted_at() -> str:
    return format.exact_time(timezone.now())
