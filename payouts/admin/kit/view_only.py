"""The base of screens on which nothing can be edited."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from payouts.admin.kit.plain import PlainAdmin, never


class ViewOnlyAdmin(PlainAdmin):
    """A PlainAdmin by which nobody adds, changes or deletes, whatever their permissions.

    One that lets people add has an `enter` of its own, and says who may.
    """

    change_form_template = "admin/payouts/view_only.html"
    list_per_page = 50
    list_max_show_all = 0
    has_change_permission = has_delete_permission = never

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self.enter(request)

    def enter(self, request: HttpRequest) -> HttpResponse:
        """The page on which a new object begins, for those who may add one: here nobody."""
        raise PermissionDenied
