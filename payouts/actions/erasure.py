"""A recipient is erased by erasing their data key: what was encrypted under it is unreadable for ever, everywhere.

Payouts, their masks and their history stay, and so do their seals: the audit goes on, and tells who had it done. Who
may propose and confirm it stands in payouts/configuration/erasure_subjects.py.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts import rules
from payouts.actions.moves import Person
from payouts.models import BatchRow, Payout, RecipientKey
from payouts.states import Status

log = structlog.get_logger(__name__)

UNDER_WAY = (Status.PENDING, Status.PROCESSING, Status.UNKNOWN)
# A failed payout is not: it is sent again by nobody whose recipient is gone (rules.why_not_retry).
IS_OPEN = Q(status__in=UNDER_WAY) | Q(due_at__isnull=False) | ~Q(attention="")
# Rows that may still become payouts.
UNDECIDED = Q(
    payout=None,
    refusal__isnull=True,
    batch__refusal__isnull=True,
    batch__discarded_at=None,
    batch__rejected_at=None,
    batch__stopped_at=None,
    batch__finished_at=None,
)
UNDER_OUR_KEY = ~Q(recipient__regex=r"^[1-9][0-9]*:") & ~Q(recipient="")
NAMED = 5


def why_not_erase(key: RecipientKey) -> str:
    """Why this recipient cannot be erased now, as a sentence; empty where nothing is against it.

    With the key's row locked FOR UPDATE it stays so until the transaction ends: whoever pays the recipient holds it.
    """
    if key.erased_at:
        return rules.why_erased(key)
    payouts = Payout.objects.filter(recipient_index=key.recipient_index)
    rows = BatchRow.objects.filter(recipient_index=key.recipient_index)
    if open_ := list(payouts.filter(IS_OPEN).order_by("pk").values_list("pk", flat=True)[:NAMED]):
        text = ngettext(
            "The payout %(payouts)s to this recipient is not closed yet.",
            "The payouts %(payouts)s to this recipient are not closed yet.",
            len(open_),
        )
        return text % {"payouts": _numbers(open_)}
    if undecided := rows.filter(UNDECIDED).order_by("pk").first():
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


def erase(
    key: RecipientKey,
    *,
    at: datetime,
    proposed_by: Person | None,
    confirmed_by: Person | None,
    on_server: str = "",
    reason: str,
) -> None:
    """Erase the key, which is locked, for good. Nothing else has it, but for backups that are older."""
    key.wrapped, key.erased_at, key.reason = None, at, reason
    key.proposed_by, key.confirmed_by, key.on_server = proposed_by, confirmed_by, on_server
    key.facts_seal = key.expected_seal()
    key.save(
        update_fields=[
            *("wrapped", "erased_at", "reason", "proposed_by", "confirmed_by", "on_server"),
            "facts_seal",
        ]
    )
    log.warning("recipient_erased", key=key.pk, reason=reason)


def _numbers(ids: Iterable[int]) -> str:
    return ", ".join(f"#{payout_id}" for payout_id in ids)
