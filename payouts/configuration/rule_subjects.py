"""Proposals about what decides how many approvals a payout needs: approval bands, review rules and limits."""

from payouts.configuration.subjects import Act, ModelSubject, register
from payouts.models import ApprovalBand, PayoutLimit, ReviewRule


@register
class BandSubject(ModelSubject):
    name = "approval_band"
    model = ApprovalBand
    fields = ("currency", "from_amount", "approvals_required")
    acts = (Act.ADD, Act.CHANGE, Act.DELETE)


@register
class RuleSubject(ModelSubject):
    name = "review_rule"
    model = ReviewRule
    fields = ("flag", "effect")


@register
class LimitSubject(ModelSubject):
    name = "limit"
    model = PayoutLimit
    fields = ("currency", "recipient_amount", "day_amount")
    acts = (Act.ADD, Act.CHANGE, Act.DELETE)
