"""Two people let a payout go on that was flagged as altered and is not.

A process with wrong keys, or SQL that was undone, leaves the flag. Whether the row is what the product wrote is for
its seal to say, never for people: where that does not fit, the row is put back first. They say that they have looked
into why it was flagged.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from payouts import rules
from payouts.actions import archive
from payouts.actions.errors import NotAllowedError, NotFoundError, VersionError, refuse_if
from payouts.actions.moves import Person, checked_reason, clock, db_now, move_one, ring_if_due
from payouts.actions.resolutions import require_evidence
from payouts.audit import broken_of
from payouts.models import Attention, Confirmation, EventName, Payout
from payouts.states import Status


def confirm_unchanged(payout_id: int, *, by: Person, evidence: str, version: int | None = None) -> Payout:
    """Say that a payout flagged as altered is unchanged; with a second person's word it is sealed anew and goes on.

    What was sent is looked up first. Raises NotAllowedError, FourEyesError, VersionError, InvalidError.
    """
    require_evidence(evidence)
    with transaction.atomic():
        payout = Payout.objects.select_for_update(no_key=True).annotate(db_now=clock()).filter(pk=payout_id).first()
        if payout is None:
            raise NotFoundError
        if version is not None and payout.version != version:
            raise VersionError
        archive.bring_back([payout])
        at = db_now(payout)
        refuse_if(rules.why_not_confirm_unchanged(payout, rules.standing(payout, by, at=at)), payout)
        if any(broken.invariant != "row_sealed" for broken in broken_of([payout])):
            raise NotAllowedError(
                _("The audit finds more wrong with it. Run the audit, and have that put right."), payout
            )
        first = payout.confirmations.filter(version=payout.version).select_related("said_by").first()
        if first is None or not first.is_sealed:  # a voice that SQL gave, or an old key, does not count
            given = Confirmation(
                pk=first.pk if first else None, payout=payout, version=payout.version, said_by=by, said_at=at
            )
            given.evidence = checked_reason(evidence)
            given.mac = given.expected_mac()
            given.save()
            return payout
        first.agreed_by = by
        first.save(update_fields=["agreed_by"])
        payout.attention = Attention.NONE
        # A failed one may have been in doubt: the flag has hidden whether it was being looked up.
        if payout.status in (Status.PROCESSING, Status.UNKNOWN, Status.FAILED) or payout.news_at:
            payout.due_at = at
        facts = {
            "first": f"user:{first.said_by.get_username()}",
            "first_person": first.said_by_id,
            "evidence": first.evidence,
        }
        to_status = Status(payout.status)
        move_one(payout, EventName.CONFIRMED, to_status, at=at, by=by, reason=evidence, facts=facts)
        ring_if_due(payout)
    return payout
