"""The base of every screen of the back office."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import ModelAdmin


def never(model_admin: Any, request: HttpRequest, obj: Any = None) -> bool:
    """As a `has_…_permission`: nobody may, whatever their permissions."""
    return False


class PlainAdmin(ModelAdmin):
    """A ModelAdmin whose list has no facets, no stock actions, and no sortable columns unless it names some."""

    show_facets = admin.ShowFacets.NEVER
    actions: ClassVar[Any] = None
    sortable_by: ClassVar[Any] = ()
    empty_value_display = "–"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """A list's address narrows it by nothing but its filters: by others it would tell what it does not show.

        Django lets an address ask for every column of the model and for what begins with a text, letter by letter.
        """
        column = lookup.partition(LOOKUP_SEP)[0]
        fields = self.opts.get_fields()
        columns = {"pk", *(each.name for each in fields), *(getattr(each, "attname", None) for each in fields)}
        offered = {name for each in self.list_filter for name in each.parameters()}
        return lookup in offered or (column not in columns and super().lookup_allowed(lookup, value, request))

    def page_url(self, instance: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(instance.pk,))

    def page(self, request: HttpRequest, instance: Any) -> dict[str, Any]:
        """What the template of an object's page is given, beside what Django gives it."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **given: Any
    ) -> HttpResponse:
        if given["obj"] is not None:
            context.update(self.page(request, given["obj"]))
        response: HttpResponse = super().render_change_form(request, context, *args, **given)
        return response
