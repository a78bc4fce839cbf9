"""People approve a payout, take their approval back, or reject it."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from payouts import doorbell, money, vault
from payouts.actions.errors import AlteredError, FourEyesError, NotAllowedError
from payouts.actions.moves import Person, check_move, checked_reason, locked, move_one
from payouts.models import ApiKey, Approval, Attempt, Attention, EventName, Payout
from payouts.states import Status

# Of one person on one payout: four approvals, and each can be taken back.
VOICES_LIMIT = 8


def approve(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Give one approval to what the payout says now; the last one that is needed lets it go, after the release delay.

    Raises NotAllowedError, FourEyesError for the maker and for a second voice, VersionError.
    """
    with locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("Only a pending payout can be approved."), payout)
        voices = list(payout.approvals.filter(attempt=None).select_related("checker").order_by("number"))
        standing = standing_approvals(voices)
        if payout.is_approved:
            raise NotAllowedError(_all_approvals(standing), payout)
        refuse_maker(payout, by)
        if by.pk in standing:
            raise FourEyesError(_("You have approved this payout already."))
        number = _voice_number(voices, by)
        if number > VOICES_LIMIT:
            raise FourEyesError(_("You have changed your mind too often. Another person must decide."))
        add_approval(payout, by=by, decision=Approval.Decision.APPROVE, at=at, number=number)
        payout.approvals_given += 1
        is_last = payout.approvals_given >= payout.approvals_required
        if is_last and settings.RELEASE_DELAY_SECONDS:
            payout.release_at = at + timedelta(seconds=settings.RELEASE_DELAY_SECONDS)
        move_one(payout, EventName.APPROVED, Status.PENDING, at=at, by=by, reason=reason)
        if payout.due_at:
            doorbell.ring()
    return payout


def take_back(payout_id: int, *, by: Person, reason: str = "", version: int | None = None) -> Payout:
    """Withdraw one's own approval, while the worker has not taken the payout: it waits for approval again.

    Raises NotAllowedError, FourEyesError for who has not approved it.
    """
    with locked(payout_id, version=version) as (payout, at):
        if payout.status != Status.PENDING:
            raise NotAllowedError(_("An approval can be taken back while the payout is pending."), payout)
        voices = list(payout.approvals.filter(attempt=None).order_by("number"))
        if by.pk not in standing_approvals(voices):
            raise FourEyesError(_("You have not approved this payout."))
        decision = Approval.Decision.WITHDRAW
        add_approval(payout, by=by, decision=decision, at=at, number=_voice_number(voices, by))
        payout.approvals_given -= 1
        payout.release_at = None
        move_one(payout, EventName.APPROVAL_WITHDRAWN, Status.PENDING, at=at, by=by, reason=reason)
    return payout


def reject(payout_id: int, *, by: Person, reason: str, version: int | None = None) -> Payout:
    """Refuse a pending payout for good."""
    with locked(payout_id, version=version) as (payout, at):
        check_move(payout, Status.REJECTED)
        refuse_maker(payout, by)
        move_one(payout, EventName.REJECTED, Status.REJECTED, at=at, by=by, reason=reason)
    return payout


def payment_problem(payout: Payout, approvals: dict[int, list[Approval]]) -> Attention | None:
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
    valid = [approval for approval in approvals.get(payout.pk, ()) if is_valid_approval(approval, payout)]
    if len(standing_approvals(valid)) < payout.approvals_required:
        return Attention.APPROVALS_MISSING
    return None


def is_valid_approval(approval: Approval, payout: Payout) -> bool:
    """Made here, for the present terms, by somebody other than the maker."""
    return (
        bytes(approval.mac) == approval.expected_mac(payout.reference)
        and bytes(approval.terms_hash) == bytes(payout.terms_hash)
        and approval.checker_id != payout.maker_id
    )


def standing_approvals(voices: Iterable[Approval]) -> dict[int, Approval]:
    """The approvals that were not taken back, by checker; `voices` come in the order of their numbers."""
    last = {voice.checker_id: voice for voice in voices}
    return {checker: voice for checker, voice in last.items() if voice.decision == Approval.Decision.APPROVE}


def _voice_number(voices: Iterable[Approval], by: Person) -> int:
    return 1 + sum(voice.checker_id == by.pk for voice in voices)


def approvals_by_payout(payouts: Sequence[Payout]) -> dict[int, list[Approval]]:
    found: dict[int, list[Approval]] = {}
    if payouts:
        for approval in Approval.objects.filter(payout__in=payouts, attempt=None).order_by("number"):
            found.setdefault(approval.payout_id, []).append(approval)
    return found


def unreadable(payout: Payout) -> NotAllowedError:
    return NotAllowedError(_("The recipient cannot be decrypted with the present keys."), payout)


def _all_approvals(standing: dict[int, Approval]) -> str:
    """Who was quicker."""
    names = ", ".join(voice.checker.get_username() for voice in standing.values())
    if not names:
        return _("The payout needs no approval.")
    return _("The payout has all the approvals that it needs: already approved by %(names)s.") % {"names": names}


def refuse_maker(payout: Payout, by: Person) -> None:
    if payout.maker_id == by.pk:
        raise FourEyesError(_("You made this payout, so another person must decide on it."))
    # Whoever made a key has seen it, and could have submitted with it.
    if payout.client_id and ApiKey.history.filter(client_id=payout.client_id, history_user=by).exists():
        raise FourEyesError(
            _("You handled a key of the API client that made it, so another person must decide on it.")
        )


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
