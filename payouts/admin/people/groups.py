"""Groups, and the table that says which group may do what."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from payouts import configuration
from payouts.admin.kit.plain import PlainAdmin, never
from payouts.admin.kit.proposed import ProposedMixin
from payouts.admin.people.change_messages import with_lists_and_switches
from payouts.admin.people.permission_words import listed_in_words, offer_in_words
from payouts.staff import groups

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ProposedMixin, StockGroupAdmin, PlainAdmin):
    proposal_subject = "group"
    list_display = ("title",)
    readonly_fields = ("title", "permissions_in_words")
    filter_horizontal = ()
    filter_vertical = ()
    list_after_template = "admin/auth/group/matrix.html"

    has_delete_permission = never
    lookup_allowed = PlainAdmin.lookup_allowed

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser  # a group can hold every permission

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not request.user.is_superuser:
            return False
        # Every migrate makes the shipped groups anew, so a change would be lost silently.
        if isinstance(obj, Group) and obj.name in groups.GROUPS:
            return False
        return super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return ("title", "permissions_in_words")
        return ("name", "permissions")

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.widget = UnfoldAdminCheckboxSelectMultipleWidget(choices=field.choices)
            field.help_text = ""
            offer_in_words(field)
        return field

    def proposed_content(self, request: HttpRequest, instance: Group, form: Any) -> configuration.Content:
        return {"name": instance.name, "permissions": groups.named(form.cleaned_data["permissions"])}

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return with_lists_and_switches(super().construct_change_message(request, form, formsets, add), form)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **_matrix()})
        return response

    @display(description=gettext_lazy("Name"))
    def title(self, group: Group) -> str:
        return _(group.name)

    @display(description=gettext_lazy("Permissions"))
    def permissions_in_words(self, group: Group) -> SafeString | str:
        return listed_in_words(group.permissions.select_related("content_type"))


def _matrix() -> dict[str, Any]:
    """The rows and columns of that table, read from the database."""
    found = list(Group.objects.order_by("pk").prefetch_related("permissions__content_type"))
    held = {
        group.pk: {f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.all()}
        for group in found
    }
    return {
        "matrix_groups": [_(group.name) for group in found],
        "matrix_rows": [
            (verb, [(_(group.name), name in held[group.pk]) for group in found]) for verb, name in groups.VERBS
        ],
    }
