"""What waits for this person: changes to confirm and keys to take, for the menu and the start page."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import ngettext

from payouts import configuration
from payouts.admin.kit import format
from payouts.admin.kit.counted_once import cached
from payouts.models import Proposal

# More than that are hardly open at once: they expire after three days.
LOOKED_AT = 100


def may_decide(user: User | AnonymousUser) -> bool:
    """Whether a role of the person's lets them propose or confirm anything at all."""
    return any(
        user.has_perms(kind.permissions(act)) for kind in configuration.subjects().values() for act in kind.acts
    )


def badge(request: HttpRequest) -> str:
    """How many changes this person may confirm, for the navigation; empty for none."""
    count = to_confirm(request.user)
    return format.number(count) if count else ""


def to_confirm(user: User | AnonymousUser) -> int:
    """How many open proposals this person may confirm, counted once in some seconds."""
    if not isinstance(user, User) or not user.has_perm("payouts.view_proposal") or not may_decide(user):
        return 0
    return cached(f"proposals:{user.pk}", int, lambda: _count(user))


def lead(user: User | AnonymousUser) -> list[dict[str, Any]]:
    """For the start page: a sentence for what waits for this person, and where."""
    said = []
    listed = reverse("admin:payouts_proposal_changelist")
    if count := to_confirm(user):
        text = ngettext(
            "%(count)s change of the configuration waits for your confirmation.",
            "%(count)s changes of the configuration wait for your confirmation.",
            count,
        )
        said.append({"icon": "how_to_reg", "said": text % {"count": format.number(count)}, "url": listed})
    if isinstance(user, User) and (count := Proposal.objects.to_take().filter(proposed_by=user).count()):
        text = ngettext(
            "%(count)s key or link that you proposed is confirmed: take it before it expires.",
            "%(count)s keys or links that you proposed are confirmed: take them before they expire.",
            count,
        )
        said.append({"icon": "key", "said": text % {"count": format.number(count)}, "url": listed})
    return said


def _count(user: User) -> int:
    found = configuration.open_proposals()[:LOOKED_AT]
    return sum(not configuration.why_not_confirm(proposal, user) for proposal in found)
