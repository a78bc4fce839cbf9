"""Leases that end before their time: what was claimed and not called for, and what a killed group held."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from payouts import doorbell
from payouts.actions.assignments import Assignment
from payouts.actions.moves import clock, db_now
from payouts.database import rows
from payouts.models import Payout


def give_back(assignments: Sequence[Assignment]) -> None:
    """Return claimed payouts that were not called for; they are due at once, and looked up first."""
    by_token = {(assignment.payout_id, assignment.lease_token) for assignment in assignments}
    if not by_token:
        return
    with transaction.atomic():
        payouts = list(
            Payout.objects.filter(pk__in=[payout_id for payout_id, _token in by_token])
            .annotate(db_now=clock())
            .select_for_update(no_key=True)
            .order_by("pk")
        )
        payouts = [payout for payout in payouts if (payout.pk, payout.lease_token) in by_token]
        for payout in payouts:
            payout.lease_token, payout.due_at = None, db_now(payout)
        rows.update(Payout, payouts, ("lease_token", "due_at"))


def end_leases(holder: str) -> int:
    """End at once the leases of a group of workers that was killed; returns how many.

    Whoever claims these payouts next looks them up first, and counts a lost lease, as when a lease has run out.
    """
    with transaction.atomic():
        held = Payout.objects.filter(lease_holder=holder, lease_token__isnull=False, due_at__gt=Now())
        ids = list(held.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        Payout.objects.filter(pk__in=ids).update(due_at=Now())
        if ids:
            doorbell.ring()
    return len(ids)
