"""Who can still approve a payout, and whether there are enough of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts.models import Approval, Payout
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


def blocked(payouts: Collection[Payout], *, voices: Iterable[tuple[int, int]] | None = None) -> dict[int, Missing]:
    """By id, those of the payouts that cannot get the approvals they need: one query for the people, one for voices.

    `voices` are the approvals so far, as pairs of payout and checker, where the caller has them.
    """
    waiting = [payout for payout in payouts if payout.status == Status.PENDING and not payout.is_approved]
    if not waiting:
        return {}
    spoken: dict[int, set[int]] = {}
    for payout_id, checker_id in standing(waiting) if voices is None else voices:
        spoken.setdefault(payout_id, set()).add(checker_id)
    people = approver_ids()
    found = {}
    for payout in waiting:
        needed = payout.approvals_required - payout.approvals_given
        available = len(people - spoken.get(payout.pk, set()) - {payout.maker_id})
        if available < needed:
            found[payout.pk] = Missing(needed, available)
    return found


def standing(payouts: Collection[Payout]) -> set[tuple[int, int]]:
    """The approvals that were not taken back, as pairs of payout and checker: a person's odd voices approve."""
    voices = Approval.objects.filter(payout__in=payouts, attempt=None)
    last = voices.values_list("payout_id", "checker_id").annotate(last=Max("number")).order_by()
    return {(payout_id, checker_id) for payout_id, checker_id, number in last if number % 2}


def has_approved(user: User) -> Exact:
    """For a filter of payouts: this person's approval of them stands, which is what their last voice says.

    Looked up for each payout: as EXISTS the database would rather read all that the person ever approved.
    """
    voices = Approval.objects.filter(payout=OuterRef("pk"), checker=user, attempt=None).order_by("-number")
    last = Coalesce(Subquery(voices.values("decision")[:1]), Value(""))
    return Exact(last, Value(Approval.Decision.APPROVE.value))


def approver_ids() -> set[int]:
    """Active staff who may see and approve payouts, superusers among them."""
    seeing = User.objects.with_perm("payouts.view_payout", backend=BACKEND)
    approving = User.objects.with_perm("payouts.approve_payout", backend=BACKEND).filter(is_staff=True)
    return set(approving.filter(pk__in=seeing.values("pk")).values_list("pk", flat=True))
