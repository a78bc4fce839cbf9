"""Who may propose, confirm, decline, withdraw and take, and why not. Pages show the sentence, actions raise it."""

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from payouts.configuration.subjects import Subject, subject
from payouts.models import Proposal

Decision = Proposal.Decision
BACKEND = "django.contrib.auth.backends.ModelBackend"


def why_not_propose(kind: Subject, act: str, by: User) -> str:
    return why_not_allowed(kind, act, by)


def why_not_confirm(proposal: Proposal, by: User) -> str:
    """Whether this person is the second one; what the object is now is looked at when it is confirmed."""
    if obstacle := why_not_open(proposal):
        return obstacle
    kind = subject(proposal.subject)
    if by.pk == proposal.proposed_by_id:
        return _("You proposed it, so another person must confirm it.")
    if by.pk in kind.people(proposal):
        return _("It is about you, so another person must confirm it.")
    return why_not_allowed(kind, proposal.act, by)


def confirmers(proposal: Proposal) -> list[User]:
    """The staff who may confirm it, by name."""
    kind = subject(proposal.subject)
    found = User.objects.filter(is_active=True, is_staff=True)
    for permission in kind.permissions(proposal.act):
        found = found.filter(pk__in=User.objects.with_perm(permission, backend=BACKEND).values("pk"))
    return [person for person in found.order_by("username") if not why_not_confirm(proposal, person)]


def why_not_decline(proposal: Proposal, by: User) -> str:
    if obstacle := why_not_open(proposal):
        return obstacle
    if by.pk == proposal.proposed_by_id:
        return _("You proposed it: withdraw it instead.")
    return why_not_allowed(subject(proposal.subject), proposal.act, by)


def why_not_withdraw(proposal: Proposal, by: User) -> str:
    if proposal.is_to_be_taken:
        return _("It is confirmed already. What nobody takes expires.")
    if obstacle := why_not_open(proposal):
        return obstacle
    return "" if by.pk == proposal.proposed_by_id else _("Only the person who proposed it can withdraw it.")


def why_not_take(proposal: Proposal, by: User) -> str:
    """Why this person cannot take the key or the password link that was confirmed."""
    kind = subject(proposal.subject)
    is_key = kind.taken == "key"
    if not kind.taken or proposal.decision != Decision.CONFIRMED:
        return _("There is no key to take.")
    if proposal.applied_at is not None:
        if is_key:
            return _("The key was taken already. It is shown only once.")
        return _("The link was taken already. It is shown only once.")
    if not proposal.is_to_be_taken:
        if is_key:
            return _("The key was not taken in time: propose it anew.")
        return _("The link was not taken in time: propose it anew.")
    if by.pk != proposal.proposed_by_id:
        if is_key:
            return _("Only the person who proposed the key can take it.")
        return _("Only the person who proposed the link can take it.")
    return why_not_allowed(kind, proposal.act, by)


def why_not_allowed(kind: Subject, act: str, by: User) -> str:
    """Whether a role of this person's allows it at all."""
    if not by.is_active:
        return _("This account is closed.")
    if act not in kind.acts or not by.has_perms(kind.permissions(act)):
        return _("You do not have the permission for this change.")
    return ""


def why_not_open(proposal: Proposal) -> str:
    if proposal.decision:
        return _("This proposal was decided already.")
    return "" if proposal.is_open else _("This proposal has expired: propose it anew.")
