"""Puts every payout under the first keys: recipients encrypted anew, rows sealed anew, while the product runs.

History is not touched. Events and approvals keep the seals that they were given, for which the old keys are kept as
EVENT_HMAC_KEYS_RETIRED, so that append-only stays what it says: no trigger is lifted, and heads that somebody has
written down outside still hold. An old key verifies nothing but history then. Even one that was stolen cannot forge
that: the row's new seal covers the last event's, each event's seal covers the one before, and to change an event so
that the chain ends in the same seal is to find a second preimage of SHA-256.

What does not fit under any key is never sealed anew, which would hide it: it is named and left.
"""

from contextlib import suppress
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models.functions import Now

from payouts import vault
from payouts.actions import keys, recipient_keys
from payouts.actions.moves import renew_seals
from payouts.audit import broken_of
from payouts.audit.findings import Broken
from payouts.database import rows
from payouts.models import Approval, Attempt, KeyRotation, Payout, RecipientKey

AT_ONCE = 200
KEYS_AT_ONCE = 1_000
# A payout with one of these is not proven to be what the product wrote.
UNPROVEN = {
    "row_sealed",
    "terms_unchanged",
    "recipient_readable",
    "events_gapless",
    "events_chained",
    "approval_sealed",
}


class RotationError(RuntimeError):
    """What was renewed does not pass the audit as it did before: a fault of ours, and nothing of it is kept."""


@dataclass(slots=True)
class Renewed:
    """What became of one batch of rows."""

    last_id: int
    renewed: int = 0
    unfit: list[Broken] = field(default_factory=list)


def begin() -> KeyRotation:
    """The run that was broken off, if it was to the same keys, else a new one. Raises KeysError."""
    keys.begin_writing()
    ids = dict(keys.first_key_ids())
    field_key, seal_key = ids[keys.FIELDS], ids[keys.SEALS]
    found = KeyRotation.objects.filter(field_key=field_key, seal_key=seal_key, finished_at=None).order_by("pk").last()
    return found or KeyRotation.objects.create(field_key=field_key, seal_key=seal_key)


def renew_payouts(rotation: KeyRotation) -> Renewed | None:
    """Renew the next payouts in one transaction, audited before and after; None when there are no more.

    Raises RotationError, KeysError.
    """
    with transaction.atomic():
        payouts = list(
            Payout.objects.select_for_update(no_key=True)
            .filter(pk__gt=rotation.last_payout_id)
            .order_by("pk")[:AT_ONCE]
        )
        if not payouts:
            return None
        keys.require_fit()
        old = [payout for payout in payouts if not _is_renewed(payout)]
        before = broken_of(old)
        unproven = {broken.payout_id for broken in before if broken.invariant in UNPROVEN}
        fit = [payout for payout in old if payout.pk not in unproven]
        recipient_keys.put_under_keys(fit)
        renew_seals(fit)
        unfit_ones = [payout for payout in old if payout.pk in unproven]
        for payout in unfit_ones:
            with suppress(vault.UnreadableError):
                payout.recipient = vault.encrypted_anew(payout.recipient)
        # Encrypting anew hides nothing: the terms, which are sealed, are those of the content.
        rows.update(Payout, unfit_ones, ("recipient",))
        again = list(Payout.objects.filter(pk__in=[payout.pk for payout in old]).order_by("pk"))
        if broken_of(again) != before or any(not _is_renewed(each) for each in again if each.pk not in unproven):
            raise RotationError(f"Payouts {payouts[0].pk} to {payouts[-1].pk} cannot be renewed.")
        unfit = [broken for broken in before if broken.invariant in UNPROVEN]
        rotation.last_payout_id = payouts[-1].pk
        rotation.payouts_renewed += len(fit)
        rotation.unfit_payouts = sorted({*rotation.unfit_payouts, *(each for each in unproven if each)})
        rotation.save(update_fields=["last_payout_id", "payouts_renewed", "unfit_payouts"])
    return Renewed(payouts[-1].pk, len(fit), unfit)


def _is_renewed(payout: Payout) -> bool:
    return vault.is_by_first_key(payout.seal) and recipient_keys.is_under_own_key(payout)


def renew_keys(rotation: KeyRotation) -> list[int] | None:
    """Put the next recipients' keys under the first key, and seal them anew, in one transaction.

    Returns the ids of those that fit no key, which stay as they are; None when there are no more. Raises KeysError.
    """
    with transaction.atomic():
        found = list(
            RecipientKey.objects.select_for_update(no_key=True)
            .filter(pk__gt=rotation.last_key_id)
            .order_by("pk")[:KEYS_AT_ONCE]
        )
        if not found:
            return None
        keys.require_fit()
        old = [key for key in found if not _is_key_renewed(key)]
        fit = [key for key in old if _fits(key)]
        for key in fit:
            if key.wrapped is not None:
                key.wrapped = vault.wrapped(key.data_key, *key.names)
            key.facts_seal = key.expected_seal()
        rows.update(RecipientKey, fit, ("wrapped", "facts_seal"))
        unfit = sorted({key.pk for key in old} - {key.pk for key in fit})
        rotation.last_key_id = found[-1].pk
        rotation.keys_renewed += len(fit)
        rotation.unfit_keys = sorted({*rotation.unfit_keys, *unfit})
        rotation.save(update_fields=["last_key_id", "keys_renewed", "unfit_keys"])
    return unfit


def _is_key_renewed(key: RecipientKey) -> bool:
    return vault.is_by_first_key(key.facts_seal) and vault.is_by_first_field_key(key.wrapped or "")


def _fits(key: RecipientKey) -> bool:
    try:
        return key.is_sealed and (key.wrapped is None or bool(key.data_key))
    except vault.UnreadableError:
        return False


def finish(rotation: KeyRotation, *, retires: bool) -> None:
    """The run is over; with `retires`, no process may write with the old keys from now on."""
    with transaction.atomic():
        rotation.finished_at = Now()
        rotation.save(update_fields=["finished_at"])
        if retires:
            keys.retire_others()


def half_resolved() -> list[int]:
    """Payouts on which one person has said how they ended, under an old key: say them anew, once that is retired."""
    open_ = Approval.objects.filter(attempt__outcome=Attempt.Outcome.OPEN).values_list("payout_id", "mac")
    return sorted({payout_id for payout_id, mac in open_ if not vault.is_by_first_key(mac)})
