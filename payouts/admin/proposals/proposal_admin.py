"""What people propose to change in the configuration: the list, a page with before and after, and its dialogs.

Nobody confirms what they proposed. What was decided stays in the list for good.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant

from payouts import configuration
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogForm, DialogsMixin, dialog_action, show_dialog
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.next_step import NextStep
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.people.password_link import link_of
from payouts.admin.proposals.in_words import (
    about,
    act,
    expiry,
    facts,
    is_about_a_link,
    lines,
    second_person,
    state_badge,
)
from payouts.admin.proposals.waiting import may_decide
from payouts.configuration import ConfigurationError
from payouts.models import Proposal
from payouts.staff import access_log

WAITS = Case(
    When(Q(decision="", expires_at__gt=Now()), then=Value(True)), default=Value(False), output_field=BooleanField()
)


def _why_not_take_key(proposal: Proposal, user: User) -> str:
    return _("There is no key to take.") if is_about_a_link(proposal) else configuration.why_not_take(proposal, user)


def _why_not_take_link(proposal: Proposal, user: User) -> str:
    return configuration.why_not_take(proposal, user) if is_about_a_link(proposal) else _("There is no link to take.")


def _refuse_if(obstacle: str) -> None:
    if obstacle:
        raise ConfigurationError(obstacle)


RULES = {
    "confirm": configuration.why_not_confirm,
    "decline": configuration.why_not_decline,
    "withdraw": configuration.why_not_withdraw,
    "take": _why_not_take_key,
    "take_link": _why_not_take_link,
}


class DeclineForm(DialogForm):
    reason = text_field(gettext_lazy("Saved permanently with the proposal."))


@admin.register(Proposal)
class ProposalAdmin(DialogsMixin, ViewOnlyAdmin):
    list_display = ("what", "act_shown", "state", "proposed_by", "proposed", "expires", "decided")
    list_display_links = ("what",)
    list_fullwidth = True
    ordering = (WAITS.desc(), "-id")
    fields = ()
    change_form_template = "admin/payouts/proposal/change_form.html"
    actions_detail: ClassVar[tuple[Any, ...]] = ("confirm", "take", "take_link", "decline", "withdraw")

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payouts.view_proposal") and may_decide(request.user)

    # The list: what waits comes first

    def get_queryset(self, request: HttpRequest) -> QuerySet[Proposal]:
        found: QuerySet[Proposal] = super().get_queryset(request)
        return found.select_related("proposed_by", "decided_by")

    @display(description=gettext_lazy("What"))
    def what(self, proposal: Proposal) -> str:
        return about(proposal)

    @display(description=gettext_lazy("Action"))
    def act_shown(self, proposal: Proposal) -> str:
        return act(proposal)

    @display(description=gettext_lazy("State"))
    def state(self, proposal: Proposal) -> SafeString:
        return state_badge(proposal)

    @display(description=gettext_lazy("Age"))
    def proposed(self, proposal: Proposal) -> SafeString:
        return format.age(proposal.proposed_at)

    @display(description=gettext_lazy("Expires or decided"))
    def expires(self, proposal: Proposal) -> str:
        return expiry(proposal)

    @display(description=gettext_lazy("Decided by"))
    def decided(self, proposal: Proposal) -> str:
        return second_person(proposal) or "–"

    # The page

    def page(self, request: HttpRequest, instance: Proposal) -> dict[str, Any]:
        confirmers = configuration.confirmers(instance) if instance.is_open else []
        return {
            "proposal": instance,
            "about": about(instance),
            "act": act(instance),
            "state": state_badge(instance),
            "lines": lines(instance),
            "proposed": format.exact_time(instance.proposed_at),
            "expiry": expiry(instance) if instance.is_open else "",
            "step": _step(instance, person(request), confirmers),
            "confirmers": ", ".join(each.get_username() for each in confirmers),
            "facts": facts(instance),
        }

    # The dialogs

    def dialog_summary(self, instance: Proposal) -> dict[str, Any]:
        return {
            "heading": f"{act(instance)}. {about(instance)}",
            "badge": state_badge(instance),
            "recipient": _("%(who)s: “%(why)s”")
            % {"who": instance.proposed_by.get_username(), "why": instance.reason},
            "lines": lines(instance),
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Proposal) -> str:
        return RULES[name](instance, person(request))

    @dialog_action(
        form_class=DialogForm,
        permission="decide",
        description=gettext_lazy("Confirm"),
        title=gettext_lazy("Confirm the change"),
        submit=gettext_lazy("Confirm"),
        warning=gettext_lazy("It is in force at once. Your name stands beside that of the person who proposed it."),
        icon="how_to_reg",
        variant=ActionVariant.PRIMARY,
    )
    def confirm(self, request: HttpRequest, form: Form, proposal: Proposal) -> str:
        done = configuration.confirm(proposal.pk, by=person(request))
        access_log.log_act(request.user, proposal, "proposal_confirmed")
        if done.is_to_be_taken:
            who = {"who": done.proposed_by.get_username()}
            if is_about_a_link(done):
                return _("Confirmed. %(who)s can take the link now.") % who
            return _("Confirmed. %(who)s can take the key now.") % who
        return _("Confirmed: the change is in force.")

    @dialog_action(
        form_class=DeclineForm,
        permission="decide",
        description=gettext_lazy("Decline"),
        title=gettext_lazy("Decline the change"),
        submit=gettext_lazy("Decline"),
        warning=gettext_lazy("Nothing changes. It can be proposed anew."),
        icon="block",
        is_final=True,
    )
    def decline(self, request: HttpRequest, form: Form, proposal: Proposal) -> str:
        configuration.decline(proposal.pk, by=person(request), reason=form.cleaned_data["reason"])
        access_log.log_act(request.user, proposal, "proposal_declined", reason=form.cleaned_data["reason"])
        return _("Declined: nothing changes.")

    @dialog_action(
        form_class=DialogForm,
        permission="decide",
        description=gettext_lazy("Withdraw"),
        title=gettext_lazy("Withdraw your proposal"),
        submit=gettext_lazy("Withdraw"),
        warning=gettext_lazy("Nothing changes. It can be proposed anew."),
        icon="undo",
    )
    def withdraw(self, request: HttpRequest, form: Form, proposal: Proposal) -> str:
        configuration.withdraw(proposal.pk, by=person(request))
        access_log.log_act(request.user, proposal, "proposal_withdrawn")
        return _("Withdrawn: nothing changes.")

    @dialog_action(
        form_class=DialogForm,
        permission="decide",
        description=gettext_lazy("Take the key"),
        title=gettext_lazy("Take the key"),
        submit=gettext_lazy("Make the key and show it"),
        warning=gettext_lazy(
            "The key is made now and shown once. Whoever takes it may not check the client's payouts."
        ),
        icon="key",
        variant=ActionVariant.PRIMARY,
    )
    def take(self, request: HttpRequest, form: Form, proposal: Proposal) -> HttpResponse:
        _refuse_if(_why_not_take_key(proposal, person(request)))
        key = configuration.take_key(proposal.pk, by=person(request))
        access_log.log_act(request.user, proposal, "key_made", key=f"pk_{key.split('_')[1]}")
        return show_dialog(request, self, proposal, {"title": _("The new key"), "key": key})

    @dialog_action(
        form_class=DialogForm,
        permission="decide",
        description=gettext_lazy("Take the link"),
        title=gettext_lazy("Take the password link"),
        submit=gettext_lazy("Make the link and show it"),
        warning=gettext_lazy(
            "The link is made now and shown once. Hand it to nobody but the person: whoever opens it chooses the"
            " password."
        ),
        icon="link",
        variant=ActionVariant.PRIMARY,
    )
    def take_link(self, request: HttpRequest, form: Form, proposal: Proposal) -> HttpResponse:
        _refuse_if(_why_not_take_link(proposal, person(request)))
        code = configuration.take_key(proposal.pk, by=person(request))
        access_log.log_act(request.user, proposal, "link_made", what=proposal.title)
        return show_dialog(request, self, proposal, {"title": _("The password link"), "link": link_of(request, code)})


def _step(proposal: Proposal, user: User, confirmers: list[User]) -> NextStep:
    """Why it is where it is, and what this person may do."""
    if not proposal.is_sealed:
        why = _("This proposal was changed outside the product, so it cannot be decided.")
        return NextStep(why, _("Run an audit."), is_alarm=True)
    if proposal.is_open:
        return _waiting(proposal, user, confirmers)
    if proposal.is_to_be_taken:
        who = {"who": proposal.proposed_by.get_username()}
        is_link = is_about_a_link(proposal)
        if configuration.why_not_take(proposal, user):
            if is_link:
                return NextStep(_("Confirmed. %(who)s has not taken the link yet.") % who)
            return NextStep(_("Confirmed. %(who)s has not taken the key yet.") % who)
        if is_link:
            return NextStep(_("Confirmed."), _("Take the link: it is made then, and shown once."))
        return NextStep(_("Confirmed."), _("Take the key: it is made then, and shown once."))
    decided = {
        Proposal.Decision.CONFIRMED: _("Confirmed by %(who)s."),
        Proposal.Decision.DECLINED: _("Declined by %(who)s: nothing changed."),
        Proposal.Decision.WITHDRAWN: _("Withdrawn by %(who)s: nothing changed."),
    }.get(proposal.decision)  # type: ignore[call-overload]
    if decided is None:
        return NextStep(_("Nobody confirmed it in time: nothing changed."), _("It can be proposed anew."))
    return NextStep(decided % {"who": second_person(proposal)}, proposal.decision_reason)


def _waiting(proposal: Proposal, user: User, confirmers: list[User]) -> NextStep:
    why = _("Nothing has changed yet: it waits for another person's confirmation.")
    obstacle = configuration.why_not_confirm(proposal, user)
    if not obstacle:
        return NextStep(why, _("Compare before and after. Then confirm it, or decline it with a reason."))
    if not confirmers:
        then = _("Nobody who may is left: on the server, manage.py proposals stands for the second person.")
        return NextStep(why, then, is_alarm=True)
    return NextStep(why, obstacle)
