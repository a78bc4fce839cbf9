"""How a batch reads to people: its state, its rows and its sums."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from payouts import money
from payouts.admin.kit import format
from payouts.models import Batch, BatchState

STATE_LOOKS: dict[BatchState, tuple[str, str]] = {
    BatchState.CHECKING: ("blue", "sync"),
    BatchState.REFUSED: ("red", "error"),
    BatchState.PREVIEW: ("amber", "preview"),
    BatchState.AWAITING_APPROVAL: ("amber", "approval"),
    BatchState.SUBMITTING: ("blue", "sync"),
    BatchState.SUBMITTED: ("green", "check_circle"),
    BatchState.STOPPED: ("orange", "stop_circle"),
    BatchState.REJECTED: ("gray", "block"),
    BatchState.DISCARDED: ("gray", "delete"),
    BatchState.ALTERED: ("red", "gpp_maybe"),
}


def state_badge(batch: Batch) -> SafeString:
    tone, icon = STATE_LOOKS[batch.state]
    return format.badge(str(batch.state.label), tone=tone, icon=icon)


def rows_in_words(batch: Batch) -> str:
    """How many are to be paid, and how many are left out."""
    if not batch.rows_total:
        return "–"
    valid = ngettext("%(count)s payout", "%(count)s payouts", batch.rows_valid) % {
        "count": format.number(batch.rows_valid)
    }
    if not batch.rows_wrong:
        return valid
    wrong = ngettext("%(count)s row with errors", "%(count)s rows with errors", batch.rows_wrong)
    return f"{valid}, {wrong % {'count': format.number(batch.rows_wrong)}}"


def sum_shown(total: Sequence[Any]) -> str:
    currency, _count, amount = total
    return money.shown(Decimal(amount), currency)


def username(person: User | None) -> str:
    return person.get_username() if person else ""
