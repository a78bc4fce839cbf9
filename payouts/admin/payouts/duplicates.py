"""Which earlier payout a possible duplicate repeats. It takes a query, so only pages of one payout ask."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from payouts.actions.review import REPEATED_WITHIN
from payouts.admin.kit import format
from payouts.models import Payout, ReviewFlag


def review_flags(payout: Payout) -> list[str]:
    """The payout's review flags in words; a possible duplicate names the payout that it repeats."""
    words = format.review_flags(payout)
    if ReviewFlag.POSSIBLE_DUPLICATE in payout.review_flags and (earlier := _repeated(payout)):
        place = payout.review_flags.index(ReviewFlag.POSSIBLE_DUPLICATE)
        words[place] = duplicate_of(earlier, gap=payout.created_at - earlier.created_at)
    return words


def duplicate_of(earlier: Payout, *, gap: timedelta) -> str:
    """Possible duplicate of #167 (2 min earlier)."""
    words: dict[str, Any] = {"id": earlier.pk, "gap": format.duration(gap)}
    return _("Possible duplicate of #%(id)s (%(gap)s earlier)") % words


def _repeated(payout: Payout) -> Payout | None:
    """The newest payout of the same terms that came shortly before."""
    return (
        Payout.objects.filter(
            recipient_index=payout.recipient_index,
            user_id=payout.user_id,
            client=payout.client_id,
            currency=payout.currency,
            amount=payout.amount,
            created_at__lt=payout.created_at,
            created_at__gt=payout.created_at - REPEATED_WITHIN,
        )
        .only("pk", "created_at")
        .order_by("-created_at")
        .first()
    )
