"""Recovery mode and its dialogs: one person begins it, one proposes its end, another confirms."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant

from payouts import operation_rules
from payouts.actions import recovery
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogsMixin, back_to, dialog_action, show_dialog
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.models import Recovery

END_PERMISSIONS = ("payouts.view_recovery", "payouts.end_recovery")


class RecoveryReasonForm(forms.Form):
    reason = text_field(gettext_lazy("Saved permanently in the history."))


class RecoveryEvidenceForm(forms.Form):
    evidence = text_field(
        gettext_lazy(
            "What you compared with the provider, from when to when, and what you found. Another person reads it."
        ),
        label=gettext_lazy("Evidence"),
    )


class RecoveryEndForm(RecoveryReasonForm):
    """The evidence that the person has read goes along: what has changed since is not confirmed."""

    evidence = forms.CharField(widget=forms.HiddenInput, required=False, strip=False)

    def prepare(self, instance: Recovery) -> None:
        self.initial["evidence"] = instance.evidence


@admin.register(Recovery)
class RecoveryAdmin(DialogsMixin, ViewOnlyAdmin):
    list_display = ("began", "state", "cause", "reason", "proposed", "ended")
    list_display_links = ("began",)
    list_select_related = ("proposed_by", "ended_by")
    list_fullwidth = True
    ordering = ("-id",)
    fields = ("state", "cause", "reason", "began", "begun_by", "proposed", "evidence", "ended", "end_reason")
    readonly_fields = fields
    actions_detail = ("propose_end", "end")

    def has_end_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(END_PERMISSIONS)

    def get_urls(self) -> list[Any]:
        begin = self.admin_site.admin_view(self.begin_view)
        return [path("begin/", begin, name="payouts_recovery_begin"), *super().get_urls()]

    @display(description=gettext_lazy("State"))
    def state(self, found: Recovery) -> SafeString:
        if found.ended_at:
            return format.badge(_("Ended"), tone="gray", icon="check_circle")
        if found.proposed_at:
            return format.badge(_("Waits for another person"), tone="amber", icon="how_to_reg")
        return format.badge(_("Recovery mode"), tone="red", icon="settings_backup_restore")

    @display(description=gettext_lazy("Began"))
    def began(self, found: Recovery) -> str:
        return format.exact_time(found.began_at)

    @display(description=gettext_lazy("End proposed"))
    def proposed(self, found: Recovery) -> str:
        if found.proposed_by is None:
            return "–"
        return f"{found.proposed_by.get_username()}, {format.exact_time(found.proposed_at)}"

    @display(description=gettext_lazy("Ended"))
    def ended(self, found: Recovery) -> str:
        return f"{found.ended_by.get_username()}, {format.exact_time(found.ended_at)}" if found.ended_by else "–"

    def dialog_summary(self, instance: Recovery) -> dict[str, Any]:
        if not instance.pk:
            return {"heading": _("Recovery mode")}
        return {
            "heading": _("Recovery mode since %(at)s") % {"at": format.exact_time(instance.began_at)},
            "badge": self.state(instance),
            "recipient": instance.reason,
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: Recovery) -> str:
        rule = operation_rules.why_not_end if name == "end" else operation_rules.why_not_propose_end
        return rule(instance, person(request))

    def page_url(self, instance: Recovery) -> str:
        return super().page_url(instance) if instance.pk else reverse("operations")

    def begin_view(self, request: HttpRequest) -> HttpResponse:
        """The dialog that begins it. There is nothing yet, so it is no button of an object's page."""
        if not self.has_end_permission(request):
            raise PermissionDenied
        form = RecoveryReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                by = f"user:{person(request).get_username()}"
                begun = recovery.begin(by=by, reason=form.cleaned_data["reason"])
            except recovery.RecoveryError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Recovery mode has begun."))
                return back_to(request, self.page_url(begun))
        return show_dialog(
            request,
            self,
            Recovery(),
            {
                "title": _("Begin recovery mode"),
                "warning": _(
                    "The provider is asked before every payment whether it has made it already, until two people end"
                    " it. Begin it when the database may have forgotten something."
                ),
                "submit": _("Begin recovery mode"),
                "form": form,
            },
        )

    @dialog_action(
        form_class=RecoveryEvidenceForm,
        permission="end",
        description=gettext_lazy("Propose to end"),
        title=gettext_lazy("Propose to end recovery mode"),
        submit=gettext_lazy("Propose to end"),
        warning=gettext_lazy("Another person must confirm. Until then the provider is asked before every payment."),
        icon="how_to_reg",
    )
    def propose_end(self, request: HttpRequest, form: Form, found: Recovery) -> str:
        recovery.propose_end(found.pk, by=person(request), evidence=form.cleaned_data["evidence"])
        return _("Proposed. Another person must confirm.")

    @dialog_action(
        form_class=RecoveryEndForm,
        permission="end",
        description=gettext_lazy("End"),
        title=gettext_lazy("End recovery mode"),
        submit=gettext_lazy("End recovery mode"),
        warning=lambda found: (
            _("%(who)s has compared: “%(evidence)s” Afterwards payouts are sent without asking the provider first.")
            % {"who": found.proposed_by.get_username() if found.proposed_by else "–", "evidence": found.evidence}
        ),
        icon="check_circle",
        variant=ActionVariant.PRIMARY,
        is_final=True,
    )
    def end(self, request: HttpRequest, form: Form, found: Recovery) -> str:
        given = form.cleaned_data
        recovery.end(found.pk, by=person(request), evidence=given["evidence"], reason=given["reason"])
        if Recovery.objects.filter(ended_at=None).exists():
            return _("This recovery has ended. Recovery mode goes on, because another one is open.")
        return _("Recovery mode has ended.")


def recovery_card(*, may_begin: bool) -> dict[str, Any]:
    """For the operations page: whether the provider is asked first, and where to begin or to end it."""
    opened = Recovery.objects.filter(ended_at=None).order_by("pk")
    return {
        "open": [
            {
                "at": format.exact_time(each.began_at),
                "reason": each.reason,
                "url": reverse("admin:payouts_recovery_change", args=(each.pk,)),
            }
            for each in opened
        ],
        "begin_url": reverse("admin:payouts_recovery_begin") if may_begin else "",
        "history_url": reverse("admin:payouts_recovery_changelist"),
    }
