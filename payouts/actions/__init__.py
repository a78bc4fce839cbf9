"""Every change to a payout, and the only code that makes one.

An action locks the row, checks, moves, records the event and rings for the worker, all in one transaction. It returns
the payout, or raises a PayoutError whose text is a sentence for a person. Times are the database's, in UTC.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import uniform
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import DateTimeField, Func
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import doorbell, money, recipients, trace, vault
from payouts.actions import breaker, pauses
from payouts.database import rows
from payouts.database.rows import StaleError
from payouts.database.storable import is_storable
from payouts.models import (
    SUSPECT_LEASES,
    ApiClient,
    ApiKey,
    Approval,
    Attempt,
    Attention,
    Event,
    EventName,
    Exchange,
    Payout,
    PayoutQuerySet,
    ReportLine,
    ReviewFlag,
    WebhookMessage,
    stamp,
    terms_hash,
)
from payouts.providers import Answer, Instruction, Verdict
from payouts.states import WITHDRAWABLE, Status, allowed_from, allows

log = structlog.get_logger(__name__)

type Person = User
type Actor = User | ApiClient

RECIPIENT_LIMIT_BYTES = 8_192
TEXT_LIMIT = 1_000
# Seconds until the next look at a payout whose outcome is not final, by the calls already made; daily from then on.
LOOK_AGAIN_SECONDS = (2, 5, 15, 60, 300, 3_600)
DAY_SECONDS = 86_400
UNCLAIMABLE_PAUSE_SECONDS = 3_600
POISON_LIMIT = 3
# Of one person on one payout: four approvals, and each can be taken back.
VOICES_LIMIT = 8
# Claims in a row that ended in no record: what is claimed for it kills the worker.
LOST_LEASES_LIMIT = 5
ADAPTER_ERROR = "adapter_error"


class PayoutError(Exception):
    """A refusal that leaves everything as it was; its text is a sentence for a person."""


class NotFoundError(PayoutError):
    def __init__(self) -> None:
        super().__init__(_("There is no such payout."))


class InvalidError(PayoutError):
    """The input cannot be a payout. `errors` has the sentences by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors


class NotAllowedError(PayoutError):
    """The payout's state does not allow the move."""

    def __init__(self, text: str, payout: Payout) -> None:
        super().__init__(text)
        self.status = str(payout.status)
        self.allowed = allowed_from(payout.status)


class VersionError(PayoutError):
    """The payout has changed since the caller saw it."""

    def __init__(self) -> None:
        super().__init__(_("The payout has changed since you saw it. Look at it again, then decide."))


class IdempotencyError(PayoutError):
    """The idempotency key was used with another body."""

    def __init__(self) -> None:
        super().__init__(_("This idempotency key was used for a different payout."))


class FourEyesError(PayoutError):
    """The person may not decide on this payout: its maker, or a voice given already."""


class AlteredError(PayoutError):
    """The row's seal does not fit: it was changed outside this module."""

    def __init__(self) -> None:
        super().__init__(
            _("This payout was changed outside the product. Nothing may be done with it before an audit.")
        )


# Coming in


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
    so does the same `reference` of the same maker, which a form carries. Raises InvalidError, or IdempotencyError for
    the key with another content.
    """
    amount = _checked(amount=amount, currency=currency, user_id=user_id, recipient=recipient, comment=comment)
    recipient = vault.normal(recipient)
    payout = Payout(
        reference=reference or uuid.uuid4(),
        client=client,
        maker_id=maker.pk if maker else client.owner_id if client else None,
        user_id=user_id,
        amount=amount,
        currency=currency,
        recipient=vault.encrypt(recipient),
        recipient_masked=vault.masked(recipient),
        recipient_index=vault.blind_index(recipient),
        comment=comment,
        terms_hash=terms_hash(amount, currency, recipient),
        idempotency_key=idempotency_key,
        request_hash=None,
        trace_id=trace.current.get(),
        provider="http",
        scheduled_for=scheduled_for,
        version=0,
        event_head=b"",
    )
    if idempotency_key is not None:
        payout.request_hash = _request_hash(payout)
    try:
        with transaction.atomic():
            at, facts = _judge(payout, recipients.findings(recipient))
            _move([_Move(payout, EventName.SUBMITTED, Status.PENDING, facts)], at=at, actor=_name(client or maker))
            if payout.due_at:
                doorbell.ring()
    except IntegrityError as error:
        if "payout_one_per_idempotency_key" in str(error):
            return _first_with_key(payout)
        if reference is not None and "payouts_payout_reference" in str(error):
            return _first_with_reference(payout)
        raise
    return payout


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
    if not recipient:
        errors["recipient_details"] = [_("Say where the money goes.")]
    elif not is_storable(recipient):
        errors["recipient_details"] = [_("A text here cannot be stored, or is nested too deeply.")]
    elif len(vault.canonical(recipient)) > RECIPIENT_LIMIT_BYTES:
        errors["recipient_details"] = [_("The recipient's details are too long.")]
    if len(comment) > TEXT_LIMIT or not is_storable(comment):
        errors["comment"] = [_("Give at most 1000 characters, all of them printable.")]
    if errors:
        raise InvalidError(errors)
    return amount


def _request_hash(payout: Payout) -> bytes:
    """Equal for requests that mean the same, however they were spelled."""
    return vault.seal(
        "request",
        payout.user_id,
        bytes(payout.terms_hash).hex(),
        payout.comment,
        stamp(payout.scheduled_for),
    )


def _judge(payout: Payout, findings: list[ReviewFlag]) -> tuple[datetime, dict[str, Any]]:
    """Give a new payout its id, its time, its flags and the approvals that it needs; returns the time and the facts.

    What may be each other's duplicate, or exceed the same recipient's limit together, is judged one after the other.
    """
    facing: dict[str, Any] = {
        "client": payout.client_id,
        "user_id": payout.user_id,
        "currency": payout.currency,
        "amount": payout.amount,
        "recipient_index": bytes(payout.recipient_index),
        "is_keyless": payout.idempotency_key is None,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            TURN,
            {
                "repetition": _lock_number("repetition", *map(str, facing.values())),
                "recipient": _lock_number("recipient", payout.currency, bytes(payout.recipient_index).hex()),
                "currency": payout.currency,
                "is_keyless": facing["is_keyless"],
            },
        )
        cursor.execute(JUDGEMENT, facing)
        payout.pk, at, required, is_repeated, is_above_recipient, is_above_day, asking = cursor.fetchone()
    flags = list(findings)
    if is_repeated:
        flags.append(ReviewFlag.POSSIBLE_DUPLICATE)
    if is_above_recipient:
        flags.append(ReviewFlag.ABOVE_RECIPIENT_LIMIT)
    if is_above_day:
        flags.append(ReviewFlag.ABOVE_DAY_LIMIT)
    payout.review_flags = [flag.value for flag in flags]
    payout.created_at = at
    is_by_hand = payout.client_id is None
    asked_by = [flag for flag in payout.review_flags if flag in asking]
    payout.approvals_required = (max(required, 1) if is_by_hand else required) + bool(asked_by)
    facts: dict[str, Any] = {"approvals_required": payout.approvals_required}
    if payout.review_flags:
        facts["review_flags"] = payout.review_flags
    if asked_by:
        facts["asked_by"] = asked_by
    return at, facts


def _lock_number(*parts: str) -> int:
    """For PostgreSQL's advisory locks: a signed number of 64 bits."""
    return int.from_bytes(vault.seal("lock", *parts)[:8], signed=True)


