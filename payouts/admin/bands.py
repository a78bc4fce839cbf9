"""Approval bands: how many people must approve from which amount on. Their history stands below."""

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from payouts import money
from payouts.admin.kit.history import HistoryMixin
from payouts.models import ApprovalBand


@admin.register(ApprovalBand)
class ApprovalBandAdmin(HistoryMixin, ModelAdmin):
    list_display = ("currency", "from_shown", "approvals_required")
    list_display_links = ("currency", "from_shown")
    ordering = ("currency", "from_amount")
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    actions = None

    @display(description=gettext_lazy("From amount"))
    def from_shown(self, band: ApprovalBand) -> str:
        return money.shown(band.from_amount, band.currency)
