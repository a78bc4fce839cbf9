"""A webhook never sets a status: it schedules a look-up.

Anybody could have sent it, late or twice. What the provider then answers becomes a status in `outcomes.py`.
"""

import uuid
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from payouts.actions import unknown_payments, unsigned_news
from payouts.actions.moves import Actor, Move, flagged, locked, move_all, ring_if_due
from payouts.actions.unknown_payments import Heard
from payouts.database import rows
from payouts.models import LEASED, Attempt, Attention, EventName, Payout, UnknownPayment, WebhookMessage
from payouts.providers import Verdict, registry
from payouts.rules import UNANSWERED
from payouts.states import Status


def hear(
    *,
    message_id: str,
    reference: uuid.UUID,
    reported: Verdict,
    amount: Decimal | None = None,
    currency: str = "",
    provider_id: str = "",
    provider: str = registry.UNNAMED,
) -> bool:
    """Schedule a look-up of the attempt: what a webhook to the account `provider` says is never its outcome.

    Where the provider can be asked only by its own id, and no answer has told it, that of the webhook is kept: what
    is found by it is held to what was sent. A refused attempt is over; there, only news of a payment counts
    (`doubt_refusal`). Returns False for a message heard before, and for a payment that we do not know: that one calls
    people (unknown_payments.py), where anybody could have sent it after the provider was asked (unsigned_news.py).
    """
    with transaction.atomic():
        said = {"reference": reference, "reported": reported.value}
        # Each provider names its own messages.
        message = message_id if provider == registry.UNNAMED else f"{provider}:{message_id}"
        if not WebhookMessage.objects.get_or_create(message_id=message, defaults=said)[1]:
            return False
        attempt = Attempt.objects.filter(reference=reference, provider=provider).only("payout_id").first()
        if attempt is None:
            heard = Heard(reference, reported, amount, currency, provider_id, detail=message_id)
            if provider_id and not registry.is_signed(provider):
                unsigned_news.keep(heard, provider=provider)
            else:
                unknown_payments.note([heard], provider=provider, source=UnknownPayment.Source.WEBHOOK)
            return False
        with locked(attempt.payout_id) as (payout, at):
            attempt = payout.attempts.get(reference=reference)
            actor = f"provider:{attempt.provider}"
            if provider_id and not attempt.provider_id and not registry.is_asked_by_reference(provider):
                attempt.provider_id = provider_id
                rows.update(Attempt, [attempt], ("provider_id",), key="reference")
            if attempt.outcome == Attempt.Outcome.REFUSED:
                if reported in (Verdict.SUCCEEDED, Verdict.RETURNED):
                    doubt_refusal(payout, attempt, at=at, actor=actor)
            elif payout.status != Status.PROCESSED or reported in (Verdict.REFUSED, Verdict.RETURNED):
                ask_again(payout, at=at, actor=actor)
    return True


def doubt_refusal(payout: Payout, attempt: Attempt, *, at: datetime, actor: str) -> None:
    """Act on news that a refused attempt may have been paid: the provider is asked while the payout is failed.

    In any other status the payout has gone on, and money may leave twice: that is for people.
    """
    if payout.status == Status.FAILED:
        ask_again(payout, at=at, actor=actor)
    elif payout.attention != Attention.CONTRADICTED:
        move_all([flagged(payout, Attention.CONTRADICTED, attempt)], at=at, actor=actor)


def ask_again(payout: Payout, *, at: datetime, actor: Actor | str) -> None:
    """Let the worker look now, or once more if it is looking now. What needs a person for want of an answer
    goes on; what needs one for another reason stays, and is asked about when it is released."""
    if payout.status not in LEASED:
        return
    if payout.attention in UNANSWERED:
        payout.attention = Attention.NONE
        move_all([Move(payout, EventName.RELEASED, Status(payout.status))], at=at, actor=actor)
    payout.news_at = at
    if not (payout.attention or payout.lease_token):
        payout.due_at = min(payout.due_at or at, at)
    rows.update(Payout, [payout], ("news_at", "due_at"))
    ring_if_due(payout)
