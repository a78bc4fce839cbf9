"""How long a payout may stay in a stage, or need attention, before that is too long, and how that reads."""

from datetime import timedelta

from django.utils.translation import gettext as _

from payouts.admin.kit.format import duration
from payouts.admin.payouts.queues import ATTENTION
from payouts.states import Stage

NORMS: dict[str, timedelta] = {
    Stage.AWAITING_APPROVAL: timedelta(hours=4),
    Stage.HELD: timedelta(hours=24),
    Stage.UNKNOWN: timedelta(hours=1),
    Stage.FAILED: timedelta(hours=24),
    Stage.READY: timedelta(minutes=5),
    Stage.PROCESSING: timedelta(minutes=15),
    ATTENTION: timedelta(hours=4),
}


def is_over(stage: str, spent: timedelta) -> bool:
    return stage in NORMS and spent > NORMS[stage]


def against_norm(stage: str, spent: timedelta) -> str:
    """26 min, on time (target 4 h); without a target the time alone."""
    if stage not in NORMS:
        return duration(spent)
    words = {"spent": duration(spent), "target": duration(NORMS[stage])}
    if is_over(stage, spent):
        return _("%(spent)s, overdue (target %(target)s)") % words
    return _("%(spent)s, on time (target %(target)s)") % words
