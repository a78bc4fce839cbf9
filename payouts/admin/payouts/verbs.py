"""The buttons of a payout's page and their dialogs, made of what payouts/actions/verbs.py declares."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.enums import ActionVariant

from payouts import rules
from payouts.actions.verbs import VERBS, Asks, Look, Verb
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import (
    CommentForm,
    DialogForm,
    DialogsMixin,
    EvidenceForm,
    OptionalReasonForm,
    OutcomeForm,
    ReasonForm,
    ScheduleForm,
    dialog_action,
    show_dialog,
)
from payouts.admin.kit.person import person
from payouts.admin.payouts import duplicates
from payouts.models import Payout
from payouts.recipients import name_and_account
from payouts.rules import Standing
from payouts.staff import access_log
from payouts.states import OPEN

FORMS: dict[Asks, type[DialogForm]] = {
    Asks.COMMENT: CommentForm,
    Asks.REASON: ReasonForm,
    Asks.OPTIONAL_REASON: OptionalReasonForm,
    Asks.TIME: ScheduleForm,
    Asks.EVIDENCE: EvidenceForm,
    Asks.OUTCOME: OutcomeForm,
}
VARIANTS = {
    Look.PLAIN: ActionVariant.DEFAULT,
    Look.PRIMARY: ActionVariant.PRIMARY,
    Look.SUCCESS: ActionVariant.SUCCESS,
}


def may(request: HttpRequest, verb: Verb) -> bool:
    """Whether the person's role allows the verb at all; whether this payout allows it is for payouts.rules."""
    permitted = any(request.user.has_perm(f"payouts.{codename}") for codename in verb.permissions)
    return permitted and request.user.has_perm("payouts.view_payout")


def standing(request: HttpRequest, payout: Payout) -> Standing:
    """What the person is to the payout, read once for each page."""
    known: dict[tuple[int, int], Standing] = request.__dict__.setdefault("standings", {})
    key = (payout.pk, payout.version)
    if key not in known:
        known[key] = rules.standing(payout, person(request))
    return known[key]


class PayoutVerbs(DialogsMixin, ModelAdmin):
    """For each verb NAME: the dialog `NAME`, and `has_NAME_permission`, by which Unfold shows its button."""

    actions_detail: ClassVar[tuple[Any, ...]] = (
        *(verb.name for verb in VERBS.values() if not verb.is_rare),
        {"title": gettext_lazy("More"), "items": [verb.name for verb in VERBS.values() if verb.is_rare]},
    )

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Payout) -> str:
        return VERBS[name].why_not(instance, standing(request, instance))

    def dialog_summary(self, instance: Payout) -> dict[str, Any]:
        name, account = name_and_account(instance.recipient_masked)
        return {
            "heading": _("Payout %(id)s") % {"id": instance.pk},
            "amount": format.amount(instance),
            "recipient": format_html_join(" · ", "<bdi>{}</bdi>", ((part,) for part in (name, account) if part)),
            "badge": format.stage_badge(instance.stage),
            "flags": duplicates.review_flags(instance) if instance.status in OPEN else [],
        }


def _dialog(verb: Verb) -> Any:
    def perform(model_admin: Any, request: HttpRequest, form: Form, payout: Payout) -> str:
        assert isinstance(form, DialogForm)
        moved = verb.act(payout.pk, by=person(request), **form.answers())
        return str(verb.done(moved) if callable(verb.done) else verb.done % {"payout": moved})

    return _button(verb, perform)


def _reveal(verb: Verb) -> Any:
    def perform(model_admin: Any, request: HttpRequest, form: Form, payout: Payout) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        recipient = verb.act(payout.pk, by=person(request), reason=reason)
        access_log.log_act(request.user, payout, "revealed", reason=reason)
        payout.refresh_from_db()
        context = {
            "title": _("The recipient in clear"),
            "warning": _("Shown once. The payout's history records that you saw it."),
            "revealed": list(format.recipient_lines(recipient)),
        }
        return show_dialog(request, model_admin, payout, context)

    return _button(verb, perform)


def _button(verb: Verb, perform: Callable[..., str | HttpResponse]) -> Any:
    perform.__name__ = verb.name
    return dialog_action(
        form_class=FORMS[verb.asks],
        permission=verb.name,
        description=verb.label,
        title=verb.title,
        submit=verb.submit or verb.label,
        warning=verb.warning,
        icon=verb.icon,
        variant=VARIANTS[verb.look],
        is_final=verb.is_final,
    )(perform)


def _permission(verb: Verb) -> Callable[..., bool]:
    def has_permission(model_admin: Any, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, verb)

    return has_permission


for declared in VERBS.values():
    setattr(PayoutVerbs, declared.name, _reveal(declared) if declared.name == "reveal" else _dialog(declared))
    setattr(PayoutVerbs, f"has_{declared.name}_permission", _permission(declared))
