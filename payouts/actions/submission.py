"""A payout comes in: checked, judged by the review rules, stored once."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from payouts import money, recipients, references, spans, trace, vault
from payouts.actions import recipient_keys, review, routing
from payouts.actions.approvals import approve_as_batch
from payouts.actions.errors import IdempotencyError, InvalidError, NotAllowedError, UnpayableError
from payouts.actions.moves import WORKER, Move, Person, move_all, ring_if_due
from payouts.database.storable import is_storable, text_fault, turn_fault
from payouts.models import ApiClient, EventName, Payout, namespace, stamp, terms_hash
from payouts.states import Status

RECIPIENT_LIMIT_BYTES = 8_192
# Values that say nothing: a recipient that has only these is none.
NOTHING: tuple[object, ...] = (None, "", [], {})


def submit(
    *,
    user_id: int,
    amount: Decimal,
    currency: str,
    recipient: dict[str, Any],
    comment: str = "",
    client: ApiClient | None = None,
    maker: Person | None = None,
    scheduled_for: datetime | None = None,
    idempotency_key: str | None = None,
    reference: uuid.UUID | None = None,
) -> Payout:
    """Store a new pending payout and ring when it needs no approval. What a person makes needs one at least.

    The same idempotency key of the same client with the same content returns the first payout, marked `is_replay`;
    so does the same `reference` of the same maker, which a form carries. Raises InvalidError; UnpayableError where
    the account that the routes choose could not pay it; IdempotencyError for the key with another content.
    """
    amount = _checked(amount=amount, currency=currency, user_id=user_id, recipient=recipient, comment=comment)
    recipient = vault.normal(recipient)
    payout = Payout(
        reference=reference or _reference(client, idempotency_key),
        client=client,
        maker_id=maker.pk if maker else client.owner_id if client else None,
        user_id=user_id,
        amount=amount,
        currency=currency,
        recipient_masked=vault.masked(recipient),
        recipient_index=recipients.blind_index(recipient),
        comment=comment,
        terms_hash=terms_hash(amount, currency, recipient),
        idempotency_key=idempotency_key,
        trace_id=trace.current.get(),
        scheduled_for=scheduled_for,
        version=0,
        event_head=b"",
    )
    if idempotency_key is not None:
        payout.request_hash = _request_hash(payout)
    try:
        with spans.span("submit"), transaction.atomic():
            recipient_keys.encrypt(payout, recipient)
            in_force = review.InForce.of(currency)
            routed = routing.choose(payout, recipient, in_force.routes)
            at, facts = review.judge(payout, recipients.findings(recipient), in_force)
            move_all(
                [Move(payout, EventName.SUBMITTED, Status.PENDING, facts | routed)],
                at=at,
                actor=client or maker or WORKER,
            )
            # Only now: a request that came before is answered as it was, whatever the accounts can do by now.
            if obstacle := routing.obstacle(payout, recipient):
                raise UnpayableError(obstacle)
            ring_if_due(payout)
    except IntegrityError as error:
        if first := _first(payout, error, is_form=reference is not None):
            return first
        raise
    return payout


def _reference(client: ApiClient | None, idempotency_key: str | None) -> uuid.UUID:
    """The payout's reference; with an idempotency key the same one for ever, whatever the database forgets."""
    if client is None or idempotency_key is None:
        return uuid.uuid4()
    return references.payout_reference(namespace(), client.name, idempotency_key)


def _checked(*, amount: Decimal, currency: str, user_id: int, recipient: dict[str, Any], comment: str) -> Decimal:
    """The amount in the currency's own decimals. Raises InvalidError with all that is wrong."""
    errors: dict[str, list[str]] = {}
    try:
        money.minor_units(currency)
    except money.AmountError as error:
        errors["currency"] = [str(error)]
    else:
        try:
            amount = money.exact(amount, currency)
        except money.AmountError as error:
            errors["amount"] = [str(error)]
    if not 1 <= user_id < 2**63:
        errors["user_id"] = [_("The user ID must be a positive whole number.")]
    if all(value in NOTHING for value in recipient.values()):
        errors["recipient_details"] = [_("Say where the money goes.")]
    elif not is_storable(recipient):
        errors["recipient_details"] = [_("A text here cannot be stored, or is nested too deeply.")]
    elif fault := turn_fault(recipient):
        errors["recipient_details"] = [fault]
    elif len(vault.canonical(recipient)) > RECIPIENT_LIMIT_BYTES:
        errors["recipient_details"] = [_("The recipient's details are too long.")]
    if fault := text_fault(comment):
        errors["comment"] = [fault]
    if errors:
        raise InvalidError(errors)
    return amount


def _request_hash(payout: Payout) -> bytes:
    """Equal for requests that mean the same, however they were spelled."""
    return vault.fingerprint(
        "request",
        payout.user_id,
        bytes(payout.terms_hash).hex(),
        payout.comment,
        stamp(payout.scheduled_for),
    )


def _first(payout: Payout, error: IntegrityError, *, is_form: bool) -> Payout | None:
    """The payout that was stored first, where the error says that this is it again. Raises PayoutError."""
    if "payout_one_per_idempotency_key" in str(error):
        return _first_with_key(payout)
    if "payouts_payout_reference" not in str(error):
        return None
    if payout.idempotency_key is not None:
        return _first_with_key(payout)
    return _first_with_reference(payout) if is_form else None


def _first_with_key(payout: Payout) -> Payout:
    """The payout that this key made. Raises IdempotencyError, also where a client of that name made it once."""
    first = Payout.objects.filter(client=payout.client, idempotency_key=payout.idempotency_key).first()
    if first is None:
        raise IdempotencyError
    if bytes(first.request_hash or b"") != payout.request_hash:
        raise IdempotencyError
    if first.withdrawn_at:
        raise NotAllowedError(_("The payout with this idempotency key was withdrawn."), first)
    first.is_replay = True
    return first


def _first_with_reference(payout: Payout) -> Payout:
    first = Payout.objects.get(reference=payout.reference)
    is_same = first.maker_id == payout.maker_id and bytes(first.terms_hash) == bytes(payout.terms_hash)
    if not is_same or first.client_id != payout.client_id:
        raise InvalidError({"reference": [_("This form was sent before, with other content. Open a new one.")]})
    first.is_replay = True
    return first


def submit_approved(
    *,
    user_id: int,
    amount: Decimal,
    currency: str,
    recipient: dict[str, Any],
    comment: str,
    maker: Person,
    checker: Person,
    reason: str,
    reference: uuid.UUID,
) -> Payout:
    """Store a new payout together with the approval of the person who approved its batch; it may need more.

    The same reference of the same maker returns the first payout as it is. Raises InvalidError, UnpayableError, and
    FourEyesError where the checker made it.
    """
    with transaction.atomic():
        payout = submit(
            user_id=user_id,
            amount=amount,
            currency=currency,
            recipient=recipient,
            comment=comment,
            maker=maker,
            reference=reference,
        )
        return payout if payout.is_replay else approve_as_batch(payout.pk, by=checker, reason=reason)
