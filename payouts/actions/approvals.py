"""People approve a payout, withdraw their approval, or reject it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from payouts import money, rules, vault
from payouts.actions.errors import AlteredError, NotAllowedError, refuse_if
from payouts.actions.moves import Person, checked_reason, locked, move_one, ring_if_due
from payouts.models import Approval, Attempt, Attention, EventName, Payout, by_payout
from payouts.rules import Standing
from payouts.states import Status


def approve(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Record one approval of the payout's present terms. The last one lets it be paid after the release delay.

    Raises NotAllowedError, FourEyesError, VersionError.
    """
    with locked(payout_id, version=version) as (payout, at):
        _approve(payout, rules.standing(payout, by, at=at), by=by, reason=reason)
    return payout


def approve_as_batch(payout_id: int, *, by: Person, reason: str) -> Payout:
    """Record the approval that a person gave to a whole batch. It counts even if their account was closed since."""
    with locked(payout_id) as (payout, at):
        who = replace(rules.standing(payout, by, at=at), is_active=True)
        _approve(payout, who, by=by, reason=reason)
    return payout


def _approve(payout: Payout, who: Standing, *, by: Person, reason: str) -> None:
    refuse_if(rules.why_not_approve(payout, who), payout)
    decision = Approval.Decision.APPROVE
    add_approval(payout, by=by, decision=decision, at=who.at, number=who.decisions + 1)
    payout.approvals_given += 1
    if payout.is_approved and settings.RELEASE_DELAY_SECONDS:
        payout.release_at = who.at + timedelta(seconds=settings.RELEASE_DELAY_SECONDS)
    move_one(payout, EventName.APPROVED, Status.PENDING, at=who.at, by=by, reason=reason)
    ring_if_due(payout)


def withdraw_approval(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Withdraw one's own approval, before the worker takes the payout: it waits for approval again.

    Raises NotAllowedError, FourEyesError, VersionError.
    """
    with locked(payout_id, version=version) as (payout, at):
        who = rules.standing(payout, by, at=at)
        refuse_if(rules.why_not_withdraw_approval(payout, who), payout)
        decision = Approval.Decision.WITHDRAW
        add_approval(payout, by=by, decision=decision, at=at, number=who.decisions + 1)
        payout.approvals_given -= 1
        payout.release_at = None
        move_one(payout, EventName.APPROVAL_WITHDRAWN, Status.PENDING, at=at, by=by, reason=reason)
    return payout


def reject(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Close a pending payout as rejected. Raises NotAllowedError, FourEyesError, VersionError."""
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_reject(payout, rules.standing(payout, by, at=at)), payout)
        move_one(payout, EventName.REJECTED, Status.REJECTED, at=at, by=by, reason=reason)
    return payout


def payment_problem(payout: Payout, approvals: dict[int, list[Approval]]) -> Attention | None:
    """Why this payout must not be paid as it stands, if anything."""
    try:
        terms = payout.terms
    except vault.ErasedError:
        return Attention.ERASED
    except vault.UnreadableError:
        return Attention.UNREADABLE
    if terms != bytes(payout.terms_hash):
        return Attention.TERMS_CHANGED
    try:
        money.exact(payout.amount, payout.currency)
    except money.AmountError:
        return Attention.UNPAYABLE
    valid = [approval for approval in approvals.get(payout.pk, ()) if is_valid_approval(approval, payout)]
    if len(rules.standing_approvals(valid)) < payout.approvals_required:
        return Attention.APPROVALS_MISSING
    return None


def is_valid_approval(approval: Approval, payout: Payout) -> bool:
    """Whether this product made the approval, for the present terms, by somebody other than the maker."""
    return (
        bytes(approval.mac) == approval.expected_mac(payout.reference, like=approval.mac)
        and bytes(approval.terms_hash) == bytes(payout.terms_hash)
        and not rules.is_makers_own(approval, payout)
    )


def approvals_by_payout(payouts: Sequence[Payout]) -> dict[int, list[Approval]]:
    return by_payout(Approval.objects.filter(payout__in=payouts, attempt=None).order_by("number"))


def unreadable(payout: Payout) -> NotAllowedError:
    if payout.erasure:
        return NotAllowedError(rules.why_erased(payout.erasure), payout)
    return NotAllowedError(_("The recipient cannot be decrypted with the present keys."), payout)


def add_approval(
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
    except vault.ErasedError:
        # Nobody can be paid by it, but people can say how it ended: the row's seal holds the terms.
        terms = bytes(payout.terms_hash)
    except vault.UnreadableError as error:
        raise unreadable(payout) from error
    if terms != bytes(payout.terms_hash):
        raise AlteredError
    approval = Approval(
        payout=payout,
        attempt=attempt,
        checker=by,
        decision=decision.value,
        number=number,
        terms_hash=terms,
        evidence=checked_reason(evidence),
        at=at,
    )
    approval.mac = approval.expected_mac(payout.reference)
    approval.save(force_insert=True)
