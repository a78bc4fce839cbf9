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
    """26 min, within the norm of 4 h; without a norm the time alone."""
    if stage not in NORMS:
        return duration(spent)
    words = {"spent": duration(spent), "norm": duration(NORMS[stage])}
    if is_over(stage, spent):
        return _("%(spent)s, over the norm of %(norm)s") % words
    return _("%(spent)s, within the norm of %(norm)s") % words
