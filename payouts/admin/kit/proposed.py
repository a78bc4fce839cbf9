"""Forms of what decides over money: what is saved is proposed, and in force when another person has confirmed it.

`class …Admin(ProposedMixin, …)` for a model that payouts.configuration has a subject of. While DUAL_CONTROL is off
the form saves at once, as any other.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import configuration
from payouts.admin.kit.dialogs import back_to, show_dialog
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.configuration import Act, Changed, ConfigurationError
from payouts.models import Proposal
from payouts.staff import access_log

REASON = "proposal_reason"


def why_field() -> forms.CharField:
    return text_field(
        gettext_lazy("For the person who confirms it. Saved permanently."),
        label=gettext_lazy("Reason for the change"),
    )


class WhyForm(forms.Form):
    reason = why_field()


def after_proposing(request: HttpRequest, proposal: Proposal, *, otherwise: str) -> HttpResponse:
    """Note it in the access log, and lead to the proposal, or to the other address those who may not see it."""
    access_log.log_act(request.user, proposal, "proposed", what=proposal.title)
    messages.success(request, _("Proposed. Nothing has changed yet: another person must confirm it within 72 hours."))
    if request.user.has_perm("payouts.view_proposal"):
        otherwise = reverse("admin:payouts_proposal_change", args=(proposal.pk,))
    return back_to(request, otherwise)


class ProposedMixin:
    """For a PlainAdmin. Its saves and deletions go through payouts.configuration."""

    proposal_subject: str
    # Of these the object's page shows open proposals besides.
    proposal_subjects_beside: tuple[str, ...] = ()
    opts: Any
    model: Any
    form: Any

    change_form_outer_before_template = "admin/payouts/proposal/about.html"

    def proposed_content(self, request: HttpRequest, instance: Any, form: Any) -> configuration.Content:
        """What the object is to be, of the form's instance."""
        return configuration.subject(self.proposal_subject).snapshot(instance)

    # The form asks why, where another person must confirm

    def is_to_be_confirmed(self, request: HttpRequest, instance: Any) -> bool:
        """Whether the form proposes; not where it is only looked at."""
        if not settings.DUAL_CONTROL:
            return False
        admin: Any = self
        may: bool = admin.has_change_permission(request, instance) if instance else admin.has_add_permission(request)
        return may

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if self.is_to_be_confirmed(request, obj):
            base = kwargs.get("form") or self.form_of(obj)
            kwargs["form"] = type(f"Proposed{base.__name__}", (base,), {REASON: why_field()})
        return super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]

    def form_of(self, instance: Any) -> type[forms.Form]:
        found: type[forms.Form] = self.form
        return found

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the reason, which has a part of its own below the others."""
        return [name for name in super().get_fields(request, obj) if name != REASON]  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if not self.is_to_be_confirmed(request, obj):
            return fieldsets
        return [*fieldsets, (_("Another person must confirm this change"), {"fields": (REASON,)})]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **given: Any
    ) -> HttpResponse:
        instance = given["obj"]
        if instance is not None:
            about = (self.proposal_subject, *self.proposal_subjects_beside)
            found = (configuration.open_about(name, instance.pk) for name in about)
            context["open_proposals"] = [proposal for proposal in found if proposal]
        if settings.DUAL_CONTROL:
            context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        response: HttpResponse = super().render_change_form(request, context, *args, **given)  # type: ignore[misc]
        return response

    # What is saved

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[misc]
        except ConfigurationError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        changed = configuration.change(
            self.proposal_subject,
            obj.pk if change else "",
            self.proposed_content(request, obj, form),
            by=person(request),
            reason=form.cleaned_data.get(REASON, ""),
            act=Act.CHANGE if change else Act.ADD,
        )
        request.__dict__["changed"] = changed
        if changed.proposal is None:
            obj.pk = changed.instance.pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: what belongs to it is in the content that was proposed, or made with it."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if changed_by(request).proposal else super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if changed_by(request).proposal else super().log_change(request, obj, message)  # type: ignore[misc]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        response: HttpResponse = _after(request, self) or super().response_add(request, obj, post_url_continue)  # type: ignore[misc]
        return response

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        response: HttpResponse = _after(request, self) or super().response_change(request, obj)  # type: ignore[misc]
        return response

    # Deletions

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Asks why, where another person must confirm; otherwise the stock page asks whether."""
        if not settings.DUAL_CONTROL:
            try:
                response: HttpResponse = super().delete_view(request, object_id, extra_context)  # type: ignore[misc]
            except ConfigurationError as error:
                messages.error(request, str(error))
                return HttpResponseRedirect(request.path)
            return response
        return self._propose_deletion(request, object_id)

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        configuration.change(self.proposal_subject, obj.pk, {}, by=person(request), act=Act.DELETE)

    def _propose_deletion(self, request: HttpRequest, object_id: str) -> HttpResponse:
        admin: Any = self
        instance = admin.get_object(request, unquote(object_id))
        if instance is None:
            raise Http404
        if not admin.has_delete_permission(request, instance):
            raise PermissionDenied
        form = WhyForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                done = configuration.change(
                    self.proposal_subject,
                    instance.pk,
                    {},
                    by=person(request),
                    reason=form.cleaned_data["reason"],
                    act=Act.DELETE,
                )
            except ConfigurationError as error:
                form.add_error(None, str(error))
            else:
                assert done.proposal is not None
                return after_proposing(request, done.proposal, otherwise=admin.page_url(instance))
        context = {
            "title": _("Propose to delete: %(what)s") % {"what": instance},
            "warning": _("It stays in force until another person confirms."),
            "submit": _("Propose"),
            "is_final": True,
            "form": form,
        }
        return show_dialog(request, admin, instance, context)

    def dialog_summary(self, instance: Any) -> dict[str, Any]:
        return {"heading": str(instance)}


def changed_by(request: HttpRequest) -> Changed:
    """What became of the form of this request."""
    found: Changed = request.__dict__.get("changed", Changed(None))
    return found


def _after(request: HttpRequest, admin: Any) -> HttpResponse | None:
    """The answer to a form that proposed something; None when it has saved."""
    proposal = changed_by(request).proposal
    if proposal is None:
        return None
    listed = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    return after_proposing(request, proposal, otherwise=listed)
