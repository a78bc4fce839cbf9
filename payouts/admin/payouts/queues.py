"""The queues: what needs attention and what is open by stage, their tabs and counts, and how long is too long."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.models import Attention, Payout, PayoutQuerySet
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
# Of whatever status. The name that it has in addresses is no stage's.
ATTENTION, ANY_REASON = "attention", "any"
# While a deploy lasts, old and new pages count different queues: neither reads the other's.
COUNTED = "counts:" + ":".join((ATTENTION, *OPEN_STAGES))
COUNT_LIMIT = 1_000

# Above a count, where a badge would speak of one payout; in many languages these are not the same words.
TITLES: dict[str, Any] = {
    ATTENTION: pgettext_lazy("several payouts", "Needs attention"),
    Stage.HELD: pgettext_lazy("several payouts", "On hold"),
    Stage.AWAITING_APPROVAL: pgettext_lazy("several payouts", "Awaiting approval"),
    Stage.SCHEDULED: pgettext_lazy("several payouts", "Scheduled"),
    Stage.READY: pgettext_lazy("several payouts", "Ready"),
    Stage.PROCESSING: pgettext_lazy("several payouts", "Processing"),
    Stage.PROCESSED: pgettext_lazy("several payouts", "Processed"),
    Stage.FAILED: pgettext_lazy("several payouts", "Failed"),
    Stage.UNKNOWN: pgettext_lazy("several payouts", "Outcome unknown"),
    Stage.REJECTED: pgettext_lazy("several payouts", "Rejected"),
    Stage.CANCELLED: pgettext_lazy("several payouts", "Cancelled"),
    Stage.RETURNED: pgettext_lazy("several payouts", "Returned"),
}
EMPTY: dict[str, tuple[Any, Any]] = {
    ATTENTION: (
        gettext_lazy("Nothing needs attention"),
        gettext_lazy("Payouts that a person must look at before the worker continues appear here."),
    ),
    Stage.AWAITING_APPROVAL: (
        gettext_lazy("Nothing waits for approval"),
        gettext_lazy("Payouts that people must approve appear here."),
    ),
    Stage.HELD: (
        gettext_lazy("Nothing is on hold"),
        gettext_lazy("Pending payouts that are on hold or need attention appear here."),
    ),
    Stage.UNKNOWN: (
        gettext_lazy("No outcome is unknown"),
        gettext_lazy("Payouts that were sent without a clear answer appear here. The provider is asked again."),
    ),
    Stage.FAILED: (
        gettext_lazy("Nothing has failed"),
        gettext_lazy("Payouts that the provider definitely refused appear here. They can be sent again."),
    ),
    Stage.SCHEDULED: (
        gettext_lazy("Nothing is scheduled"),
        gettext_lazy("Approved payouts with a later date appear here."),
    ),
    Stage.READY: (
        gettext_lazy("Nothing waits for the worker"),
        gettext_lazy("Payouts that are ready appear here for a few seconds, until the worker takes them."),
    ),
    Stage.PROCESSING: (
        gettext_lazy("Nothing is being paid just now"),
        gettext_lazy("Payouts that were sent and have no outcome yet appear here."),
    ),
}


def counts() -> dict[str, int]:
    """How many payouts are in each queue, COUNT_LIMIT at most, ATTENTION first; from the cache when it answers."""
    return cached(COUNTED, dict[str, int], _counts)


def _counts() -> dict[str, int]:
    queues = {ATTENTION: Payout.objects.exclude(attention=Attention.NONE)} | {
        str(stage): Payout.objects.in_stage(stage) for stage in OPEN_STAGES
    }
    return {name: count_of(queue) for name, queue in queues.items()}


def count_of(payouts: PayoutQuerySet) -> int:
    """COUNT_LIMIT at most: a long queue is left after that many."""
    return payouts.order_by()[:COUNT_LIMIT].count()


def shown(count: int) -> str:
    return format.capped(count, COUNT_LIMIT)


def tab(title: Any, query: str, *, is_active: bool, count: int = 0) -> dict[str, Any]:
    return {"title": title, "query": query, "is_active": is_active, "count": shown(count) if count else ""}


def tabs(selected: str, attention: str = "") -> list[dict[str, Any]]:
    """For the list's head: all, what needs attention, the open stages, with counts, and what else is selected."""
    found = counts()
    stages = [*OPEN_STAGES, Stage.PROCESSED]
    if selected in Stage.values and Stage(selected) not in stages:
        stages.append(Stage(selected))
    is_stage = selected in Stage.values
    return [
        tab(_("All"), "?", is_active=not is_stage and not attention),
        tab(
            TITLES[ATTENTION],
            f"?{ATTENTION}={ANY_REASON}",
            is_active=not is_stage and bool(attention),
            count=found[ATTENTION],
        ),
        *(
            tab(
                TITLES[stage],
                f"?stage={stage.value}",
                is_active=selected == stage,
                count=found.get(stage, 0),
            )
            for stage in stages
        ),
    ]


def empty_text(selected: str, attention: str = "") -> tuple[str, str]:
    """That a queue is empty, and what would stand in it; empty for what is no queue."""
    return EMPTY.get(ATTENTION if attention and not selected else selected, ("", ""))


# How long a payout may stay in a queue.


TARGETS: dict[str, timedelta] = {
    Stage.AWAITING_APPROVAL: timedelta(hours=4),
    Stage.HELD: timedelta(hours=24),
    Stage.UNKNOWN: timedelta(hours=1),
    Stage.FAILED: timedelta(hours=24),
    Stage.READY: timedelta(minutes=5),
    Stage.PROCESSING: timedelta(minutes=15),
    ATTENTION: timedelta(hours=4),
}


def is_overdue(queue: str, spent: timedelta) -> bool:
    return queue in TARGETS and spent > TARGETS[queue]


def against_target(queue: str, spent: timedelta) -> str:
    """26 min, on time (target 4 h); without a target the time alone."""
    if queue not in TARGETS:
        return format.duration(spent)
    words = {"spent": format.duration(spent), "target": format.duration(TARGETS[queue])}
    if is_overdue(queue, spent):
        return _("%(spent)s, overdue (target %(target)s)") % words
    return _("%(spent)s, on time (target %(target)s)") % words
