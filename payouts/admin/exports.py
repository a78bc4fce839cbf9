"""Exports: the list, and a page for each with its progress and its file."""

from typing import Any

import structlog
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST
from unfold.decorators import display

from payouts.admin.kit import format
from payouts.admin.kit.downloads import CONTENT_TYPES, attachment
from payouts.admin.kit.person import person
from payouts.admin.kit.view_only import ViewOnlyAdmin
from payouts.admin.kit.worker_pages import has_news
from payouts.admin.payouts.exported import short_words_of, words_of
from payouts.exports import cells
from payouts.exports.request import NEEDED, ExportError, cancel, content
from payouts.models import Export

log = structlog.get_logger(__name__)


@admin.register(Export)
class ExportAdmin(ViewOnlyAdmin):
    list_display = ("file_shown", "state", "rows", "size", "filter_shown", "asked_by", "asked")
    list_display_links = ("file_shown",)
    list_select_related = ("asked_by",)
    list_fullwidth = True
    ordering = ("-id",)
    fields = ()
    change_form_template = "admin/payouts/export/change_form.html"

    # Those who may export see their own; the permission view_export shows everybody's.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if request.user.has_perms(("payouts.view_payout", "payouts.view_export")):
            return True
        is_own = obj is None or obj.asked_by_id == request.user.pk
        return is_own and request.user.has_perms(NEEDED)

    def may_cancel(self, request: HttpRequest, export: Export) -> bool:
        return export.is_open and export.asked_by_id == request.user.pk and request.user.has_perms(NEEDED)

    def get_urls(self) -> list[Any]:
        views = {"file": self.file_view, "cancel": self.cancel_view}
        ours = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"payouts_export_{name}")
            for name, view in views.items()
        ]
        return [*ours, *super().get_urls()]

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Export]:
        found: QuerySet[Export] = super().get_queryset(request)
        if request.user.has_perm("payouts.view_export"):
            return found
        return found.filter(asked_by=request.user.pk)

    @display(description=gettext_lazy("File"))
    def file_shown(self, export: Export) -> str:
        return export.name

    @display(description=gettext_lazy("State"))
    def state(self, export: Export) -> SafeString:
        if export.failed_at:
            return format.badge(pgettext("export", "Failed"), tone="red", icon="error")
        if export.cancelled_at:
            return format.badge(pgettext("export", "Cancelled"), tone="gray", icon="cancel")
        if export.finished_at is None:
            if export.rows_total is None:
                return format.badge(pgettext("export", "Waiting"), tone="amber", icon="hourglass_empty")
            return format.badge(pgettext("export", "Being written"), tone="blue", icon="sync")
        if export.is_kept:
            return format.badge(pgettext("export", "Ready"), tone="green", icon="check_circle")
        return format.badge(pgettext("export", "Deleted"), tone="gray", icon="auto_delete")

    @display(description=gettext_lazy("Payouts"))
    def rows(self, export: Export) -> SafeString:
        return format_html('<span class="po-amount">{}</span>', _rows(export))

    @display(description=gettext_lazy("Size"))
    def size(self, export: Export) -> str:
        return filesizeformat(export.size_bytes) if export.is_kept else "–"

    @display(description=gettext_lazy("Filter"))
    def filter_shown(self, export: Export) -> SafeString:
        words = ", ".join(short_words_of(export.query))
        return format_html('<span class="po-filter">{}</span>', words or _("all payouts"))

    @display(description=gettext_lazy("Requested"))
    def asked(self, export: Export) -> str:
        return format.exact_time(export.asked_at)

    # The page

    def page(self, request: HttpRequest, instance: Export) -> dict[str, Any]:
        return {
            "title": _("Export of payouts"),
            "export": instance,
            "state": self.state(instance),
            "is_expired": instance.finished_at is not None and not instance.is_kept,
            "is_about_to_change": instance.is_open and has_news(instance.seen_at),
            "may_cancel": self.may_cancel(request, instance),
            "percent": instance.rows_done * 100 // instance.rows_total if instance.rows_total else 0,
            "rows": _rows(instance),
            "size": filesizeformat(instance.size_bytes) if instance.is_kept else "",
            "failure": instance.get_failure_display(),
            "asked": format.exact_time(instance.asked_at),
            "kept_until": format.exact_time(instance.expires_at),
            "filter": self._filter_words(instance),
            "list_url": reverse("admin:payouts_payout_changelist", query=QueryDict(instance.query)),
            "cancelled": format.exact_time(instance.cancelled_at),
            "columns": cells.COLUMNS,
        }

    def _filter_words(self, export: Export) -> list[str]:
        try:
            return words_of(export.query, by=export.asked_by)
        except ExportError:  # an older release may have read the filter otherwise
            return short_words_of(export.query)

    def file_view(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse | HttpResponse:
        export = self._visible(request, object_id)
        if not export.is_kept:
            raise Http404
        log.info("export_downloaded", export=export.pk, rows=export.rows_done, by=request.user.get_username())
        return StreamingHttpResponse(
            content(export),
            content_type=CONTENT_TYPES[export.format],
            headers={**attachment(export.name), "Content-Length": str(export.size_bytes)},
        )

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        export = self._visible(request, object_id)
        if export.asked_by_id != request.user.pk or not request.user.has_perms(NEEDED):
            raise PermissionDenied
        try:
            cancel(export.pk, by=person(request))
        except ExportError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The export is cancelled."))
        return HttpResponseRedirect(self.page_url(export))

    def _visible(self, request: HttpRequest, object_id: str) -> Export:
        """The export, if this person may see it. Raises PermissionDenied, or Http404 for another person's."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        export: Export | None = self.get_object(request, object_id)
        if export is None or not self.has_view_permission(request, export):
            raise Http404
        return export


def _rows(export: Export) -> str:
    done = format.number(export.rows_done)
    if export.rows_total is None:
        return "–"
    if export.finished_at:
        return done
    return _("%(done)s of %(total)s") % {"done": done, "total": format.number(export.rows_total)}
