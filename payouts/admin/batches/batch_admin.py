"""The list of batches, and the addresses of its pages and files."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from payouts.admin.batches.decisions import BatchDecisions
from payouts.admin.batches.files import error_file, template_file
from payouts.admin.batches.in_words import rows_in_words, state_badge, sum_shown
from payouts.admin.batches.page import page_of
from payouts.admin.batches.upload import upload_view
from payouts.admin.kit import format
from payouts.admin.kit.downloads import CONTENT_TYPES
from payouts.admin.kit.from_standby import StandbyListMixin
from payouts.admin.kit.worker_pages import SnapshotMixin
from payouts.models import Batch


@admin.register(Batch)
class BatchAdmin(StandbyListMixin, SnapshotMixin, BatchDecisions):
    list_display = ("name", "state_shown", "rows_shown", "totals_shown", "uploaded_by", "uploaded")
    list_display_links = ("name",)
    list_fullwidth = True
    ordering = ("-id",)
    fields = ()
    change_form_template = "admin/payouts/batch/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("payouts.view_batch", "payouts.add_batch"))

    def get_urls(self) -> list[Any]:
        site = self.admin_site
        return [
            *(
                path(
                    f"template.{kind}",
                    site.admin_view(self.template_view),
                    {"kind": kind},
                    name=f"payouts_batch_template_{kind}",
                )
                for kind in CONTENT_TYPES
            ),
            path(
                "<int:object_id>/errors.csv",
                site.admin_view(self.errors_view),
                name="payouts_batch_errors",
            ),
            *super().get_urls(),
        ]

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        found: QuerySet[Batch] = super().get_queryset(request)
        return found.select_related("uploaded_by", "approved_by", "rejected_by", "stopped_by").defer("content")

    @display(description=gettext_lazy("State"))
    def state_shown(self, batch: Batch) -> SafeString:
        return state_badge(batch)

    @display(description=gettext_lazy("Rows"))
    def rows_shown(self, batch: Batch) -> str:
        return rows_in_words(batch)

    @display(description=gettext_lazy("To pay"))
    def totals_shown(self, batch: Batch) -> SafeString:
        lines = [sum_shown(total) for total in batch.totals]
        return format_html(
            '<span class="po-stack po-amount">{}</span>',
            format_html_join("", "<span>{}</span>", ((x,) for x in lines)),
        )

    @display(description=gettext_lazy("Uploaded"))
    def uploaded(self, batch: Batch) -> str:
        return format.exact_time(batch.uploaded_at)

    # The upload

    def enter(self, request: HttpRequest) -> HttpResponse:
        return upload_view(request, self)

    def template_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """A template to fill in, as CSV or XLSX, with examples that cannot be paid."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return template_file(kind)

    # The page

    def page(self, request: HttpRequest, instance: Batch) -> dict[str, Any]:
        return page_of(request, instance, may_approve=self.has_approve_permission(request))

    def errors_view(self, request: HttpRequest, object_id: int) -> StreamingHttpResponse:
        """A CSV of the rows that are not paid: what was given, with masked accounts, and what is wrong."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, str(object_id))
        if batch is None:
            raise Http404
        return error_file(batch)
