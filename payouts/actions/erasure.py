"""A recipient is erased by erasing their data key: what was encrypted under it is unreadable for ever, everywhere.

Payouts and their history stay, sealed, with the day in place of the masks: the audit goes on, and the key's row tells
who had it done. Who may propose and confirm it stands in payouts/configuration/erasure_subjects.py.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from payouts import recipients, vault
from payouts.actions.errors import PayoutError
from payouts.actions.moves import Person, renew_seals
from payouts.checkpoints.erased import Entry, ErasureListError
from payouts.models import Payout, RecipientKey

log = structlog.get_logger(__name__)

# Which batches are over, and their seals, are for payouts/batches/retention.py.
UNMASK_BATCHES = "payouts.tasks.forget_batches"
AT_ONCE = 1_000
LISTED_LIMIT = 200  # of the column


class ErasureError(PayoutError):
    """A payout to the recipient was changed outside the product."""

    def __init__(self, payout_id: int) -> None:
        super().__init__(
            _("The payout #%(id)s was changed outside the product: look into it first (manage.py audit).")
            % {"id": payout_id}
        )


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
