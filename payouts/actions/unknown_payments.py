"""Payments that the provider has under a key of which we know no attempt: red, until a person has looked.

They are what shows first that the database has forgotten something. When a payout is claimed under such a key after
all, the provider is asked before it is paid.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext as _

from payouts import operation_rules
from payouts.actions.assignments import Call
from payouts.actions.errors import PayoutError, reason_fault
from payouts.models import Attempt, UnknownPayment
from payouts.providers import Verdict

log = structlog.get_logger(__name__)


class UnknownPaymentError(PayoutError):
    """Why an unknown payment is not closed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody said of a payment that we do not know."""

    reference: uuid.UUID
    reported: Verdict
    amount: Decimal | None = None
    currency: str = ""
    provider_id: str = ""
    detail: str = ""


def note(heard: Sequence[Heard], *, provider: str, source: UnknownPayment.Source) -> None:
    """Keep each for people, once, however often it is heard; not what was refused, for which no money left."""
    heard = [each for each in heard if each.reported != Verdict.REFUSED]
    if not heard:
        return
    UnknownPayment.objects.bulk_create(
        [
            UnknownPayment(
                provider=provider,
                reference=each.reference,
                provider_id=each.provider_id,
                amount=each.amount,
                currency=each.currency,
                reported=each.reported.value,
                source=source,
                detail=each.detail,
            )
            for each in heard
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )
    log.error("unknown_payments", count=len(heard), source=source.value, first=str(heard[0].reference))


def take(attempts: Sequence[Attempt]) -> set[uuid.UUID]:
    """Which of these new attempts' keys the provider has been heard to know already; they are unknown no longer.

    What it calls the payment is noted on the attempt: some can be asked by nothing else, or forget a key. The
    attempts' rows are inserted afterwards, by the same transaction.
    """
    new = {attempt.reference: attempt for attempt in attempts}
    if not new:
        return set()
    providers = {attempt.provider for attempt in attempts}  # the index begins with them
    found = list(UnknownPayment.objects.select_for_update().filter(provider__in=providers, reference__in=new))
    for each in found:
        attempt = new[each.reference]
        if each.provider == attempt.provider:
            attempt.provider_id = each.provider_id
        UnknownPayment.objects.filter(pk=each.pk).update(
            payout_id=attempt.payout_id, closed_at=Coalesce("closed_at", Now())
        )
    return {each.reference for each in found}


def told(calls: Sequence[Call]) -> dict[uuid.UUID, dict[str, str]]:
    """By the keys of these calls, the accounts that were heard to know the key or the payout's next ones, and what
    each calls the payment of the key itself. Not the account that the call is for, where that knows the key alone.

    A retry that is forgotten may have sent the next key, and a route that is forgotten any of them elsewhere; the
    settings may have dropped that account since.
    """
    own = {call.attempt.reference: call.attempt for call in calls}
    later = {key: call.attempt for call in calls for key in call.later_keys}
    if not own:
        return {}
    found: dict[uuid.UUID, dict[str, str]] = {}
    heard = UnknownPayment.objects.filter(reference__in=[*own, *later])
    for reference, provider, provider_id in heard.values_list("reference", "provider", "provider_id"):
        if reference not in own:
            found.setdefault(later[reference].reference, {}).setdefault(provider, "")
        elif provider != own[reference].provider:
            found.setdefault(reference, {})[provider] = provider_id
    return found


def close(payment_id: int, *, by: User, reason: str) -> UnknownPayment:
    """Say what became of the payment; its alarm ends. Raises UnknownPaymentError."""
    if fault := reason_fault(reason):
        raise UnknownPaymentError(fault)
    with transaction.atomic():
        payment = UnknownPayment.objects.select_for_update(of=("self",)).filter(pk=payment_id).first()
        if payment is None:
            raise UnknownPaymentError(_("There is no such payment."))
        if obstacle := operation_rules.why_not_close(payment, by):
            raise UnknownPaymentError(obstacle)
        payment.closed_at, payment.closed_by, payment.close_reason = Now(), by, reason.strip()
        payment.save(update_fields=["closed_at", "closed_by", "close_reason"])
    payment.refresh_from_db()
    log.warning("unknown_payment_closed", reference=str(payment.reference), by=by.get_username())
    return payment
