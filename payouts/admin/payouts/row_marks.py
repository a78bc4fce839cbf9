"""What a row of a list says of its payout beside its columns: that it takes too long, that it is to be reviewed."""

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from payouts.admin.kit import format
from payouts.admin.payouts import queues
from payouts.models import Payout


def age(payout: Payout) -> SafeString:
    """Its age, and whether that is over the target of its stage."""
    text = format.age(payout.created_at)
    spent = timezone.now() - payout.created_at
    if not queues.is_overdue(payout.stage, spent):
        return text
    late = queues.against_target(payout.stage, spent)
    return format_html(
        '<span class="po-overdue"><span class="material-symbols-outlined" role="img" aria-label="{}" title="{}">timer'
        "</span> {}</span>",
        late,
        late,
        text,
    )


def flags(payout: Payout) -> SafeString:
    """The review flags as one mark with their words."""
    words = "; ".join(format.review_flags(payout))
    return format_html(
        '<span class="material-symbols-outlined po-flag" role="img" title="{}" aria-label="{}">warning</span>',
        words,
        words,
    )
