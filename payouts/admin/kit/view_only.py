"""The base of screens on which nothing can be edited."""

from django.http import HttpRequest

from payouts.admin.kit.plain import PlainAdmin, never


class ViewOnlyAdmin(PlainAdmin):
    """A PlainAdmin by which nobody adds, changes or deletes, whatever their permissions."""

    list_per_page = 50
    list_max_show_all = 0
    has_change_permission = has_delete_permission = never

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
