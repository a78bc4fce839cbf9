"""Dialogs: an action is a form that says what it is about. GET shows it, only POST does the work.

A refusal of the domain becomes an error in the dialog, in the person's language.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
)

from payouts import vault
from payouts.accounts import AccountError
from payouts.actions import PayoutError
from payouts.admin.kit.fields import moment_field, text_field
from payouts.clients import ClientError
from payouts.configuration import ConfigurationError
from payouts.models import Approval


class DialogForm(forms.Form):
    """`version` is the payout's when the person saw it: a payout that has changed since is not acted on."""

    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def answers(self) -> dict[str, Any]:
        """What the person gave, as the action takes it."""
        return self.cleaned_data


KEPT = gettext_lazy("Saved permanently in the payout's history.")


class ReasonForm(DialogForm):
    reason = text_field(KEPT)


class OptionalReasonForm(DialogForm):
    reason = text_field(KEPT, is_required=False)


class CommentForm(DialogForm):
    reason = text_field(KEPT, label=gettext_lazy("Approver's comment"))


class EvidenceForm(DialogForm):
    evidence = forms.CharField(
        label=gettext_lazy("Evidence"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("For example: a statement's number and line, or the provider's letter and its date."),
    )
    note = text_field(
        gettext_lazy("Both are saved permanently in the payout's history."),
        label=gettext_lazy("Note"),
        max_length=700,
        is_required=False,
    )

    def answers(self) -> dict[str, Any]:
        """The reference with the note under it is the evidence."""
        evidence = "\n".join(part for part in (self.cleaned_data["evidence"], self.cleaned_data["note"]) if part)
        return {"version": self.cleaned_data["version"], "evidence": evidence}


class ScheduleForm(ReasonForm):
    scheduled_for = moment_field(
        gettext_lazy("Not before"), gettext_lazy("In UTC. Leave empty to pay as soon as possible.")
    )
    field_order = ("version", "scheduled_for", "reason")


class OutcomeForm(EvidenceForm):
    decision = forms.ChoiceField(
        label=gettext_lazy("How did it end?"),
        choices=[(choice.value, choice.label) for choice in (Approval.Decision.PAID, Approval.Decision.NOT_PAID)],
        widget=UnfoldAdminRadioSelectWidget,
    )
    field_order = ("version", "decision", "evidence", "note")

    def answers(self) -> dict[str, Any]:
        return super().answers() | {"decision": Approval.Decision(self.cleaned_data["decision"])}


# What the domain says no with: sentences for people.
REFUSALS = (PayoutError, ClientError, ConfigurationError, AccountError)

type Perform = Callable[[Any, HttpRequest, forms.Form, Any], str | HttpResponse]


def dialog_action(
    *,
    form_class: type[forms.Form],
    permission: str,
    description: Any,
    title: Any,
    submit: Any,
    warning: Any = "",
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    is_final: bool = False,
) -> Callable[[Perform], Any]:
    """A button on an object's page that opens a dialog.

    The function does the work of a valid form. It returns the sentence for the page that is shown again, or an answer
    of its own; its REFUSALS go back into the form. `permission` names a `has_…_permission` method. `warning` may be a
    function of the object, `submit` one of nothing. `is_final` marks what cannot be undone. The admin's
    `dialog_obstacle(request, name, object)` may say why the action cannot be done now.
    """

    def decorate(perform: Perform) -> Any:
        name = perform.__name__

        @wraps(perform)
        def view(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            instance = model_admin.get_object(request, unquote(object_id))
            if instance is None or not model_admin.has_view_permission(request, instance):
                raise Http404
            is_post = request.method == "POST"
            form = _form(form_class, request, instance)
            if is_post and form.is_valid():
                if answer := _performed(perform, model_admin, request, form, instance):
                    return answer
                instance.refresh_from_db()
            return show_dialog(
                request,
                model_admin,
                instance,
                {
                    "title": title,
                    "warning": warning(instance) if callable(warning) else warning,
                    "submit": submit() if callable(submit) else submit,
                    "is_final": is_final,
                    "form": form,
                    "obstacle": "" if is_post else model_admin.dialog_obstacle(request, name, instance),
                },
            )

        decorated = action(
            permissions=[permission],
            description=description,
            url_path=name.replace("_", "-"),
            icon=icon,
            variant=variant,
        )(view)
        decorated.dialog = {"title": title}
        return decorated

    return decorate


def _form(form_class: type[forms.Form], request: HttpRequest, instance: Any) -> forms.Form:
    given = request.POST if request.method == "POST" else None
    form = form_class(data=given, initial={"version": getattr(instance, "version", 0)})
    if hasattr(form, "prepare"):
        form.prepare(instance)
    return form


def _performed(
    perform: Perform, model_admin: Any, request: HttpRequest, form: forms.Form, instance: Any
) -> HttpResponse | None:
    """The answer to what was done; None when it was refused, with the refusal in the form."""
    try:
        done = perform(model_admin, request, form, instance)
    except REFUSALS as error:
        form.add_error(None, str(error))
        return None
    except vault.UnreadableError:
        form.add_error(None, _("The recipient cannot be decrypted with the present keys."))
        return None
    if isinstance(done, HttpResponse):
        return done
    messages.success(request, done)
    return back_to(request, _queue(request) or model_admin.page_url(instance))


def show_dialog(request: HttpRequest, model_admin: Any, instance: Any, context: dict[str, Any]) -> HttpResponse:
    """The dialog alone for the page's script, or on a page of its own for a plain link."""
    is_fragment = request.headers.get("HX-Request") == "true"
    template = "admin/payouts/dialog.html" if is_fragment else "admin/payouts/dialog_page.html"
    context = {
        **({} if is_fragment else model_admin.admin_site.each_context(request)),
        "opts": model_admin.opts,
        "page_url": model_admin.page_url(instance),
        "action_url": request.path,
        "summary": model_admin.dialog_summary(instance),
        **context,
    }
    return TemplateResponse(request, template, context)


def _queue(request: HttpRequest) -> str:
    """The approvals queue, as it was, when the dialog was opened there: whoever goes through it goes on."""
    opened_on = urlsplit(request.headers.get("HX-Current-URL", ""))
    queue = reverse("approvals")
    return f"{queue}?{opened_on.query}" if opened_on.path == queue else ""


def back_to(request: HttpRequest, url: str) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


class DialogsMixin:
    """What a PlainAdmin with dialogs on its objects' pages answers for."""

    opts: Any
    get_object: Any

    def dialog_summary(self, instance: Any) -> dict[str, Any]:
        return {"heading": str(instance)}

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Any) -> str:
        return ""

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """The buttons of an object's page, without those whose dialog would only say why it cannot be done."""
        instance = self.get_object(request, unquote(str(object_id)))
        if instance is None:
            return []
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            button
            for button in super().get_actions_detail(request, object_id)  # type: ignore[misc]
            if not self.dialog_obstacle(request, button.action_name.removeprefix(prefix), instance)
        ]
