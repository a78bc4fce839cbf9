"""How many people must approve a payout, and what flags it: the approval bands, the review rules and the limits.

Each list and form shows its history below.
"""

from django.contrib import admin
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from payouts import money
from payouts.admin.kit import format
from payouts.admin.kit.history import HistoryMixin
from payouts.admin.kit.plain import PlainAdmin, never
from payouts.admin.kit.proposed import ProposedMixin
from payouts.models import ApprovalBand, PayoutLimit, ReviewFlag, ReviewRule


@admin.register(ApprovalBand)
class ApprovalBandAdmin(ProposedMixin, HistoryMixin, PlainAdmin):
    proposal_subject = "approval_band"
    list_display = ("currency", "from_shown", "approvals_required")
    list_display_links = ("currency", "from_shown")
    ordering = ("currency", "from_amount")

    @display(description=gettext_lazy("From amount"))
    def from_shown(self, band: ApprovalBand) -> str:
        return money.shown(band.from_amount, band.currency)


@admin.register(ReviewRule)
class ReviewRuleAdmin(ProposedMixin, HistoryMixin, PlainAdmin):
    proposal_subject = "review_rule"
    list_display = ("when", "effect")
    list_display_links = ("when",)
    readonly_fields = ("when",)
    fields = ("when", "effect")

    has_add_permission = has_delete_permission = never

    @display(description=gettext_lazy("When"))
    def when(self, rule: ReviewRule) -> str:
        if rule.flag == ReviewFlag.POSSIBLE_DUPLICATE:
            return _("Possible duplicate: same amount, recipient and user within ten minutes, without a key")
        return capfirst(format.flag_label(rule.flag))


@admin.register(PayoutLimit)
class PayoutLimitAdmin(ProposedMixin, HistoryMixin, PlainAdmin):
    proposal_subject = "limit"
    list_display = ("currency", "of_recipient", "of_day")
    list_display_links = ("currency",)
    fields = ("currency", "recipient_amount", "day_amount")

    @display(description=gettext_lazy("To one recipient within 24 hours"))
    def of_recipient(self, limit: PayoutLimit) -> str:
        return money.shown(limit.recipient_amount, limit.currency) if limit.recipient_amount else "–"

    @display(description=gettext_lazy("All payouts within 24 hours"))
    def of_day(self, limit: PayoutLimit) -> str:
        return money.shown(limit.day_amount, limit.currency) if limit.day_amount else "–"
