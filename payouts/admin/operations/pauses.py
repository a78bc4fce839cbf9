"""The pauses of providers and their dialogs: one person pauses, another resumes."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant

from payouts import operation_rules
from payouts.actions import pauses
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogsMixin, back_to, dialog_action, show_dialog
from payouts.admin.kit.fields import text_field
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.operations.figures import Load, capped, loads
from payouts.admin.operations.providers import provider_rows, provider_words
from payouts.models import ProviderPause

PAUSE_PERMISSIONS = ("payouts.view_providerpause", "payouts.pause_providerpause")


class PauseForm(forms.Form):
    reason = text_field(gettext_lazy("Saved permanently in the history of pauses."))


@admin.register(ProviderPause)
class ProviderPauseAdmin(DialogsMixin, ViewOnlyAdmin):
    list_display = ("provider", "state", "paused", "pause_reason", "resumed", "resume_reason")
    list_display_links = ("provider",)
    list_select_related = ("paused_by", "resumed_by")
    list_fullwidth = True
    ordering = ("-id",)
    fields = ("provider", "state", "paused", "pause_reason", "resumed", "resume_reason")
    readonly_fields = fields
    actions_detail = ("resume",)

    def has_pause_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(PAUSE_PERMISSIONS)

    def get_urls(self) -> list[Any]:
        pause = self.admin_site.admin_view(self.pause_view)
        return [path("pause/<str:provider>/", pause, name="payouts_providerpause_pause"), *super().get_urls()]

    @display(description=gettext_lazy("State"))
    def state(self, found: ProviderPause) -> SafeString:
        if found.resumed_at:
            return format.badge(_("Resumed"), tone="gray", icon="play_circle")
        return format.badge(_("Paused"), tone="orange", icon="pause_circle")

    @display(description=gettext_lazy("Paused"))
    def paused(self, found: ProviderPause) -> str:
        return f"{found.paused_by.get_username()}, {format.exact_time(found.paused_at)}"

    @display(description=gettext_lazy("Resumed"))
    def resumed(self, found: ProviderPause) -> str:
        return (
            f"{found.resumed_by.get_username()}, {format.exact_time(found.resumed_at)}" if found.resumed_by else "–"
        )

    # Dialogs, which lead back to the operations page

    def page_url(self, instance: ProviderPause) -> str:
        return reverse("operations")

    def dialog_summary(self, instance: ProviderPause) -> dict[str, Any]:
        load = loads().get(instance.provider, Load())
        facts = [
            _("due now: %(count)s") % {"count": capped(load.due)},
            _("in flight: %(count)s") % {"count": capped(load.in_flight)},
        ]
        if instance.pk:
            facts.insert(0, provider_words(instance.provider, None, instance))
        return {
            "heading": _("Provider %(name)s") % {"name": instance.provider},
            "badge": self.state(instance) if instance.pk else "",
            "recipient": " · ".join(facts),
        }

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: ProviderPause) -> str:
        return operation_rules.why_not_resume(instance, person(request))

    def pause_view(self, request: HttpRequest, provider: str) -> HttpResponse:
        """The dialog that pauses a provider. There is no pause yet, so it is no button of an object's page."""
        if not self.has_pause_permission(request):
            raise PermissionDenied
        if provider not in {row["name"] for row in provider_rows()}:
            raise Http404
        form = PauseForm(request.POST if request.method == "POST" else None)
        wanted = ProviderPause(provider=provider)
        if request.method == "POST" and form.is_valid():
            try:
                pauses.pause(provider, by=person(request), reason=form.cleaned_data["reason"])
            except pauses.PauseError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("The provider %(name)s is paused.") % {"name": provider})
                return back_to(request, self.page_url(wanted))
        return show_dialog(
            request,
            self,
            wanted,
            {
                "title": _("Pause the provider"),
                "warning": _(
                    "Until another person resumes it, none of its payouts is paid or looked up. Calls in flight"
                    " finish."
                ),
                "submit": _("Pause"),
                "form": form,
            },
        )

    @dialog_action(
        form_class=PauseForm,
        permission="pause",
        description=gettext_lazy("Resume"),
        title=gettext_lazy("Resume the provider"),
        submit=gettext_lazy("Resume"),
        warning=gettext_lazy("Due payouts are paid at once, and the provider is asked about unknown outcomes."),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, request: HttpRequest, form: Form, found: ProviderPause) -> str:
        done = pauses.resume(found.pk, by=person(request), reason=form.cleaned_data["reason"])
        return _("The provider %(name)s is resumed.") % {"name": done.provider}


def history(found: Iterable[ProviderPause]) -> list[dict[str, Any]]:
    return [
        {
            "provider": each.provider,
            "url": reverse("admin:payouts_providerpause_change", args=(each.pk,)),
            "paused_at": format.exact_time(each.paused_at),
            "paused_by": each.paused_by.get_username(),
            "pause_reason": each.pause_reason,
            "resumed_at": format.exact_time(each.resumed_at),
            "resumed_by": each.resumed_by.get_username() if each.resumed_by else "",
            "resume_reason": each.resume_reason,
            "took": format.duration((each.resumed_at or timezone.now()) - each.paused_at),
        }
        for each in found
    ]
