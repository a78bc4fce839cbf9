"""Why a batch is where it is, and what to do next."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from payouts import batch_rules
from payouts.admin.batches.in_words import username
from payouts.admin.batches.rows import REFUSED
from payouts.admin.kit import format
from payouts.admin.kit.next_step import NextStep
from payouts.admin.kit.person import person
from payouts.models import Batch, BatchState


def next_step(request: HttpRequest, batch: Batch, counts: dict[str, int], *, may_approve: bool) -> NextStep:
    match batch.state:
        case BatchState.CHECKING:
            return NextStep(_("The worker checks the rows."), _("Nothing is paid before another person approves it."))
        case BatchState.REFUSED:
            why = _("The file was refused, so nothing is paid.")
            return NextStep(why, _("Fix the file and upload it again."))
        case BatchState.PREVIEW:
            return _preview(batch, person(request))
        case BatchState.AWAITING_APPROVAL:
            return _awaiting_approval(batch, person(request), may_approve=may_approve)
        case BatchState.SUBMITTING:
            why = _("Approved by %(who)s.") % {"who": username(batch.approved_by)}
            return NextStep(why, _("The worker makes a payout of each row."))
        case BatchState.SUBMITTED:
            return _submitted(has_refused=bool(counts[REFUSED]))
        case BatchState.STOPPED:
            return _stopped(batch, submitted=counts["submitted"])
        case BatchState.REJECTED:
            who = username(batch.rejected_by)
            return NextStep(_("Rejected by %(who)s: none of it is paid.") % {"who": who}, batch.reason)
        case BatchState.DISCARDED:
            who = username(batch.uploaded_by)
            why = _("Discarded by %(who)s: none of it is paid.") % {"who": who}
            return NextStep(why, _("The same file can be uploaded again."))
        case _:
            return NextStep(
                _("The batch was changed outside the product, so no more payouts are made from it."),
                _("Run an audit. Upload what still has to be paid as a new batch."),
                is_alarm=True,
            )


def _preview(batch: Batch, who: User) -> NextStep:
    if not batch.rows_valid:
        return NextStep(_("Every row has errors."), _("Fix the file and upload it again."), is_alarm=True)
    if batch_rules.why_not_send_batch(batch, who):
        then = _("%(who)s sends it for approval.") % {"who": username(batch.uploaded_by)}
        return NextStep(_("Checked, and not sent yet."), then)
    return NextStep(
        _("Checked, and not sent yet."),
        _("Check the totals, the errors and the duplicates. Then send it for approval, or discard it."),
    )


def _awaiting_approval(batch: Batch, who: User, *, may_approve: bool) -> NextStep:
    if obstacle := batch_rules.why_not_decide_on_batch(batch, who):
        return NextStep(_("Waits for another person's approval."), obstacle)
    if may_approve:
        return NextStep(
            _("Waits for your decision."),
            _("Check the totals, the rows and the marks, then approve or reject the whole batch."),
        )
    return NextStep(_("Waits for approval."), _("Someone who may approve payouts decides on it."))


def _stopped(batch: Batch, *, submitted: int) -> NextStep:
    who = username(batch.stopped_by)
    why = _("Stopped by %(who)s: no further row becomes a payout.") % {"who": who}
    if not submitted:
        return NextStep(why, _("None of its rows was submitted."))
    then = ngettext(
        "%(count)s payout was made before. Hold or cancel it if it must not be paid.",
        "%(count)s payouts were made before. Hold or cancel those that must not be paid.",
        submitted,
    )
    return NextStep(why, then % {"count": format.number(submitted)}, is_alarm=True)


def _submitted(*, has_refused: bool) -> NextStep:
    if has_refused:
        return NextStep(
            _("Some rows could not become payouts."),
            _("The reasons are under “Not submitted”. The other rows became payouts."),
            is_alarm=True,
        )
    return NextStep(
        _("Every row without errors is a payout now."),
        _("Their stages are shown below. Those that need more approvals are in the list of payouts."),
    )
