"""Why a recipient may not be erased: while something may still pay them, or the law has their payouts kept."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.models import UNDECIDED, Batch, BatchRow, Payout, RecipientKey
from payouts.rules.obstacles import why_erased
from payouts.states import Status

UNDER_WAY = (Status.PENDING, Status.PROCESSING, Status.UNKNOWN)
# A failed payout is not: it is sent again by nobody whose recipient is gone (why_not_retry).
IS_OPEN = Q(status__in=UNDER_WAY) | Q(due_at__isnull=False) | ~Q(attention="")
# Rows that may still become payouts.
MAY_PAY = Q(payout=None, refusal__isnull=True, batch__in=Batch.objects.filter(UNDECIDED))
UNDER_OUR_KEY = ~Q(recipient__regex=r"^[1-9][0-9]*:") & ~Q(recipient="")
NAMED = 5


def why_not_erase(key: RecipientKey) -> str:
    """Why this recipient cannot be erased now, as a sentence; empty where nothing is against it.

    With the key's row locked FOR UPDATE it stays so until the transaction ends: whoever pays the recipient holds it.
    """
    if key.erased_at:
        return why_erased(key)
    payouts = Payout.objects.filter(recipient_index=key.recipient_index)
    rows = BatchRow.objects.filter(recipient_index=key.recipient_index)
    if open_ := list(payouts.filter(IS_OPEN).order_by("pk").values_list("pk", flat=True)[:NAMED]):
        text = ngettext(
            "The payout %(payouts)s to this recipient is not closed yet.",
            "The payouts %(payouts)s to this recipient are not closed yet.",
            len(open_),
        )
        return text % {"payouts": _numbers(open_)}
    if undecided := rows.filter(MAY_PAY).order_by("pk").first():
        return _("A row of the batch #%(batch)s may still pay this recipient.") % {"batch": undecided.batch_id}
    if payouts.filter(UNDER_OUR_KEY).exists() or rows.filter(UNDER_OUR_KEY).exists():
        return _("Payouts to this recipient are not under a key of their own yet: run manage.py rotate_keys first.")
    if (until := kept_until(key)) and until > timezone.now():
        return _("Payouts to this recipient are to be kept until %(day)s (ERASURE_AFTER_DAYS).") % {
            "day": date_format(timezone.localtime(until), "DATE_FORMAT")
        }
    return ""


def kept_until(key: RecipientKey) -> datetime | None:
    """Until when the law has the recipient's last payout kept; None while ERASURE_AFTER_DAYS is 0."""
    if not settings.ERASURE_AFTER_DAYS:
        return None
    last = Payout.objects.filter(recipient_index=key.recipient_index).aggregate(
        made=Max("created_at"), paid=Max("processed_at")
    )
    moments = [moment for moment in last.values() if moment]
    return max(moments) + timedelta(days=settings.ERASURE_AFTER_DAYS) if moments else None


def _numbers(ids: Iterable[int]) -> str:
    return ", ".join(f"#{payout_id}" for payout_id in ids)
