"""The base of every screen of the back office."""

from typing import Any, ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin


class PlainAdmin(ModelAdmin):
    """A ModelAdmin whose list has no facets, no stock actions, and no sortable columns unless it names some."""

    show_facets = admin.ShowFacets.NEVER
    actions: ClassVar[Any] = None
    sortable_by: ClassVar[Any] = ()
