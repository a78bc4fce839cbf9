"""API clients and their keys. A key is shown once, in the answer to the request that made it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
)

from payouts import clients, configuration
from payouts.admin.kit import format
from payouts.admin.kit.dialogs import DialogForm, DialogsMixin, dialog_action, show_dialog
from payouts.admin.kit.fields import day_field
from payouts.admin.kit.history import Change, HistoryMixin, changes
from payouts.admin.kit.person import person
from payouts.admin.kit.plain import PlainAdmin, never
from payouts.admin.kit.proposed import ProposedMixin, after_proposing, changed_by, why_field
from payouts.configuration import Act
from payouts.models import ApiClient, ApiKey, Scope
from payouts.staff import access_log


class KeyFields(forms.Form):
    """What a new key may do, and how long it works."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        choices=[(scope.value, f"{scope.value} – {scope.label}") for scope in Scope],
        initial=[Scope.READ.value, Scope.WRITE.value],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    expires_on = day_field(
        gettext_lazy("Key expires on"),
        gettext_lazy("The last day on which it works, in UTC. Leave empty for no end."),
    )

    def clean_expires_on(self) -> datetime | None:
        """The end of the chosen day, in UTC. Raises ValidationError for a day that is over."""
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        try:
            ends_at = timezone.make_aware(datetime.combine(day, datetime.min.time())) + timedelta(days=1)
        except OverflowError as error:
            raise forms.ValidationError(_("Choose an earlier day.")) from error
        if ends_at <= timezone.now():
            raise forms.ValidationError(_("This day has passed."))
        return ends_at


class ClientForm(forms.ModelForm, KeyFields):
    class Meta:
        model = ApiClient
        fields = ("name", "owner")


class KeyForm(KeyFields, DialogForm):
    """The dialog of a further key, which another person must confirm while DUAL_CONTROL is on."""

    def prepare(self, client: ApiClient) -> None:
        if settings.DUAL_CONTROL:
            self.fields["reason"] = why_field()