# A statement of its own: the judgement must see what was committed while this one waited.
TURN = """
SELECT (SELECT pg_advisory_xact_lock(%(repetition)s) WHERE %(is_keyless)s)::text,
       (SELECT pg_advisory_xact_lock(%(recipient)s) FROM payouts_payoutlimit
        WHERE currency = %(currency)s AND recipient_amount IS NOT NULL)::text
"""
JUDGEMENT = """
WITH used AS (
    UPDATE payouts_payoutlimit
    SET used_on = (now() AT TIME ZONE 'UTC')::date,
        used_amount = %(amount)s
            + CASE WHEN used_on = (now() AT TIME ZONE 'UTC')::date THEN used_amount ELSE 0 END
    WHERE currency = %(currency)s AND day_amount IS NOT NULL
    RETURNING used_amount > day_amount AS is_above
)
SELECT nextval(pg_get_serial_sequence('payouts_payout', 'id')),
       clock_timestamp(),
       coalesce((SELECT approvals_required FROM payouts_approvalband
                 WHERE currency = %(currency)s AND from_amount <= %(amount)s
                 ORDER BY from_amount DESC LIMIT 1), 1),
       %(is_keyless)s AND EXISTS (
           SELECT 1 FROM payouts_payout
           WHERE recipient_index = %(recipient_index)s AND created_at > now() - interval '10 minutes'
             AND user_id = %(user_id)s AND client_id IS NOT DISTINCT FROM %(client)s
             AND currency = %(currency)s AND amount = %(amount)s AND status NOT IN ('cancelled', 'rejected')),
       coalesce((SELECT %(amount)s + coalesce((
                     SELECT sum(amount) FROM payouts_payout
                     WHERE recipient_index = %(recipient_index)s AND created_at > now() - interval '1 day'
                       AND currency = %(currency)s AND status NOT IN ('cancelled', 'rejected', 'failed')), 0)
                     > recipient_amount
                 FROM payouts_payoutlimit
                 WHERE currency = %(currency)s AND recipient_amount IS NOT NULL), false),
       coalesce((SELECT is_above FROM used), false),
       ARRAY(SELECT flag FROM payouts_reviewrule WHERE effect = 'ask')
"""


def _first_with_key(payout: Payout) -> Payout:
    first = Payout.objects.get(client=payout.client, idempotency_key=payout.idempotency_key)
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

    The same reference of the same maker returns the first payout as it is. Raises InvalidError, FourEyesError when
    the maker is the checker.
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
        _refuse_maker(payout, checker)
        return payout if payout.is_replay else approve(payout.pk, by=checker, reason=reason)


# People decide


def approve(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Give one approval to what the payout says now; the last one that is needed lets it go, after the release delay.

    Raises NotAllowedError, FourEyesError for the maker and for a second voice, VersionError.
    """
    with _locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be approved."), payout)
        voices = list(payout.approvals.filter(attempt=None).select_related("checker").order_by("number"))
        standing = _standing(voices)
        if payout.is_approved:
            raise NotAllowedError(_all_approvals(standing), payout)
        _refuse_maker(payout, by)
        if by.pk in standing:
            raise FourEyesError(_("You have approved this payout already."))
        number = _voice_number(voices, by)
        if number > VOICES_LIMIT:
            raise FourEyesError(_("You have changed your mind too often. Another person must decide."))
        _add_approval(payout, by=by, decision=Approval.Decision.APPROVE, at=at, number=number)
        payout.approvals_given += 1
        is_last = payout.approvals_given >= payout.approvals_required
        if is_last and settings.RELEASE_DELAY_SECONDS:
            payout.release_at = at + timedelta(seconds=settings.RELEASE_DELAY_SECONDS)
        _move_one(payout, EventName.APPROVED, Status.PENDING, at=at, by=by, reason=reason)
        if payout.due_at:
            doorbell.ring()
    return payout


def take_back(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Withdraw one's own approval, while the worker has not taken the payout: it waits for approval again.

    Raises NotAllowedError, FourEyesError for who has not approved it.
    """
    with _locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("An approval can be taken back while the payout is pending."), payout)
        voices = list(payout.approvals.filter(attempt=None).order_by("number"))
        if by.pk not in _standing(voices):
            raise FourEyesError(_("You have not approved this payout."))
        decision = Approval.Decision.WITHDRAW
        _add_approval(payout, by=by, decision=decision, at=at, number=_voice_number(voices, by))
        payout.approvals_given -= 1
        payout.release_at = None
        _move_one(payout, EventName.APPROVAL_WITHDRAWN, Status.PENDING, at=at, by=by, reason=reason)
    return payout


