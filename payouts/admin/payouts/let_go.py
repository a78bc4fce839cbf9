"""A payout that waits for a velocity limit: the dialog that proposes to send it over the limit."""

from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import configuration
from payouts.admin.kit.dialogs import DialogForm, dialog_action
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.proposed import after_proposing
from payouts.admin.payouts.verbs import PayoutVerbs
from payouts.configuration import velocity_subjects
from payouts.models import LET_GO, Payout, Proposal


class LetGoForm(DialogForm):
    reason = text_field(gettext_lazy("For the person who confirms it. Saved permanently."))


class LetGoMixin(PayoutVerbs):
    """The button beside those of the verbs. It changes nothing of the payout, so it is no verb."""

    actions_detail = (*PayoutVerbs.actions_detail[:-1], "let_go", PayoutVerbs.actions_detail[-1])

    def has_let_go_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(("payouts.view_payout", "payouts.approve_payout"))

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Payout) -> str:
        if name != "let_go":
            return super().dialog_obstacle(request, name, instance)
        if about(instance):
            return _("Somebody has proposed it already: another person must confirm it.")
        return velocity_subjects.why_not_let_go(instance, person(request))

    @dialog_action(
        form_class=LetGoForm,
        permission="let_go",
        description=gettext_lazy("Send over the limit"),
        title=gettext_lazy("Send the payout over the velocity limit"),
        submit=gettext_lazy("Propose"),
        warning=gettext_lazy(
            "Another person must confirm it within 72 hours. Then this payout is sent once, whatever the limits have"
            " used. Find out first why so much is sent."
        ),
        icon="speed",
    )
    def let_go(self, request: HttpRequest, form: Form, payout: Payout) -> str | HttpResponse:
        proposal = velocity_subjects.let_go(payout.pk, by=person(request), reason=form.cleaned_data["reason"])
        if proposal.is_open:
            return after_proposing(request, proposal, otherwise=self.page_url(payout))
        return _("%(payout)s: the worker sends it now, over the limit.") % {"payout": payout}


def about(payout: Payout) -> Proposal | None:
    """The open proposal to send it over the limit."""
    return configuration.open_about(LET_GO, payout.pk) if payout.waits_for else None
