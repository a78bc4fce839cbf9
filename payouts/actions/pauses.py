"""Pause a provider: none of its payouts is paid or looked up until it is resumed; what is under way ends.

To pause is the safe direction: one person does it at once, with a reason. To resume takes another person.
"""

import structlog
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import doorbell, operation_rules
from payouts.actions.errors import PayoutError, reason_fault
from payouts.models import Payout, ProviderPause

log = structlog.get_logger(__name__)


class PauseError(PayoutError):
    """Why a provider is not paused, or not resumed."""


def paused_providers() -> list[str]:
    """The providers that people have paused."""
    return list(ProviderPause.objects.filter(resumed_at=None).values_list("provider", flat=True))


def pause(provider: str, *, by: User, reason: str) -> ProviderPause:
    """From the next claim on, none of this provider's payouts is claimed.

    Raises PauseError when it is paused already, or without a reason.
    """
    reason = _checked(reason)
    try:
        with transaction.atomic():
            made = ProviderPause.objects.create(provider=provider, paused_by=by, pause_reason=reason)
    except IntegrityError as error:
        if "provider_pause_one_open" not in str(error):
            raise
        raise _paused_already(provider) from error
    made.refresh_from_db()
    log.warning("provider_paused", provider=provider, by=by.get_username())
    return made


def resume(pause_id: int, *, by: User, reason: str) -> ProviderPause:
    """Let the provider be called again, and ring for what has become due meanwhile.

    It ends the pause that the person saw, not one that came after it. Raises PauseError for whoever paused it, when
    it was resumed already, or without a reason.
    """
    reason = _checked(reason)
    with transaction.atomic():
        open_pause = ProviderPause.objects.select_for_update(of=("self",)).filter(pk=pause_id).first()
        if open_pause is None:
            raise PauseError(_("There is no such pause."))
        if obstacle := operation_rules.why_not_resume(open_pause, by):
            raise PauseError(obstacle)
        open_pause.resumed_at = Now()
        open_pause.resumed_by = by
        open_pause.resume_reason = reason
        open_pause.save(update_fields=["resumed_at", "resumed_by", "resume_reason"])
        if Payout.objects.due().filter(provider=open_pause.provider).exists():
            doorbell.ring()
    open_pause.refresh_from_db()
    log.warning("provider_resumed", provider=open_pause.provider, by=by.get_username())
    return open_pause


def _paused_already(provider: str) -> PauseError:
    first = ProviderPause.objects.filter(provider=provider, resumed_at=None).select_related("paused_by").first()
    if first is None:  # and resumed in this very moment
        return PauseError(_("Somebody else has just paused and resumed it. Look at it again, then decide."))
    return PauseError(_("%(who)s has already paused it.") % {"who": first.paused_by.get_username()})


def _checked(reason: str) -> str:
    """Raises PauseError."""
    if fault := reason_fault(reason):
        raise PauseError(fault)
    return reason.strip()
