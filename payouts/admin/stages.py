"""The queue by stage: how much is open, how old, and the tabs over the list; counted once in 15 seconds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts.admin.shown import STAGE_LOOKS, duration
from payouts.models import Payout
from payouts.states import Stage

OPEN_STAGES = (
    Stage.AWAITING_APPROVAL,
    Stage.HELD,
    Stage.UNKNOWN,
    Stage.FAILED,
    Stage.SCHEDULED,
    Stage.READY,
    Stage.PROCESSING,
)
COUNT_LIMIT = 1_000
CACHE_KEY = "admin:stages"
CACHE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Depth:
    """How many payouts are in a stage, COUNT_LIMIT at most, and since when the oldest."""

    count: int
    oldest_at: datetime | None

    @property
    def shown(self) -> str:
        return f"{COUNT_LIMIT - 1}+" if self.count >= COUNT_LIMIT else str(self.count)


def depths() -> dict[str, Depth]:
    """By open stage; from the cache when it is there and answers."""
    cached = cache.get(CACHE_KEY)
    if isinstance(cached, dict):
        return {
            stage: Depth(count, datetime.fromisoformat(oldest_at) if oldest_at else None)
            for stage, (count, oldest_at) in cached.items()
        }
    counted = {str(stage): _depth(stage) for stage in OPEN_STAGES}
    as_json = {
        stage: (depth.count, depth.oldest_at.isoformat() if depth.oldest_at else None)
        for stage, depth in counted.items()
    }
    cache.set(CACHE_KEY, as_json, CACHE_SECONDS)
    return counted


def _depth(stage: Stage) -> Depth:
    payouts = Payout.objects.in_stage(stage).order_by()
    count = payouts[:COUNT_LIMIT].count()
    oldest_at = payouts.order_by("created_at").values_list("created_at", flat=True).first() if count else None
    return Depth(count, oldest_at)


def tabs(selected: str) -> list[dict[str, Any]]:
    """For the list's head: all, the open stages with their counts, and what else is selected."""
    found = depths()
    shown = [*OPEN_STAGES, Stage.PROCESSED]
    if selected in Stage.values and Stage(selected) not in shown:
        shown.append(Stage(selected))
    every: dict[str, Any] = {"title": _("All"), "query": "?", "is_active": selected not in Stage.values, "count": ""}
    return [
        every,
        *(
            {
                "title": stage.label,
                "query": f"?stage={stage.value}",
                "is_active": selected == stage,
                "count": found[stage].shown if stage in found and found[stage].count else "",
            }
            for stage in shown
        ),
    ]


def cards() -> list[dict[str, Any]]:
    """For the start page: every open stage with its count and its oldest payout's age."""
    now = timezone.now()
    url = reverse("admin:payouts_payout_changelist")
    return [
        {
            "title": stage.label,
            "url": f"{url}?stage={stage.value}",
            "count": depth.shown,
            "is_empty": not depth.count,
            "oldest": duration(now - depth.oldest_at) if depth.oldest_at else "",
            "tone": STAGE_LOOKS[stage][0],
            "icon": STAGE_LOOKS[stage][1],
        }
        for stage, depth in ((Stage(name), depth) for name, depth in depths().items())
    ]
