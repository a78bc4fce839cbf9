"""Whether there are still people enough to approve a payout."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.models import Payout
from payouts.rules import close_people, decided_people
from payouts.states import Status

BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, slots=True)
class Missing:
    """More approvals are needed than there are people left to give them."""

    needed: int
    available: int

    def __str__(self) -> str:
        needed = ngettext("%(count)s more approval is needed", "%(count)s more approvals are needed", self.needed) % {
            "count": self.needed
        }
        if not self.available:
            return _("Blocked: %(needed)s, and nobody can approve.") % {"needed": needed}
        people = ngettext(
            "only %(count)s person can approve", "only %(count)s people can approve", self.available
        ) % {"count": self.available}
        return _("Blocked: %(needed)s, and %(people)s.") % {"needed": needed, "people": people}


def missing_approvers(payout: Payout) -> Missing | None:
    """None while there are people enough, or nothing to approve."""
    return blocked([payout]).get(payout.pk)


def blocked(payouts: Collection[Payout]) -> dict[int, Missing]:
    """By id, those of the payouts for which there are not people enough to approve them."""
    waiting = [payout for payout in payouts if payout.status == Status.PENDING and not payout.is_approved]
    if not waiting:
        return {}
    approvers = approver_ids()
    barred = close_people(waiting) | decided_people(waiting)
    barred |= {(payout.pk, payout.sent_again_by_id) for payout in waiting if payout.sent_again_by_id}
    found = {}
    for payout in waiting:
        needed = payout.approvals_required - payout.approvals_given
        available = sum((payout.pk, person) not in barred for person in approvers)
        if available < needed:
            found[payout.pk] = Missing(needed, available)
    return found


def approver_ids() -> set[int]:
    """Active staff who may see and approve payouts, superusers among them."""
    seeing = User.objects.with_perm("payouts.view_payout", backend=BACKEND)
    approving = User.objects.with_perm("payouts.approve_payout", backend=BACKEND).filter(is_staff=True)
    return set(approving.filter(pk__in=seeing.values("pk")).values_list("pk", flat=True))