class RevokeForm(DialogForm):
    key = forms.ModelChoiceField(
        label=gettext_lazy("Key"),
        queryset=ApiKey.objects.none(),
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Requests with this key are refused from then on."),
    )

    def prepare(self, client: ApiClient) -> None:
        keys = client.keys.filter(revoked_at=None).order_by("pk")
        field = self.fields["key"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = keys


@admin.register(ApiClient)
class ApiClientAdmin(ProposedMixin, HistoryMixin, DialogsMixin, PlainAdmin):
    proposal_subject = "api_client"
    proposal_subjects_beside = ("api_key",)
    list_display = ("name", "keys_shown", "scopes_shown", "owner", "last_used", "expiry", "state")
    list_fullwidth = True
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ("name",)
    change_form_template = "admin/payouts/apiclient/change_form.html"
    actions_detail: ClassVar[tuple[Any, ...]] = ("add_key", "revoke_key")

    has_delete_permission = never

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("payouts.add_apiclient", "payouts.add_apikey"))

    def has_add_key_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payouts.add_apikey")

    def has_revoke_key_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payouts.change_apikey")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiClient]:
        found: QuerySet[ApiClient] = super().get_queryset(request)
        return found.select_related("owner").prefetch_related("keys")

    # Events name the client, so its name stays. Its owner can change: people leave.

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if not change:
            kwargs["form"] = ClientForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name", "owner") if obj else ("name", "owner", "scopes", "expires_on")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name",) if obj else ()

    def proposed_content(self, request: HttpRequest, instance: ApiClient, form: Any) -> configuration.Content:
        content = super().proposed_content(request, instance, form)
        return content if instance.pk else content | _of_key(form.cleaned_data)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key on this answer itself: a redirect would have to store it somewhere."""
        key = changed_by(request).key
        if not key:
            return super().response_add(request, obj, post_url_continue)
        return TemplateResponse(
            request,
            "admin/payouts/apiclient/key.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Key of %(client)s") % {"client": obj.name},
                "client": obj,
                "key": key,
                "page_url": self.page_url(obj),
            },
        )

    def history_sections(self, instance: ApiClient | None) -> Sequence[tuple[str, list[Change]]]:
        sections = list(super().history_sections(instance))
        if instance is not None:
            keys = ApiKey.history.filter(client_id=instance.pk)
            sections.append((_("History of the keys"), changes(keys, subject=lambda key: f"pk_{key.prefix}…")))
        return sections

    def page(self, request: HttpRequest, instance: ApiClient) -> dict[str, Any]:
        keys = [
            {
                "key": key,
                "scopes": _scope_words(key.scopes),
                "created": format.exact_time(key.created_at),
                "last_used": format.exact_time(key.last_used_at),
                "expires": format.exact_time(key.expires_at),
                "state": _state(key),
            }
            for key in instance.keys.order_by("-pk")
        ]
        return {**super().page(request, instance), "keys": keys}

    @display(description=gettext_lazy("Keys"))
    def keys_shown(self, client: ApiClient) -> SafeString | str:
        usable = [key for key in client.keys.all() if key.is_usable]
        return format_html_join(", ", '<span class="po-mono">pk_{}…</span>', ((key.prefix,) for key in usable)) or "–"

    @display(description=gettext_lazy("Scopes"))
    def scopes_shown(self, client: ApiClient) -> str:
        scopes = {scope for key in client.keys.all() if key.is_usable for scope in key.scopes}
        return _scope_words(scopes) or "–"

    @display(description=gettext_lazy("Last used"))
    def last_used(self, client: ApiClient) -> SafeString | str:
        moments = [key.last_used_at for key in client.keys.all() if key.last_used_at]
        return format.age(max(moments)) if moments else "–"

    @display(description=gettext_lazy("Expires"))
    def expiry(self, client: ApiClient) -> str:
        usable = [key for key in client.keys.all() if key.is_usable]
        moments = [key.expires_at for key in usable if key.expires_at]
        return format.exact_time(min(moments)) if moments else "–"

    @display(description=gettext_lazy("State"))
    def state(self, client: ApiClient) -> SafeString:
        if any(key.is_usable for key in client.keys.all()):
            return format.badge(_("Active"), tone="green", icon="check_circle")
        return format.badge(_("No usable key"), tone="gray", icon="block")

    def dialog_summary(self, instance: ApiClient) -> dict[str, Any]:
        return {"heading": _("API client %(name)s") % {"name": instance.name}}

    def dialog_obstacle(self, request: HttpRequest, name: str, instance: ApiClient) -> str:
        if name == "revoke_key" and not instance.keys.filter(revoked_at=None).exists():
            return _("This client has no key to revoke.")
        return ""

    @dialog_action(
        form_class=KeyForm,
        permission="add_key",
        description=gettext_lazy("New key"),
        title=gettext_lazy("Make a new key"),
        submit=lambda: _("Propose") if settings.DUAL_CONTROL else _("Make key"),
        warning=gettext_lazy("The present keys keep working. Revoke them when the client uses the new one."),
        icon="key",
        variant=ActionVariant.PRIMARY,
    )
    def add_key(self, request: HttpRequest, form: Form, client: ApiClient) -> HttpResponse:
        given = form.cleaned_data
        changed = configuration.change(
            "api_key", client.pk, _of_key(given), by=person(request), reason=given.get("reason", ""), act=Act.ADD
        )
        if changed.proposal is not None:
            return after_proposing(request, changed.proposal, otherwise=self.page_url(client))
        key = changed.key
        access_log.log_act(request.user, client, "key_made", key=f"pk_{key.split('_')[1]}")
        return show_dialog(request, self, client, {"title": _("The new key"), "key": key})

    @dialog_action(
        form_class=RevokeForm,
        permission="revoke_key",
        description=gettext_lazy("Revoke key"),
        title=gettext_lazy("Revoke a key"),
        submit=gettext_lazy("Revoke key"),
        warning=gettext_lazy("The key stops working at once. This cannot be undone."),
        icon="key_off",
        is_final=True,
    )
    def revoke_key(self, request: HttpRequest, form: Form, client: ApiClient) -> str:
        key = form.cleaned_data["key"]
        clients.revoke_key(key.pk)
        access_log.log_act(request.user, client, "key_revoked", key=f"pk_{key.prefix}")
        return _("The key pk_%(prefix)s… is revoked.") % {"prefix": key.prefix}


def _of_key(given: dict[str, Any]) -> configuration.Content:
    """The key of a valid form, as it is proposed."""
    expires_at = given["expires_on"]
    return {"scopes": given["scopes"], "expires_at": expires_at.isoformat() if expires_at else None}


def _state(key: ApiKey) -> SafeString:
    if key.revoked_at:
        return format.badge(_("Revoked"), tone="gray", icon="block")
    if not key.is_usable:
        return format.badge(_("Expired"), tone="gray", icon="timer_off")
    return format.badge(_("Active"), tone="green", icon="check_circle")


def _scope_words(scopes: Collection[str]) -> str:
    return ", ".join(str(scope.label) for scope in Scope if scope.value in scopes)
