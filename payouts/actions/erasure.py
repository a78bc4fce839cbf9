"""A recipient is erased by erasing their data key: what was encrypted under it is unreadable for ever, everywhere.

Payouts and their history stay, sealed, with the day in place of the masks: the audit goes on, and the key's row tells
who had it done. Who may propose and confirm it stands in payouts/configuration/erasure_subjects.py.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.tasks import async_task

from payouts import recipients, rules, vault
from payouts.actions.errors import PayoutError
from payouts.actions.moves import Person, renew_seals
from payouts.checkpoints.erased import Entry, ErasureListError
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
    batch__altered_at=None,
)
UNDER_OUR_KEY = ~Q(recipient__regex=r"^[1-9][0-9]*:") & ~Q(recipient="")
# Which batches are over, and their seals, are for payouts/batches/retention.py.
UNMASK_BATCHES = "payouts.tasks.forget_batches"
NAMED = 5
AT_ONCE = 1_000
LISTED_LIMIT = 200  # of the column


class ErasureError(PayoutError):
    """A payout to the recipient was changed outside the product."""

    def __init__(self, payout_id: int) -> None:
        super().__init__(
            _("The payout #%(id)s was changed outside the product: look into it first (manage.py audit).")
            % {"id": payout_id}
        )


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
    """Erase the key, which is locked, for good, and the masks, which have names. Older backups have them still.

    Raises ErasureError, and nothing is erased, where SQL changed a payout: a new seal would hide that.
    """
    key.wrapped, key.erased_at, key.reason = None, at, reason
    key.proposed_by, key.confirmed_by, key.on_server = proposed_by, confirmed_by, on_server
    key.facts_seal = key.expected_seal()
    facts = ("wrapped", "erased_at", "reason", "proposed_by", "confirmed_by", "on_server", "facts_seal")
    with transaction.atomic():
        key.save(update_fields=facts)
        _unmask(key)
        async_task(UNMASK_BATCHES, 0)
    log.warning("recipient_erased", key=key.pk)


def erase_as_listed(key: RecipientKey, entry: Entry) -> None:
    """As the list outside says, after a restore; its people may be unknown to a database that is older.

    Raises ErasureListError.
    """
    try:
        erase(
            key,
            at=datetime.fromisoformat(entry.erased_at),
            proposed_by=None,
            confirmed_by=None,
            on_server=f"list: {entry.who}"[:LISTED_LIMIT],
            reason=entry.reason,
        )
    except ErasureError as error:
        raise ErasureListError(str(error)) from error


def _unmask(key: RecipientKey) -> None:
    """Put the day in place of the masks of all payouts under this key, sealed anew."""
    assert key.erased_at is not None
    in_place, after = recipients.erased(timezone.localdate(key.erased_at)), 0
    of_recipient = Payout.objects.select_for_update(no_key=True).filter(recipient_index=key.recipient_index)
    while payouts := list(of_recipient.filter(pk__gt=after).order_by("pk")[:AT_ONCE]):
        after = payouts[-1].pk
        under = [payout for payout in payouts if vault.key_named(payout.recipient) == key.pk]
        for payout in under:
            if not payout.is_sealed:
                raise ErasureError(payout.pk)
            payout.recipient_masked = in_place
        renew_seals(under, "recipient_masked")


def _numbers(ids: Iterable[int]) -> str:
    return ", ".join(f"#{payout_id}" for payout_id in ids)
