"""People say how a payout ended, on evidence."""

from django.utils.translation import gettext as _

from payouts import rules, vault
from payouts.actions.approvals import add_approval, is_valid_approval
from payouts.actions.errors import AlteredError, InvalidError, refuse_if
from payouts.actions.moves import Person, locked, move_one, ring_if_due
from payouts.models import RESOLVED_BY_HAND, Approval, Attempt, Attention, EventName, Payout
from payouts.states import Status


def resolve(
    payout_id: int, *, by: Person, decision: Approval.Decision, evidence: str, version: int | None = None
) -> Payout:
    """Record how one person says that an unknown payout ended; it ends so when a second person says the same.

    Raises NotAllowedError, FourEyesError, InvalidError without evidence.
    """
    require_evidence(evidence)
    with locked(payout_id, version=version) as (payout, at):
        refuse_if(rules.why_not_resolve(payout, rules.standing(payout, by, at=at)), payout)
        if decision == Approval.Decision.NOT_PAID:
            refuse_if(rules.why_not_say_unpaid(payout), payout)
        attempt = payout.attempts.select_for_update().exclude(outcome=Attempt.Outcome.REFUSED).get()
        earlier = list(attempt.resolutions.all())
        if any(not is_valid_approval(resolution, payout) for resolution in earlier):
            raise AlteredError
        # A retired key proves what was, and decides nothing any more: two people must say it anew.
        standing = [resolution for resolution in earlier if vault.is_by_known_key(resolution.mac)]
        seconded = any(resolution.decision == decision for resolution in standing)
        add_approval(payout, by=by, decision=decision, at=at, attempt=attempt, evidence=evidence)
        facts = {"decision": decision.value, "attempt": str(attempt.reference)}
        if not seconded:
            move_one(
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
            payout.failure_code = RESOLVED_BY_HAND
            payout.failure_message = ""
            to_status = Status.FAILED
        attempt.save(update_fields=["outcome", "finished_at"])
        move_one(payout, EventName.RESOLVED, to_status, at=at, by=by, reason=evidence, facts=facts)
        ring_if_due(payout)
    return payout


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
