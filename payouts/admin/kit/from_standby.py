"""Lists that nobody decides by are read from the standby, where there is one."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from payouts.database import replica
from payouts.staff import own_writes


class StandbyListMixin:
    """For a ModelAdmin, the first of its bases: its list is read from the standby, its pages are not."""

    def decides_by_list(self, request: HttpRequest) -> bool:
        """Whether the list of this request is a form, with which this person decides."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        view = super().changelist_view  # type: ignore[misc]

        def shown(alias: str) -> HttpResponse:
            request.reads_from = alias  # type: ignore[attr-defined]
            response: HttpResponse = view(request, extra_context)
            # Its rows are read as it is rendered.
            return response.render() if isinstance(response, TemplateResponse) else response

        if request.method != "GET" or self.decides_by_list(request):
            return shown(DEFAULT_DB_ALIAS)
        return replica.read(shown, seen=own_writes.seen(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return found.using(getattr(request, "reads_from", DEFAULT_DB_ALIAS))
