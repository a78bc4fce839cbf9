"""Who may do what with a batch, and why not, as payouts/rules/ says it of payouts."""

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from payouts.models import Batch, BatchState
from payouts.rules import Personal, why_inactive


def why_not_send_batch(batch: Batch, person: User) -> str:
    if batch.state != BatchState.PREVIEW or not batch.rows_valid:
        return _batch_not_now(batch)
    return _why_not_uploader(batch, person)


def why_not_discard_batch(batch: Batch, person: User) -> str:
    if batch.state not in (BatchState.CHECKING, BatchState.PREVIEW, BatchState.AWAITING_APPROVAL):
        return _batch_not_now(batch)
    return _why_not_uploader(batch, person)


def why_not_decide_on_batch(batch: Batch, person: User) -> str:
    """For approving and rejecting it."""
    if batch.state != BatchState.AWAITING_APPROVAL:
        return _batch_not_now(batch)
    if is_uploader(batch, person):
        return Personal(_("You uploaded this batch, so another person must decide on it."))
    return why_inactive(person)


def why_not_stop_batch(batch: Batch, person: User) -> str:
    """Stopping is the safe direction: the uploader and the approver may, too."""
    if batch.state == BatchState.SUBMITTED:
        return _("All its rows have been submitted already. Hold or cancel the payouts instead.")
    return why_inactive(person) if batch.state == BatchState.SUBMITTING else _batch_not_now(batch)


def is_uploader(batch: Batch, person: User) -> bool:
    return batch.uploaded_by_id == person.pk


def _why_not_uploader(batch: Batch, person: User) -> str:
    if is_uploader(batch, person):
        return ""
    who = batch.uploaded_by.get_username()
    return Personal(_("Only %(who)s, who uploaded the batch, can do this.") % {"who": who})


def _batch_not_now(batch: Batch) -> str:
    """Names who has decided already, if somebody has."""
    if batch.state == BatchState.ALTERED:
        return altered_batch()
    if batch.stopped_by:
        return _("It is already stopped by %(who)s.") % {"who": batch.stopped_by.get_username()}
    if batch.approved_by:
        return _("It is already approved by %(who)s.") % {"who": batch.approved_by.get_username()}
    if batch.rejected_by:
        return _("It is already rejected by %(who)s.") % {"who": batch.rejected_by.get_username()}
    if batch.state == BatchState.PREVIEW and not batch.rows_valid:
        return _("The batch has no row without errors, so there is nothing to send.")
    return _("The batch is in the state “%(state)s”, in which this is not possible.") % {"state": batch.state.label}


def altered_batch() -> str:
    return _("This batch was changed outside the product. Nothing may be done with it before an audit.")
