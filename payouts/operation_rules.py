"""Who may resume a provider, end recovery mode, close unknown payments and days that do not agree, and why not."""

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from payouts.models import ProviderPause, ReconciledDay, Recovery, UnknownPayment
from payouts.rules import Personal, why_inactive


def why_not_resume(pause: ProviderPause, person: User) -> str:
    if pause.resumed_by:
        return _("It was resumed already by %(who)s.") % {"who": pause.resumed_by.get_username()}
    if pause.paused_by_id == person.pk:
        return Personal(_("You paused it, so another person must resume it."))
    return why_inactive(person)


def why_not_propose_end(recovery: Recovery, person: User) -> str:
    return _why_over(recovery) or why_inactive(person)


def why_not_end(recovery: Recovery, person: User) -> str:
    """It takes a proposal by somebody else."""
    if obstacle := _why_over(recovery):
        return obstacle
    if recovery.proposed_by_id is None:
        return _("Nobody has proposed to end it yet. Propose it with what you have compared.")
    if recovery.proposed_by_id == person.pk:
        return Personal(_("You proposed to end it, so another person must confirm."))
    return why_inactive(person)


def why_not_close(payment: UnknownPayment, person: User) -> str:
    if payment.closed_at:
        return _("It is closed already.")
    return why_inactive(person)


def why_not_close_day(day: ReconciledDay, person: User) -> str:
    if day.closed_at:
        return _("It is closed already.")
    if day.agreed_at:
        return _("It agrees: there is nothing to close.")
    return why_inactive(person)


def _why_over(recovery: Recovery) -> str:
    if recovery.ended_by is None:
        return ""
    return _("It was ended already by %(who)s.") % {"who": recovery.ended_by.get_username()}
