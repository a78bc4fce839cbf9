"""The base of screens on which nothing can be edited."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from payouts.admin.kit.plain import PlainAdmin


class ViewOnlyAdmin(PlainAdmin):
    """A PlainAdmin by which nobody adds, changes or deletes, whatever their permissions."""

    list_per_page = 50
    list_max_show_all = 0

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def page(self, request: HttpRequest, instance: Any) -> dict[str, Any]:
        """What the template of an object's page is given, beside what Django gives it."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context.update(self.page(request, obj))
        response: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return response
