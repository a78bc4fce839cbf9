"""The buttons of a batch's page and their dialogs: send, approve, reject, discard, stop."""

from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldBooleanWidget

from payouts import batch_rules
from payouts.admin.batches.in_words import rows_in_words, state_badge, sum_shown
from payouts.admin.batches.rows import EARLIER, NOTED, REPEATED, counts_of
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogForm, DialogsMixin, dialog_action
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.batches import decide
from payouts.models import Batch, BatchState

KEPT = gettext_lazy("Saved permanently in the batch's history.")


class SendForm(DialogForm):
    leaves_errors_out = forms.BooleanField(widget=UnfoldBooleanWidget, required=True)
    note = text_field(gettext_lazy("For the person who approves it."), label=gettext_lazy("Note"), is_required=False)

    def prepare(self, batch: Batch) -> None:
        if not batch.rows_wrong:
            del self.fields["leaves_errors_out"]
            return
        label = ngettext(
            "Leave out %(count)s row with errors",
            "Leave out %(count)s rows with errors",
            batch.rows_wrong,
        )
        self.fields["leaves_errors_out"].label = label % {"count": format.number(batch.rows_wrong)}


class ApproveForm(DialogForm):
    reason = text_field(KEPT, is_required=False)


class ReasonForm(DialogForm):
    reason = text_field(KEPT)


RULES = {
    "send": batch_rules.why_not_send_batch,
    "approve": batch_rules.why_not_decide_on_batch,
    "reject": batch_rules.why_not_decide_on_batch,
    "discard": batch_rules.why_not_discard_batch,
    "stop": batch_rules.why_not_stop_batch,
}


class BatchDecisions(DialogsMixin, ViewOnlyAdmin):
    """For the admin of batches: the buttons on a batch's page, and the dialogs behind them."""

    actions_detail: ClassVar[tuple[Any, ...]] = ("send", "approve", "reject", "discard", "stop")

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_approve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(("payouts.view_batch", "payouts.approve_payout"))

    def has_stop_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(("payouts.view_batch", "payouts.hold_payout"))

    def dialog_summary(self, instance: Batch) -> dict[str, Any]:
        return {
            "heading": _("Batch %(id)s: %(name)s") % {"id": instance.pk, "name": instance.name},
            "amount": " + ".join(sum_shown(total) for total in instance.totals),
            "badge": state_badge(instance),
            "recipient": rows_in_words(instance),
            "flags": _warnings(instance),
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Batch) -> str:
        return RULES[name](instance, person(request))

    @dialog_action(
        form_class=SendForm,
        permission="send",
        description=gettext_lazy("Send for approval"),
        title=gettext_lazy("Send for approval"),
        submit=gettext_lazy("Send for approval"),
        warning=gettext_lazy("Another person approves or rejects the whole batch. Until then nothing is paid."),
        icon="send",
        variant=ActionVariant.PRIMARY,
    )
    def send(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        given = form.cleaned_data
        decide.send(
            batch.pk,
            by=person(request),
            note=given["note"],
            leaves_errors_out=given.get("leaves_errors_out", False),
            revision=given["version"],
        )
        return _("The batch “%(name)s” waits for another person's approval.") % {"name": batch.name}

    @dialog_action(
        form_class=ApproveForm,
        permission="approve",
        description=gettext_lazy("Approve"),
        title=gettext_lazy("Approve the whole batch"),
        submit=gettext_lazy("Approve all"),
        warning=gettext_lazy(
            "Every row without errors becomes a payout with your approval. Large payouts need more approvals."
        ),
        icon="check_circle",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        given = form.cleaned_data
        decide.approve(batch.pk, by=person(request), reason=given["reason"], revision=given["version"])
        return _("The batch “%(name)s” is approved. Its payouts are submitted now.") % {"name": batch.name}

    @dialog_action(
        form_class=ReasonForm,
        permission="approve",
        description=gettext_lazy("Reject"),
        title=gettext_lazy("Reject the whole batch"),
        submit=gettext_lazy("Reject all"),
        warning=gettext_lazy("None of its rows is paid. The file can be fixed and uploaded again."),
        icon="block",
        variant=ActionVariant.DANGER,
        is_final=True,
    )
    def reject(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        given = form.cleaned_data
        decide.reject(batch.pk, by=person(request), reason=given["reason"], revision=given["version"])
        return _("The batch “%(name)s” is rejected.") % {"name": batch.name}

    @dialog_action(
        form_class=DialogForm,
        permission="send",
        description=gettext_lazy("Discard"),
        title=gettext_lazy("Discard the batch"),
        submit=gettext_lazy("Discard"),
        warning=gettext_lazy("None of its rows is paid. The same file can be uploaded again."),
        icon="delete",
        is_final=True,
    )
    def discard(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        decide.discard(batch.pk, by=person(request), revision=form.cleaned_data["version"])
        return _("The batch “%(name)s” is discarded.") % {"name": batch.name}

    @dialog_action(
        form_class=ReasonForm,
        permission="stop",
        description=gettext_lazy("Stop"),
        title=gettext_lazy("Stop the batch"),
        submit=gettext_lazy("Stop the batch"),
        warning=gettext_lazy(
            "No further row becomes a payout. Those that are payouts already stay: hold or cancel them."
        ),
        icon="stop_circle",
        variant=ActionVariant.DANGER,
        is_final=True,
    )
    def stop(self, request: HttpRequest, form: forms.Form, batch: Batch) -> str:
        decide.stop(batch.pk, by=person(request), reason=form.cleaned_data["reason"])
        return _("The batch “%(name)s” is stopped. No further row becomes a payout.") % {"name": batch.name}


def _warnings(batch: Batch) -> list[str]:
    """What sender and approver should look at: repeated rows, earlier payouts alike, failed checksums."""
    if batch.state not in (BatchState.PREVIEW, BatchState.AWAITING_APPROVAL):
        return []
    counts = counts_of(batch)
    repeated, earlier, noted = counts[REPEATED], counts[EARLIER], counts[NOTED]
    one_repeats = ngettext("%(count)s row repeats another row", "%(count)s rows repeat other rows", repeated)
    one_is_known = ngettext(
        "%(count)s row repeats an earlier payout", "%(count)s rows repeat earlier payouts", earlier
    )
    one_is_odd = ngettext("%(count)s row fails a checksum", "%(count)s rows fail a checksum", noted)
    found = [(repeated, one_repeats), (earlier, one_is_known), (noted, one_is_odd)]
    return [text % {"count": format.number(count)} for count, text in found if count]
