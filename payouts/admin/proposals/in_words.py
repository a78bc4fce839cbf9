"""How a proposal reads to people: what it is about, where it stands, what changes."""

from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from payouts import configuration
from payouts.admin.kit import format
from payouts.models import Proposal

Act, Decision = Proposal.Act, Proposal.Decision


def about(proposal: Proposal) -> str:
    """“Approval band: RUB from 100,000”."""
    kind = configuration.subjects().get(proposal.subject)
    return f"{capfirst(str(kind.label))}: {proposal.title}" if kind else proposal.title


def act(proposal: Proposal) -> str:
    return {Act.ADD: _("Add"), Act.CHANGE: _("Change"), Act.DELETE: _("Delete")}[Act(proposal.act)]


def state_badge(proposal: Proposal) -> SafeString:
    text, tone, icon = _state(proposal)
    return format.badge(text, tone=tone, icon=icon)


def _state(proposal: Proposal) -> tuple[str, str, str]:
    if not proposal.is_sealed:
        return _("Changed outside the product"), "red", "gpp_maybe"
    if proposal.is_to_be_taken:
        return _("Confirmed, not taken yet"), "blue", "key"
    match proposal.decision:
        case Decision.CONFIRMED if proposal.applied_at is None:
            return _("Confirmed, never taken"), "gray", "timer_off"
        case Decision.CONFIRMED:
            return _("Confirmed"), "green", "check_circle"
        case Decision.DECLINED:
            return _("Declined"), "gray", "block"
        case Decision.WITHDRAWN:
            return _("Withdrawn"), "gray", "undo"
    if proposal.is_open:
        return _("Waits for confirmation"), "amber", "how_to_reg"
    return _("Expired"), "gray", "timer_off"


def is_about_a_link(proposal: Proposal) -> bool:
    """Whether its proposer takes a link to a password, and no key."""
    kind = configuration.subjects().get(proposal.subject)
    return kind is not None and kind.taken == "link"


def lines(proposal: Proposal) -> list[dict[str, str]]:
    """What changes, before and after, in words."""
    kind = configuration.subjects().get(proposal.subject)
    found = kind.lines(proposal.before, proposal.after) if kind else []
    return [{"label": line.label, "before": line.before, "after": line.after} for line in found]


def second_person(proposal: Proposal) -> str:
    """Who decided, or what stood for them."""
    if proposal.on_server:
        return _("on the server, by %(name)s") % {"name": proposal.on_server}
    return proposal.decided_by.get_username() if proposal.decided_by else ""


def expiry(proposal: Proposal) -> str:
    """How long it can still be decided, or when it was."""
    if proposal.is_open:
        return _("in %(time)s") % {"time": format.duration(proposal.expires_at - timezone.now())}
    return format.exact_time(proposal.decided_at or proposal.expires_at)


def facts(proposal: Proposal) -> list[tuple[str, Any]]:
    decided = {
        Decision.CONFIRMED: _("Confirmed"),
        Decision.DECLINED: _("Declined"),
        Decision.WITHDRAWN: _("Withdrawn"),
    }.get(Decision(proposal.decision) if proposal.decision else None, "")  # type: ignore[arg-type]
    found = [
        (_("ID"), str(proposal.pk)),
        (_("Proposed"), f"{format.exact_time(proposal.proposed_at)} · {proposal.proposed_by.get_username()}"),
        (_("Expires"), format.exact_time(proposal.expires_at)),
        (decided, f"{format.exact_time(proposal.decided_at)} · {second_person(proposal)}" if decided else ""),
        (_("Reason for the decision"), proposal.decision_reason),
        (_("In force since"), format.exact_time(proposal.applied_at)),
    ]
    return [(label, text) for label, text in found if text]
