"""People say how a payout ended, on evidence: an unknown one, and one whose record the provider contradicts."""

from datetime import datetime

from django.utils.translation import gettext as _

from payouts import rules, vault
from payouts.actions.approvals import add_approval, is_valid_approval
from payouts.actions.errors import AlteredError, InvalidError, refuse_if
from payouts.actions.moves import Person, locked, move_one, ring_if_due
from payouts.models import (
    RESOLVED_BY_HAND,
    Approval,
    Attempt,
    Attention,
    EventName,
    Payout,
    contradicted_attempts,
)
from payouts.states import Status


def resolve(
    payout_id: int, *, by: Person, decision: Approval.Decision, evidence: str, version: int | None = None
) -> Payout:
    """Record how one person says that a payout ended; it ends so when a second person says the same.

    An unknown one becomes processed or failed. Of one that is contradicted a refused attempt is in question: it was
    paid, which makes the payout processed, or it was not, and only the flag goes. Raises NotAllowedError,
    FourEyesError, InvalidError without evidence.
    """
    require_evidence(evidence)
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_resolve(payout, rules.standing(payout, by, at=at)), payout)
        doubts = contradicted_attempts([payout]).get(payout.pk, [])
        attempt = _attempt_in_question(payout, doubts)
        if decision == Approval.Decision.NOT_PAID:
            refuse_if(rules.why_not_say_unpaid(payout, attempt), payout)
        said = list(attempt.resolutions.select_related("attempt"))
        if any(not is_valid_approval(resolution, payout) for resolution in said):
            raise AlteredError
        # A retired key proves what was, and decides nothing any more: two people must say it anew.
        said = [resolution for resolution in said if vault.is_by_known_key(resolution.mac)]
        said = rules.present_resolutions(payout, said, doubts)
        seconded = any(resolution.decision == decision for resolution in said)
        number = len(doubts) + 1
        add_approval(payout, by=by, decision=decision, at=at, number=number, attempt=attempt, evidence=evidence)
        facts = {"decision": decision.value, "attempt": str(attempt.reference), "round": number}
        event, to_status = EventName.RESOLUTION_PROPOSED, Status(payout.status)
        if seconded:
            # What is said of one attempt leaves a contradiction about another open.
            if payout.attention != Attention.CONTRADICTED or doubts[-1] == str(attempt.reference):
                payout.attention = Attention.NONE
            event, to_status = _resolved(payout, attempt, decision, at)
            attempt.save(update_fields=["outcome", "finished_at"])
        move_one(payout, event, to_status, at=at, by=by, reason=evidence, facts=facts)
        ring_if_due(payout)
    return payout


def _attempt_in_question(payout: Payout, doubts: list[str]) -> Attempt:
    attempts = payout.attempts.select_for_update()
    if payout.status == Status.UNKNOWN:
        return attempts.exclude(outcome=Attempt.Outcome.REFUSED).get()
    return attempts.get(reference=doubts[-1])


def _resolved(
    payout: Payout, attempt: Attempt, decision: Approval.Decision, at: datetime
) -> tuple[EventName, Status]:
    """What becomes of the payout when two people agree."""
    is_paid = decision == Approval.Decision.PAID
    if payout.status == Status.UNKNOWN:
        payout.lease_token = None
        attempt.finished_at = at
        if not is_paid:
            attempt.outcome = Attempt.Outcome.REFUSED
            payout.failure_code, payout.failure_message = RESOLVED_BY_HAND, ""
            return EventName.RESOLVED, Status.FAILED
    elif not is_paid or payout.status not in (Status.PENDING, Status.FAILED):
        payout.news_at = None  # they have looked at it
        if attempt.outcome == Attempt.Outcome.REFUSED:
            attempt.finished_at = at  # what the provider said before no longer counts against it
        return EventName.RELEASED, Status(payout.status)
    attempt.outcome, attempt.finished_at = Attempt.Outcome.SUCCEEDED, at
    payout.approvals_required = min(payout.approvals_required, payout.approvals_given)  # what a retry asked for
    payout.processed_at = at
    payout.failure_code = payout.failure_message = ""
    return EventName.RESOLVED, Status.PROCESSED


def record_return(payout_id: int, *, by: Person, evidence: str, version: int | None = None) -> Payout:
    """Say that the bank gave the money of a processed payout back.

    Raises NotAllowedError, FourEyesError, InvalidError without evidence.
    """
    require_evidence(evidence)
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_record_return(payout, rules.standing(payout, by, at=at)), payout)
        payout.attention = Attention.NONE
        move_one(payout, EventName.RETURNED, Status.RETURNED, at=at, by=by, reason=evidence)
    return payout


def require_evidence(text: str) -> None:
    """Raises InvalidError."""
    if not text.strip():
        raise InvalidError({"evidence": [_("Give the evidence: a statement's line, a provider's letter.")]})
