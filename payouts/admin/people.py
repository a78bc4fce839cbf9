"""People and groups. Who is no superuser can make neither a superuser of anyone nor more of themselves."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(StockUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "group_names", "is_staff", "is_active", "last_login")
    list_filter = ()
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    filter_vertical = ()
    show_facets = admin.ShowFacets.NEVER
    actions = None

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, User) and not request.user.is_superuser and (obj.is_superuser or obj == request.user):
            return False
        return super().has_change_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        # Without the form's widget the password's hash would stand here as it is.
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "password"]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if request.user.is_superuser:
            return ("last_login", "date_joined")
        return ("is_superuser", "user_permissions", "last_login", "date_joined")

    @display(description=gettext_lazy("Name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "–"

    @display(description=gettext_lazy("Groups"))
    def group_names(self, user: User) -> str:
        return ", ".join(_(group.name) for group in user.groups.all()) or "–"


@admin.register(Group)
class GroupAdmin(StockGroupAdmin, ModelAdmin):
    list_display = ("title",)
    sortable_by = ()
    filter_horizontal = ()
    filter_vertical = ()
    show_facets = admin.ShowFacets.NEVER
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("Name"))
    def title(self, group: Group) -> str:
        return _(group.name)