def reject(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Refuse a pending payout for good."""
    with _locked(payout_id, version=version) as (payout, at):
        _check_move(payout, Status.REJECTED)
        _refuse_maker(payout, by)
        _move_one(payout, EventName.REJECTED, Status.REJECTED, at=at, by=by, reason=reason)
    return payout


def hold(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Keep a pending payout from being paid until it is released."""
    with _locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be held."), payout)
        if payout.held_at:
            raise NotAllowedError(_("The payout is on hold already."), payout)
        payout.held_at, payout.held_by = at, by
        _move_one(payout, EventName.HELD, Status.PENDING, at=at, by=by, reason=reason)
    return payout


def release(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Let a held payout, or one that needed attention, go on; one whose outcome is unknown is looked up again."""
    with _locked(payout_id, version=version) as (payout, at):
        is_held = payout.held_at and payout.status == Status.PENDING
        if not (is_held or payout.attention):
            raise NotAllowedError(_("The payout is not on hold."), payout)
        payout.held_at = payout.held_by = None
        payout.attention = Attention.NONE
        if payout.status == Status.UNKNOWN or (payout.status == Status.PROCESSED and payout.news_at):
            payout.due_at = at
        _move_one(payout, EventName.RELEASED, Status(payout.status), at=at, by=by, reason=reason)
        if payout.due_at:
            doorbell.ring()
    return payout


def schedule(
    payout_id: int, *, by: Actor, scheduled_for: datetime | None, reason: str = "", version: int | None = None
) -> Payout:
    """Pay not before this time; None means as soon as it may be paid."""
    with _locked(payout_id, by=by, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be scheduled."), payout)
        payout.scheduled_for = scheduled_for
        facts = {"scheduled_for": stamp(scheduled_for)}
        _move_one(payout, EventName.SCHEDULED, Status.PENDING, at=at, by=by, reason=reason, facts=facts)
        if payout.due_at:
            doorbell.ring()
    return payout


def cancel(payout_id: int, *, by: Actor, reason: str = "", version: int | None = None) -> Payout:
    """Stop a pending payout for good. A client can cancel its own only."""
    with _locked(payout_id, by=by, version=version) as (payout, at):
        _check_move(payout, Status.CANCELLED)
        _move_one(payout, EventName.CANCELLED, Status.CANCELLED, at=at, by=by, reason=reason)
    return payout


def withdraw(payout_id: int, *, by: ApiClient, version: int | None = None) -> Payout:
    """Take a payout out of the API; a pending one is cancelled with it. The back office keeps it."""
    with _locked(payout_id, by=by, version=version) as (payout, at):
        if payout.status not in WITHDRAWABLE:
            raise NotAllowedError(
                _("A payout can be withdrawn while it is pending, or when it was cancelled or rejected."),
                payout,
            )
        payout.withdrawn_at = at
        to_status = Status.CANCELLED if payout.status == Status.PENDING else Status(payout.status)
        _move_one(payout, EventName.WITHDRAWN, to_status, at=at, by=by, reason="")
    return payout


def settle(payout_id: int, *, by: Actor, reason: str = "", version: int | None = None) -> Payout:
    """Record that a pending payout was paid by hand, outside. It must be free to go, like any other payment."""
    with _locked(payout_id, by=by, version=version) as (payout, at):
        _check_move(payout, Status.PROCESSED)
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be settled by hand."), payout)
        if not payout.is_approved:
            raise NotAllowedError(_("The payout still waits for approvals."), payout)
        if payout.held_at or payout.attention:
            raise NotAllowedError(_("The payout is on hold."), payout)
        if problem := _problem(payout, _approvals_by_payout([payout])):
            raise NotAllowedError(_("The payout needs attention: %(problem)s.") % {"problem": problem.label}, payout)
        payout.processed_at = at
        _move_one(payout, EventName.SETTLED, Status.PROCESSED, at=at, by=by, reason=reason)
    return payout


def retry(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Send a failed payout again: its attempt was definitely refused, so the next one has a new key."""
    with _locked(payout_id, version=version) as (payout, at):
        _check_move(payout, Status.PENDING)
        if payout.attention:
            raise NotAllowedError(_("The payout needs attention first: see why, then release it."), payout)
        payout.failure_code = payout.failure_message = ""
        _move_one(payout, EventName.RETRIED, Status.PENDING, at=at, by=by, reason=reason)
        if payout.due_at:
            doorbell.ring()
    return payout


def resolve(
    payout_id: int, *, by: Person, decision: Approval.Decision, evidence: str, version: int | None = None
) -> Payout:
    """Say how an unknown outcome ended, on evidence; the second person who says the same makes it so.

    Raises NotAllowedError, FourEyesError for the maker and for a second voice, InvalidError without evidence.
    """
    _require_evidence(evidence)
    with _locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.UNKNOWN:
            raise NotAllowedError(_("Only a payout whose outcome is unknown can be resolved."), payout)
        _refuse_maker(payout, by)
        is_asked = payout.lease_token and payout.due_at and payout.due_at > at
        # What is not paid can be sent again; the news may be that it was.
        has_news = decision == Approval.Decision.NOT_PAID and payout.news_at and payout.due_at
        if is_asked or has_news:
            raise _asked_just_now(payout)
        attempt = payout.attempts.select_for_update().exclude(outcome=Attempt.Outcome.REFUSED).get()
        voices = list(attempt.resolutions.all())
        if any(not _is_valid(voice, payout) for voice in voices):
            raise AlteredError
        if any(voice.checker_id == by.pk for voice in voices):
            raise FourEyesError(_("You have given your voice on this payout already."))
        seconded = any(voice.decision == decision for voice in voices)
        _add_approval(payout, by=by, decision=decision, at=at, attempt=attempt, evidence=evidence)
        facts = {"decision": decision.value, "attempt": str(attempt.reference)}
        if not seconded:
            _move_one(
                payout,
                EventName.RESOLUTION_PROPOSED,
                Status.UNKNOWN,
                at=at,
                by=by,
                reason=evidence,
                facts=facts,
            )
            return payout
        payout.attention = Attention.NONE
        payout.lease_token = None
        attempt.finished_at = at
        if decision == Approval.Decision.PAID:
            attempt.outcome = Attempt.Outcome.SUCCEEDED
            payout.processed_at = at
            to_status = Status.PROCESSED
        else:
            attempt.outcome = Attempt.Outcome.REFUSED
            payout.failure_code = "resolved_by_hand"
            payout.failure_message = ""
            to_status = Status.FAILED
        attempt.save(update_fields=["outcome", "finished_at"])
        _move_one(payout, EventName.RESOLVED, to_status, at=at, by=by, reason=evidence, facts=facts)
        if payout.due_at:
            doorbell.ring()
    return payout


def ask_now(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Have the provider asked at once what became of a payout that was sent. Raises NotAllowedError."""
    with _locked(payout_id, version=version) as (payout, at):
        is_sent = payout.status in (Status.PROCESSING, Status.UNKNOWN)
        if not is_sent or payout.attention not in (Attention.NONE, *UNANSWERED):
            raise NotAllowedError(_("There is nothing to ask the provider about this payout now."), payout)
        if payout.lease_token and payout.due_at and payout.due_at > at:
            raise _asked_just_now(payout)
        payout.attention = Attention.NONE
        payout.due_at = at
        _move_one(payout, EventName.ASKED, Status(payout.status), at=at, by=by, reason=reason)
        doorbell.ring()
    return payout


def reveal(payout_id: int, *, by: Actor, reason: str) -> dict[str, Any]:
    """The recipient in clear, and an event that says who saw it and why."""
    with _locked(payout_id, by=by) as (payout, at):
        try:
            recipient = payout.recipient_details
        except vault.UnreadableError as error:
            raise _unreadable(payout) from error
        _move_one(payout, EventName.REVEALED, Status(payout.status), at=at, by=by, reason=reason)
    return recipient


def record_return(payout_id: int, *, by: Person, evidence: str, version: int | None = None) -> Payout:
    """Say that the bank gave the money of a processed payout back.

    Raises NotAllowedError, FourEyesError for the maker, InvalidError without evidence.
    """
    _require_evidence(evidence)
    with _locked(payout_id, version=version) as (payout, at):
        _check_move(payout, Status.RETURNED)
        _refuse_maker(payout, by)
        payout.attention = Attention.NONE
        _move_one(payout, EventName.RETURNED, Status.RETURNED, at=at, by=by, reason=evidence)
    return payout


# The provider speaks


def hear(*, message_id: str, reference: uuid.UUID, reported: Verdict) -> bool:
    """Take a provider's webhook as a reason to ask: what became of the attempt is what a look-up answers.

    Only where it cannot be asked about, because the attempt was refused and is over, is its word enough to call a
    person. Returns whether it was news: a message id that was heard before, or a reference that is not ours, is none.
    """
    with transaction.atomic():
        said = {"reference": reference, "reported": reported.value}
        if not WebhookMessage.objects.get_or_create(message_id=message_id, defaults=said)[1]:
            return False
        attempt = Attempt.objects.filter(reference=reference).only("payout_id").first()
        if attempt is None:
            return False
        with _locked(attempt.payout_id) as (payout, at):
            attempt = payout.attempts.get(reference=reference)
            actor = f"provider:{attempt.provider}"
            if attempt.outcome == Attempt.Outcome.REFUSED:
                is_paid = reported in (Verdict.SUCCEEDED, Verdict.RETURNED)
                if is_paid and payout.attention != Attention.CONTRADICTED:
                    _move([_flag(payout, Attention.CONTRADICTED)], at=at, actor=actor)
            elif payout.status != Status.PROCESSED or reported in (Verdict.REFUSED, Verdict.RETURNED):
                _ask_again(payout, at=at, actor=actor)
    return True


def _ask_again(payout: Payout, *, at: datetime, actor: str) -> None:
    """Let the worker look now, or once more when it is looking just now. What needs a person for want of an answer
    goes on; what needs one for another reason stays, and is asked about when it is released."""
    if payout.status not in (Status.PROCESSING, Status.UNKNOWN, Status.PROCESSED):
        return
    if payout.attention in UNANSWERED:
        payout.attention = Attention.NONE
        _move([_Move(payout, EventName.RELEASED, Status(payout.status))], at=at, actor=actor)
    payout.news_at = at
    if not (payout.attention or payout.lease_token):
        payout.due_at = min(payout.due_at or at, at)
    rows.update(Payout, [payout], ("news_at", "due_at"))
    if payout.due_at:
        doorbell.ring()


UNANSWERED = (Attention.NOT_FOUND, Attention.TOO_MANY_CALLS)


def reconcile(
    reference: uuid.UUID, *, reported: Verdict, amount: Decimal, by: Person, source: str
) -> tuple[int | None, ReportLine.Result]:
    """Hold one line of a provider's report against our record; returns the payout's id and what it came to.

    A report settles what is not known, and records what came back. It never fails a payout, because a failed one can
    be sent again: there the provider itself is asked. What differs is flagged for a person. `source` names the line.
    """
    payout_id = Attempt.objects.filter(reference=reference).values_list("payout_id", flat=True).first()
    if payout_id is None:
        return None, ReportLine.Result.NOT_OURS
    try:
        with _locked(payout_id) as (payout, at):
            attempt = payout.attempts.select_for_update().get(reference=reference)
            result = _finding(payout, attempt, reported, amount)
            if result in CHANGING and payout.maker_id == by.pk:
                return payout_id, ReportLine.Result.OWN
            _apply(payout, attempt, result, reported, at=at, by=by, source=source)
    except AlteredError:
        return payout_id, ReportLine.Result.ALTERED
    return payout_id, result


# What a report that has the payment settles; that another attempt was paid too, or another amount, it does not.
ANSWERED_BY_REPORT = (*UNANSWERED, Attention.UNWORKABLE, Attention.MISSING)
CHANGING = (ReportLine.Result.SETTLED, ReportLine.Result.RETURNED)
FLAGS = {
    ReportLine.Result.AMOUNT_DIFFERS: Attention.AMOUNT_DIFFERS,
    ReportLine.Result.CONTRADICTS: Attention.CONTRADICTED,
}


def _finding(payout: Payout, attempt: Attempt, reported: Verdict, amount: Decimal) -> ReportLine.Result:
    if amount != payout.amount:
        return ReportLine.Result.AMOUNT_DIFFERS
    was_refused = attempt.outcome == Attempt.Outcome.REFUSED
    was_paid = attempt.outcome == Attempt.Outcome.SUCCEEDED
    match reported:
        case Verdict.REFUSED:
            is_over = was_refused or payout.status == Status.RETURNED
            return ReportLine.Result.AGREES if is_over else ReportLine.Result.ASKED
        case _ if was_refused:
            return ReportLine.Result.CONTRADICTS
        case Verdict.RETURNED:
            is_known = payout.status == Status.RETURNED
            return ReportLine.Result.AGREES if is_known else ReportLine.Result.RETURNED
        case Verdict.SUCCEEDED if not was_paid:
            return ReportLine.Result.SETTLED
        case _:
            return ReportLine.Result.AGREES


def _apply(
    payout: Payout,
    attempt: Attempt,
    result: ReportLine.Result,
    reported: Verdict,
    *,
    at: datetime,
    by: Person,
    source: str,
) -> None:
    facts = {"attempt": str(attempt.reference), "report": source}
    if result in FLAGS and payout.attention not in (FLAGS[result], Attention.CONTRADICTED):
        _flag_one(payout, FLAGS[result], at=at, by=by, reason=source, facts=facts)
    elif result == ReportLine.Result.ASKED:
        _ask_again(payout, at=at, actor=_name(by))
    elif result in CHANGING:
        if payout.attention in ANSWERED_BY_REPORT:
            payout.attention = Attention.NONE
        if attempt.outcome == Attempt.Outcome.OPEN:
            attempt.outcome, attempt.finished_at, payout.processed_at = Attempt.Outcome.SUCCEEDED, at, at
            attempt.save(update_fields=["outcome", "finished_at"])
            payout.lease_token = None
            _move_one(payout, EventName.RECONCILED, Status.PROCESSED, at=at, by=by, reason=source, facts=facts)
        if reported == Verdict.RETURNED:
            _move_one(payout, EventName.RETURNED, Status.RETURNED, at=at, by=by, reason=source, facts=facts)
        if payout.due_at:
            doorbell.ring()


def flag_missing(payout_id: int, *, by: Person, source: str) -> None:
    """The provider's report covers the day this was paid on, and does not have it: a person must look."""
    with _locked(payout_id) as (payout, at):
        if payout.status == Status.PROCESSED and not payout.attention:
            _flag_one(payout, Attention.MISSING, at=at, by=by, reason=source, facts={"report": source})


# The worker


@dataclass(frozen=True, slots=True)
class Assignment:
    """One claimed payout: what to call the provider with, and the token that its result must carry."""

    payout_id: int
    lease_token: uuid.UUID
    attempt: Attempt
    instruction: Instruction
    is_first_call: bool
    may_post: bool


def claim(*, limit: int) -> list[Assignment]:
    """Take up to `limit` due payouts, oldest first, each under a lease of LEASE_SECONDS; other claimers skip them.

    A ready payout moves to processing with a new attempt, committed before any call. One whose lease ran out, or
    whose next look-up has come up, keeps its attempt, and its next call looks up first. What must not be paid as it
    stands is flagged for a person instead, and so is one that cannot even be claimed: it holds up nobody. A provider
    that does not answer is left alone but for one probe at a time (breaker.py), one that a person has paused is left
    alone altogether (pauses.py), and suspects are for `claim_suspect`.
    """
    due = Payout.objects.due().filter(lost_leases__lt=SUSPECT_LEASES).order_by("due_at")
    due = due.exclude(provider__in=pauses.paused_providers())
    if silent := breaker.open_providers():
        return _claim_probe() or _claim_some(due.exclude(provider__in=silent), limit)
    return _claim_some(due, limit)


def claim_suspect() -> list[Assignment]:
    """Take one due payout whose last claims ended in no record, alone, so that it can take no other with it."""
    due = Payout.objects.due().filter(lost_leases__gte=SUSPECT_LEASES).order_by("due_at")
    if not due.exists():
        return []
    return _claim_some(due.exclude(provider__in=[*breaker.open_providers(), *pauses.paused_providers()]), 1)


def _claim_probe() -> list[Assignment]:
    """Take one due payout of a silent provider, when it is time to try that again; no suspect if possible.

    Whichever, and not the oldest: a crowd at which this provider fails would be tried one by one before the others.
    """
    with transaction.atomic():
        provider = breaker.take_probe()
        if provider is None:
            return []
        claimed = _claim_some(Payout.objects.due().filter(provider=provider).order_by("lost_leases", "?"), 1)
        if not claimed:
            breaker.return_probe(provider)
    return claimed


def _claim_some(due: PayoutQuerySet, limit: int) -> list[Assignment]:
    try:
        claimed, looked_at = _claim(due[:limit])
        while looked_at and not claimed:  # all of them were flagged: what is behind them is due too
            claimed, looked_at = _claim(due[:limit])
        return claimed
    except OperationalError:
        raise
    except Exception:
        log.exception("batch_not_claimed")
    claimed, unclaimable = [], []
    for payout_id in list(due.values_list("pk", flat=True)[:limit]):
        try:
            claimed += _claim(due.filter(pk=payout_id))[0]
        except OperationalError:
            raise
        except Exception:
            log.exception("payout_not_claimed", payout=payout_id)
            unclaimable.append(payout_id)
    # When none of many can be claimed, the fault is ours and not theirs: then they only wait.
    if claimed or len(unclaimable) <= POISON_LIMIT:
        unclaimable = [payout_id for payout_id in unclaimable if not _flag_unworkable(payout_id)]
    later = Now() + timedelta(seconds=UNCLAIMABLE_PAUSE_SECONDS)
    Payout.objects.due().filter(pk__in=unclaimable).update(due_at=later, lease_token=None)
    return claimed


def _flag_unworkable(payout_id: int) -> bool:
    """Leave it to a person. False where not even that can be written."""
    try:
        with _locked(payout_id) as (payout, at):
            if payout.due_at and payout.due_at <= at:  # nobody else has taken it since
                _move([_flag(payout, Attention.UNWORKABLE)], at=at, actor=WORKER)
    except OperationalError:
        raise
    except Exception:
        log.exception("payout_not_flagged", payout=payout_id)
        return False
    return True


def _claim(due: PayoutQuerySet) -> tuple[list[Assignment], int]:
    """The assignments, and how many payouts were looked at for them."""
    with transaction.atomic():
        payouts = list(due.annotate(db_now=_clock()).select_for_update(skip_locked=True))
        if not payouts:
            return [], 0
        looked_at = len(payouts)
        at: datetime = _db_now(payouts[0])
        lease_token, lease_ends_at = uuid.uuid4(), at + timedelta(seconds=settings.LEASE_SECONDS)
        payouts = _without_altered(payouts)
        approvals = _approvals_by_payout([payout for payout in payouts if payout.approvals_required])
        attempts = _attempts_by_payout(payouts)
        disputed = _disputed(attempts.values())
        moves: list[_Move] = []
        fresh: list[Attempt] = []
        again: list[tuple[Payout, Attempt]] = []
        assignments: list[Assignment] = []
        for payout in payouts:
            latest = attempts.get(payout.pk)
            if payout.lease_token:
                payout.lost_leases += 1
            if problem := _problem(payout, approvals) or _exhaustion(payout, latest):
                moves.append(_flag(payout, problem))
                continue
            is_new = payout.status == Status.PENDING
            if is_new:
                attempt = Attempt(
                    payout=payout,
                    number=latest.number + 1 if latest else 1,
                    provider=payout.provider,
                    created_at=at,
                )
                facts = {"attempt": str(attempt.reference), "provider": attempt.provider}
                moves.append(_Move(payout, EventName.CLAIMED, Status.PROCESSING, facts))
                fresh.append(attempt)
            elif latest is None or latest.outcome != _outcome_of(payout):
                raise StaleError(f"payout {payout.pk} is {payout.status} without the attempt for it")
            else:
                attempt = latest
                again.append((payout, attempt))
            attempt.calls += 1
            attempt.last_called_at = at
            payout.lease_token, payout.due_at = lease_token, lease_ends_at
            may_post = is_new or (
                attempt.outcome == Attempt.Outcome.OPEN
                and lease_ends_at < attempt.key_expires_at  # whatever this claim does, it does before its lease ends
                and attempt.pk not in disputed
            )
            assignments.append(_assignment(payout, attempt, is_first_call=is_new, may_post=may_post))
        _move(moves, at=at, actor=WORKER)
        rows.insert((Attempt, fresh, NEW_ATTEMPT_FIELDS))
        rows.update(Payout, [payout for payout, _attempt in again], ("lease_token", "due_at", "lost_leases"))
        rows.update(Attempt, [attempt for _payout, attempt in again], ("calls", "last_called_at"))
        return assignments, looked_at


def _outcome_of(payout: Payout) -> Attempt.Outcome:
    """What the latest attempt of a payout that was sent must say."""
    return Attempt.Outcome.SUCCEEDED if payout.status == Status.PROCESSED else Attempt.Outcome.OPEN


def record_outcomes(outcomes: Sequence[tuple[Assignment, Answer]]) -> int:
    """Record what the provider answered; a result whose lease was lost is dropped. Returns how many stand."""
    by_payout = {assignment.payout_id: (assignment, answer) for assignment, answer in outcomes}
    if not by_payout:
        return 0
    with transaction.atomic():
        payouts = list(
            Payout.objects.filter(pk__in=by_payout)
            .annotate(db_now=_clock())
            .select_for_update()
            .defer("recipient")
            .order_by("pk")
        )
        at: datetime = _db_now(payouts[0])
        attempts: list[Attempt] = []
        moves: list[_Move] = []
        returns: list[_Move] = []
        unmoved: list[Payout] = []
        exchanges: list[Exchange] = []
        sound = {payout.pk for payout in _without_altered(payouts)}
        for payout in payouts:
            assignment, answer = by_payout[payout.pk]
            if payout.pk not in sound or payout.lease_token != assignment.lease_token:
                log.warning(
                    "result_dropped", payout=payout.pk, verdict=answer.verdict.value, provider_id=answer.provider_id
                )
                continue
            attempt, code_before = assignment.attempt, assignment.attempt.last_code
            attempts.append(attempt)
            exchanges.append(_exchange(attempt, answer, at))
            attempt.last_code, attempt.last_message, attempt.last_answer = (
                answer.code,
                answer.message,
                answer.excerpt,
            )
            attempt.provider_id = answer.provider_id or attempt.provider_id
            payout.lease_token, payout.lost_leases = None, 0
            payout.due_at = at + timedelta(seconds=_pause_seconds(payout, attempt, answer))
            if answer.is_heard and not _has_later_news(payout, attempt):
                payout.news_at = None
            move = _outcome_move(payout, assignment, answer, at, code_before)
            if move:
                moves.append(move)
            else:
                unmoved.append(payout)
            if answer.verdict == Verdict.RETURNED and (not move or move.event == EventName.SUCCEEDED):
                returns.append(
                    _Move(payout, EventName.RETURNED, Status.RETURNED, {"attempt": str(attempt.reference)})
                )
        _move(moves, at=at, actor=WORKER)
        rows.update(Payout, unmoved, ("lease_token", "due_at", "lost_leases", "news_at"))
        rows.update(Attempt, attempts, ATTEMPT_OUTCOME_FIELDS, key="reference")
        rows.insert((Exchange, exchanges, EXCHANGE_FIELDS))
        _move(returns, at=at, actor=WORKER)
    return len(attempts)


NEW_ATTEMPT_FIELDS = (
    "reference",
    "payout",
    "number",
    "provider",
    "outcome",
    "calls",
    "provider_id",
    "last_called_at",
    "last_code",
    "last_message",
    "last_answer",
    "created_at",
)
ATTEMPT_OUTCOME_FIELDS = (
    "outcome",
    "provider_id",
    "accepted_at",
    "last_code",
    "last_message",
    "last_answer",
    "finished_at",
)


EXCHANGE_FIELDS = (
    "attempt",
    "call",
    "called_at",
    "answered_at",
    "verdict",
    "http_status",
    "code",
    "message",
    "excerpt",
)


def _exchange(attempt: Attempt, answer: Answer, at: datetime) -> Exchange:
    return Exchange(
        attempt=attempt,
        call=attempt.calls,
        called_at=attempt.last_called_at,
        answered_at=at,
        verdict=answer.verdict.value,
        http_status=answer.http_status,
        code=answer.code,
        message=answer.message,
        excerpt=answer.excerpt,
    )


def give_back(assignments: Sequence[Assignment]) -> None:
    """Return claimed payouts that were not called for; they are due at once, and looked up first."""
    by_token = {(assignment.payout_id, assignment.lease_token) for assignment in assignments}
    if not by_token:
        return
    with transaction.atomic():
        payouts = list(
            Payout.objects.filter(pk__in=[payout_id for payout_id, _token in by_token])
            .annotate(db_now=_clock())
            .select_for_update()
            .order_by("pk")
        )
        payouts = [payout for payout in payouts if (payout.pk, payout.lease_token) in by_token]
        for payout in payouts:
            payout.lease_token, payout.due_at = None, _db_now(payout)
        rows.update(Payout, payouts, ("lease_token", "due_at"))


def _outcome_move(
    payout: Payout, assignment: Assignment, answer: Answer, at: datetime, before: str
) -> "_Move | None":
    """What the answer means: only a success pays, only a documented refusal fails, all else is not known.

    A refusal that may be older than the provider's news is not the last word: a failed payout can be sent again.
    `before` is the code of the answer before this one.
    """
    attempt = assignment.attempt
    facts: dict[str, Any] = {"attempt": str(attempt.reference), "call": attempt.calls}
    if answer.code:
        facts["code"] = answer.code
    if answer.provider_id:
        facts["provider_id"] = answer.provider_id
    if payout.status == Status.PROCESSED:
        return _later_move(payout, attempt, answer)
    match answer.verdict:
        case Verdict.SUCCEEDED | Verdict.RETURNED:  # what was returned had been paid
            attempt.outcome, attempt.finished_at = Attempt.Outcome.SUCCEEDED, at
            payout.processed_at = at
            return _Move(payout, EventName.SUCCEEDED, Status.PROCESSED, facts)
        case Verdict.REFUSED if not payout.news_at:
            attempt.outcome, attempt.finished_at = Attempt.Outcome.REFUSED, at
            payout.failure_code, payout.failure_message = answer.code, answer.message
            return _Move(payout, EventName.REFUSED, Status.FAILED, facts, answer.message)
        case Verdict.ABSENT if not (assignment.may_post or payout.news_at):
            return _flag(payout, Attention.NOT_FOUND)
        case _ if attempt.calls >= settings.MAX_ATTEMPT_CALLS:
            return _flag(payout, Attention.TOO_MANY_CALLS)
        case _ if answer.code == before == ADAPTER_ERROR:
            return _flag(payout, Attention.UNWORKABLE)
        case Verdict.PENDING:
            if attempt.accepted_at:
                return None
            attempt.accepted_at = at
            return _Move(payout, EventName.ACCEPTED, Status(payout.status), facts)
        case _ if payout.status == Status.UNKNOWN or attempt.accepted_at:
            return None
        case _:
            return _Move(payout, EventName.OUTCOME_UNKNOWN, Status.UNKNOWN, facts, answer.message)


def _later_move(payout: Payout, attempt: Attempt, answer: Answer) -> "_Move | None":
    """What news of a processed payout means: it stands, it came back, or a person must look."""
    match answer.verdict:
        case Verdict.SUCCEEDED | Verdict.RETURNED:
            payout.due_at = payout.due_at if payout.news_at else None
            return None
        case Verdict.REFUSED:
            return _flag(payout, Attention.CONTRADICTED)
        case _ if attempt.calls >= settings.MAX_ATTEMPT_CALLS:
            return _flag(payout, Attention.TOO_MANY_CALLS)
        case _:
            return None


def _pause_seconds(payout: Payout, attempt: Attempt, answer: Answer) -> float:
    """Until the next look: none when news came while we were asking, for the answer may be older than they are."""
    if _has_later_news(payout, attempt):
        return 0
    return max(_look_again_seconds(attempt), answer.retry_after_seconds or 0)


def _has_later_news(payout: Payout, attempt: Attempt) -> bool:
    return payout.news_at is not None and payout.news_at > attempt.last_called_at


def _look_again_seconds(attempt: Attempt) -> float:
    steps = LOOK_AGAIN_SECONDS
    seconds = steps[attempt.calls - 1] if attempt.calls <= len(steps) else DAY_SECONDS
    return seconds * uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)


def _exhaustion(payout: Payout, attempt: Attempt | None) -> Attention | None:
    """Claims that ended in no record, again and again: what is claimed for it kills the worker."""
    if payout.lost_leases >= LOST_LEASES_LIMIT:
        return Attention.UNWORKABLE
    if payout.lease_token and attempt and attempt.calls >= settings.MAX_ATTEMPT_CALLS:
        return Attention.TOO_MANY_CALLS
    return None


def _flag(payout: Payout, problem: Attention) -> "_Move":
    """Leave the payout to a person. One that was sent and not answered for becomes unknown."""
    payout.attention = problem
    payout.lease_token = payout.due_at = None
    payout.lost_leases = 0  # counted anew when a person lets it go on
    to_status = Status.UNKNOWN if payout.status == Status.PROCESSING else Status(payout.status)
    return _Move(payout, EventName.FLAGGED, to_status, {"attention": problem.value})


def _problem(payout: Payout, approvals: dict[int, list[Approval]]) -> Attention | None:
    """Why this payout must not be paid as it stands, if anything."""
    try:
        terms = payout.terms
    except vault.UnreadableError:
        return Attention.UNREADABLE
    if terms != bytes(payout.terms_hash):
        return Attention.TERMS_CHANGED
    try:
        money.exact(payout.amount, payout.currency)
    except money.AmountError:
        return Attention.UNPAYABLE
    valid = [approval for approval in approvals.get(payout.pk, ()) if _is_valid(approval, payout)]
    if len(_standing(valid)) < payout.approvals_required:
        return Attention.APPROVALS_MISSING
    return None


def _is_valid(approval: Approval, payout: Payout) -> bool:
    """Made here, for the present terms, by somebody other than the maker."""
    return (
        bytes(approval.mac) == approval.expected_mac(payout.reference)
        and bytes(approval.terms_hash) == bytes(payout.terms_hash)
        and approval.checker_id != payout.maker_id
    )


def _standing(voices: Iterable[Approval]) -> dict[int, Approval]:
    """The approvals that were not taken back, by checker; `voices` come in the order of their numbers."""
    last = {voice.checker_id: voice for voice in voices}
    return {checker: voice for checker, voice in last.items() if voice.decision == Approval.Decision.APPROVE}


def _voice_number(voices: Iterable[Approval], by: Person) -> int:
    return 1 + sum(voice.checker_id == by.pk for voice in voices)


def _approvals_by_payout(payouts: Sequence[Payout]) -> dict[int, list[Approval]]:
    found: dict[int, list[Approval]] = {}
    if payouts:
        for approval in Approval.objects.filter(payout__in=payouts, attempt=None).order_by("number"):
            found.setdefault(approval.payout_id, []).append(approval)
    return found


def _attempts_by_payout(payouts: Sequence[Payout]) -> dict[int, Attempt]:
    """The latest attempt of each; a payout that was never sent has none."""
    sent = [payout for payout in payouts if payout.version > 1]
    attempts = Attempt.objects.filter(payout__in=sent).order_by("number") if sent else ()
    return {attempt.payout_id: attempt for attempt in attempts}


def _disputed(attempts: Iterable[Attempt]) -> set[int]:
    """Attempts on which a person has spoken: whatever they say, the key must not be sent again."""
    unknown = [attempt.pk for attempt in attempts if attempt.outcome == Attempt.Outcome.OPEN]
    if not unknown:
        return set()
    return set(Approval.objects.filter(attempt__in=unknown).values_list("attempt_id", flat=True).distinct())


def _without_altered(payouts: list[Payout]) -> list[Payout]:
    """The payouts whose seal fits; the others are set aside."""
    altered = {payout.pk for payout in payouts if not _is_sealed(payout)}
    if altered:
        log.error("payouts_altered_outside", payouts=sorted(altered))
        _set_aside(altered)
    return [payout for payout in payouts if payout.pk not in altered]


def _set_aside(payout_ids: Collection[int]) -> None:
    """Keep these from the worker. Without an event and a new seal, which would hide from the audit what is wrong."""
    Payout.objects.filter(pk__in=payout_ids).update(due_at=None, lease_token=None, attention=Attention.ALTERED)


def _assignment(payout: Payout, attempt: Attempt, *, is_first_call: bool, may_post: bool) -> Assignment:
    assert payout.lease_token is not None
    return Assignment(
        payout_id=payout.pk,
        lease_token=payout.lease_token,
        attempt=attempt,
        instruction=Instruction(
            reference=attempt.reference,
            payout=payout.reference,
            amount=money.exact(payout.amount, payout.currency),
            currency=payout.currency,
            recipient=payout.recipient_details,
            request_id=payout.trace_id,
        ),
        is_first_call=is_first_call,
        may_post=may_post,
    )


# Within


WORKER = "system:worker"


@dataclass(slots=True)
class _Move:
    payout: Payout
    event: EventName
    to_status: Status
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def _move(moves: Sequence[_Move], *, at: datetime, actor: str, reason: str = "") -> None:
    """Move payouts, the only way there is: check the table, bump the version, write the event and the row, sealed.

    The rows are locked by the caller; the update holds for the version and status that were read, or for nothing.
    """
    if not moves:
        return
    was_status = [str(move.payout.status) for move in moves]
    events: list[Event] = []
    for move in moves:
        payout = move.payout
        from_status = payout.status if payout.version else None
        if from_status is not None and from_status != move.to_status and not allows(from_status, move.to_status):
            raise NotAllowedError(_not_from(payout), payout)
        payout.status = move.to_status.value
        payout.version += 1
        payout.updated_at = at
        if payout.status == Status.PENDING:
            payout.due_at = _due_at(payout, at)
        elif payout.status != from_status and payout.status not in (Status.PROCESSING, Status.UNKNOWN):
            payout.lease_token = None
            payout.lost_leases = 0  # of an attempt that has ended
            if payout.status != Status.PROCESSED:
                payout.news_at = None
            payout.due_at = at if payout.news_at and not payout.attention else None
        event = Event(
            payout=payout,
            seq=payout.version,
            event=move.event.value,
            from_status=from_status,
            to_status=payout.status,
            at=at,
            actor=actor,
            reason=move.reason or reason,
            trace_id=trace.current.get() or payout.trace_id,
            facts=move.facts,
        )
        event.mac = payout.event_head = event.expected_mac(bytes(payout.event_head), payout.reference)
        payout.seal = payout.expected_seal()
        events.append(event)
    payouts = [move.payout for move in moves]
    if payouts[0]._state.adding:
        rows.insert((Payout, payouts, PAYOUT_FIELDS), (Event, events, EVENT_FIELDS))
        for payout in payouts:
            payout._state.adding = False
    else:
        rows.update(Payout, payouts, MOVED_FIELDS, was_status=was_status)
        rows.insert((Event, events, EVENT_FIELDS))


PAYOUT_FIELDS = tuple(field.name for field in Payout._meta.concrete_fields)
EVENT_FIELDS = (
    "payout",
    "seq",
    "event",
    "from_status",
    "to_status",
    "at",
    "actor",
    "reason",
    "trace_id",
    "facts",
    "mac",
)
MOVED_FIELDS = (
    "status",
    "version",
    "approvals_given",
    "held_at",
    "held_by",
    "attention",
    "scheduled_for",
    "release_at",
    "failure_code",
    "failure_message",
    "updated_at",
    "processed_at",
    "withdrawn_at",
    "due_at",
    "lease_token",
    "lost_leases",
    "news_at",
    "event_head",
    "seal",
)


def _move_one(
    payout: Payout,
    event: EventName,
    to_status: Status,
    *,
    at: datetime,
    by: Actor,
    reason: str,
    facts: dict[str, Any] | None = None,
) -> None:
    _move([_Move(payout, event, to_status, facts or {})], at=at, actor=_name(by), reason=_reason(reason))


def _flag_one(
    payout: Payout, problem: Attention, *, at: datetime, by: Actor, reason: str, facts: dict[str, Any]
) -> None:
    flag = _flag(payout, problem)
    _move_one(payout, flag.event, flag.to_status, at=at, by=by, reason=reason, facts=flag.facts | facts)


def _require_evidence(text: str) -> None:
    """Raises InvalidError."""
    if not text.strip():
        raise InvalidError({"evidence": [_("Say what shows it: a statement's line, a provider's letter.")]})


def _reason(text: str) -> str:
    """Raises InvalidError."""
    text = text.strip()
    if len(text) > TEXT_LIMIT or not is_storable(text):
        raise InvalidError({"reason": [_("Give at most 1000 characters, all of them printable.")]})
    return text


@contextmanager
def _locked(
    payout_id: int, *, by: Actor | None = None, version: int | None = None
) -> Iterator[tuple[Payout, datetime]]:
    """The payout under its row lock, and the database's time, inside a transaction.

    An API client finds its own payouts only. Raises NotFoundError, VersionError, AlteredError.
    """
    with transaction.atomic():
        payouts = Payout.objects.select_for_update().annotate(db_now=_clock())
        if isinstance(by, ApiClient):
            payouts = payouts.in_api().filter(client=by)
        payout = payouts.filter(pk=payout_id).first()
        if payout is None:
            raise NotFoundError
        if version is not None and payout.version != version:
            raise VersionError
        if not _is_sealed(payout):
            raise AlteredError
        yield payout, _db_now(payout)


def _check_move(payout: Payout, to_status: Status) -> None:
    if not allows(payout.status, to_status):
        raise NotAllowedError(_not_from(payout), payout)


def _not_from(payout: Payout) -> str:
    return _("The payout’s status is “%(status)s”, which does not allow this.") % {
        "status": Status(payout.status).label
    }


def _asked_just_now(payout: Payout) -> NotAllowedError:
    return NotAllowedError(_("The provider is being asked about it just now. Try again in a minute."), payout)


def _unreadable(payout: Payout) -> NotAllowedError:
    return NotAllowedError(_("The recipient cannot be decrypted with the present keys."), payout)


def _all_approvals(standing: dict[int, Approval]) -> str:
    """Who was quicker."""
    names = ", ".join(voice.checker.get_username() for voice in standing.values())
    if not names:
        return _("The payout needs no approval.")
    return _("The payout has all the approvals that it needs: already approved by %(names)s.") % {"names": names}


def _refuse_maker(payout: Payout, by: Person) -> None:
    if payout.maker_id == by.pk:
        raise FourEyesError(_("You made this payout, so another person must decide on it."))
    # Whoever made a key has seen it, and could have submitted with it.
    if payout.client_id and ApiKey.history.filter(client_id=payout.client_id, history_user=by).exists():
        raise FourEyesError(
            _("You handled a key of the API client that made it, so another person must decide on it.")
        )


def _add_approval(
    payout: Payout,
    *,
    by: Person,
    decision: Approval.Decision,
    at: datetime,
    number: int = 1,
    attempt: Attempt | None = None,
    evidence: str = "",
) -> None:
    try:
        terms = payout.terms
    except vault.UnreadableError as error:
        raise _unreadable(payout) from error
    if terms != bytes(payout.terms_hash):
        raise AlteredError
    approval = Approval(
        payout=payout,
        attempt=attempt,
        checker=by,
        decision=decision.value,
        number=number,
        terms_hash=terms,
        evidence=_reason(evidence),
        at=at,
    )
    approval.mac = approval.expected_mac(payout.reference)
    approval.save(force_insert=True)


def _due_at(payout: Payout, at: datetime) -> datetime | None:
    """When the worker may take this pending payout; None while it waits for a person."""
    if not payout.is_approved or payout.held_at or payout.attention:
        return None
    return max(at, payout.not_before) if payout.not_before else at


def _is_sealed(payout: Payout) -> bool:
    return bytes(payout.seal) == payout.expected_seal()


def _name(by: Actor | None) -> str:
    match by:
        case ApiClient():
            return f"client:{by.name}"
        case None:
            return WORKER
        case _:
            return f"user:{by.get_username()}"


def _db_now(payout: Any) -> datetime:
    now: datetime = payout.db_now
    return now


def _clock() -> Func:
    return Func(function="clock_timestamp", output_field=DateTimeField())
