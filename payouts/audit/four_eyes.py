"""One payout: enough other people approved its terms before money could leave."""

from collections.abc import Iterator
from datetime import datetime

from payouts import rules
from payouts.audit.findings import Finding, fact
from payouts.models import Approval, Attention, Event, EventName, Payout
from payouts.states import Status


def enough_people(
    payout: Payout,
    events: list[Event],
    approvals: list[Approval],
    close_since: dict[tuple[int, int], datetime],
) -> Iterator[Finding]:
    """Enough other people approved these terms before money could leave."""
    decisions = (approval for approval in approvals if approval.attempt_id is None)
    given = rules.standing_approvals(sorted(decisions, key=lambda decision: decision.number))
    for approval in approvals:
        if bytes(approval.mac) != approval.expected_mac(payout.reference, like=approval.mac):
            yield "approval_sealed", f"approval {approval.pk} was not made by payouts.actions"
        if bytes(approval.terms_hash) != bytes(payout.terms_hash):
            yield "approval_bound_to_terms", f"approval {approval.pk} was given for other terms"
        if rules.was_close(payout, approval, close_since):
            yield "maker_is_not_checker", f"approval {approval.pk} is by somebody who made the payout, or could have"
    if len(given) != payout.approvals_given:
        yield "approvals_counted", f"{payout.approvals_given} approvals are counted, {len(given)} are there"
    if payout.sent_again_by_id:
        asked_at = max(
            (event.at for event in events if isinstance(event.facts, dict) and "newer" in event.facts),
            default=payout.created_at,
        )
        for approval in given.values():
            if approval.checker_id == payout.sent_again_by_id and approval.at > asked_at:
                yield "sender_is_not_checker", f"approval {approval.pk} is by the person who sent it again"
    contradicted = ""  # the attempt in question
    for event in events:
        if event.event == EventName.CONFIRMED and _is_by_one(event):
            yield "confirmed_by_two", f"event {event.seq} confirms it, by one person"
        if event.event == EventName.FLAGGED and fact(event, "attention") == Attention.CONTRADICTED:
            contradicted = fact(event, "attempt") or "not told"
        if event.event == EventName.RESOLVED or (event.event == EventName.RELEASED and contradicted):
            contradicted = "" if fact(event, "attempt") == contradicted else contradicted
            people = {
                approval.checker_id
                for approval in approvals
                if approval.decision == fact(event, "decision")
                and approval.attempt is not None
                and str(approval.attempt.reference) == fact(event, "attempt")
                and approval.number == _round(event)
            }
            if len(people) < 2:
                yield "resolved_by_two", f"event {event.seq} resolves it, by {len(people)} people"
    if payout.status in (Status.PROCESSING, Status.PROCESSED, Status.UNKNOWN, Status.RETURNED) and (
        payout.approvals_given < payout.approvals_required
    ):
        yield "approved_before_sent", f"{payout.approvals_given} of {payout.approvals_required} approvals"


def _is_by_one(event: Event) -> bool:
    """Whether the same person was the first to say it. Events from before they held the person tell by the name."""
    if event.person_id and (first := fact(event, "first_person")):
        return first == str(event.person_id)
    return fact(event, "first") in (None, event.actor)


def _round(event: Event) -> object:
    """Which time people were asked how the payout ended."""
    return event.facts.get("round", 1) if isinstance(event.facts, dict) else None
