"""Payouts in the back office: the list, the page and the buttons each have a file of their own beside this one.

Nobody edits a payout, whatever their permissions: it is changed by `payouts.actions` alone.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path

from payouts.admin.kit.from_standby import StandbyListMixin
from payouts.admin.payouts import bulk, entry, saved_views
from payouts.admin.payouts.exported import ExportedMixin
from payouts.admin.payouts.let_go import LetGoMixin
from payouts.admin.payouts.list import PayoutList
from payouts.admin.payouts.page import PayoutPage
from payouts.models import Payout


@admin.register(Payout)
class PayoutAdmin(StandbyListMixin, ExportedMixin, LetGoMixin, PayoutPage, PayoutList):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(("payouts.view_payout", "payouts.add_payout"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("payouts.view_payout")

    def decides_by_list(self, request: HttpRequest) -> bool:
        return bool(bulk.offered(request, request.GET.get("stage", "")))

    def get_urls(self) -> list[Any]:
        check = self.admin_site.admin_view(self.check_view)
        return [
            path("add/check/", check, name="payouts_payout_check"),
            *bulk.urls(self),
            *saved_views.urls(self),
            *super().get_urls(),
        ]

    def enter(self, request: HttpRequest) -> HttpResponse:
        return entry.enter(request, self)

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """What is wrong with what was typed so far, and what staff would be told of it; stores nothing."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return entry.check(request)
