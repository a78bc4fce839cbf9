"""What decides how many approvals a payout needs, and what staff are told of it."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payouts import money
from payouts.models.history import History
from payouts.models.sealed_sets import SealedRow


class ApprovalBand(SealedRow):
    """How many people must approve a payout of a currency, from an amount on."""

    sealed_set = "bands"
    sealed_columns = ("currency", "from_amount", "approvals_required")

    currency = models.CharField(_("currency"), max_length=3)
    from_amount = models.DecimalField(_("from amount"))
    approvals_required = models.PositiveSmallIntegerField(_("approvals required"))

    history = History()

    class Meta:
        verbose_name = _("approval band")
        verbose_name_plural = _("approval bands")
        ordering = ["currency", "from_amount"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "from_amount"],
                name="approval_band_unique",
                violation_error_message=_("There is a band for this currency and amount already."),
            ),
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"),
                name="approval_band_currency",
                violation_error_message=_("A currency is three capital letters, as in RUB."),
            ),
            models.CheckConstraint(
                condition=Q(from_amount__gte=0, from_amount__lt=money.AMOUNT_LIMIT),
                name="approval_band_from_amount",
                violation_error_message=_("The amount must be zero or more."),
            ),
            models.CheckConstraint(
                condition=Q(approvals_required__lte=5),
                name="approval_band_required",
                violation_error_message=_("At most five approvals can be required."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.from_amount} → {self.approvals_required}"

    def clean(self) -> None:
        check_currency(self.currency)


def check_currency(code: str) -> None:
    """Raises ValidationError."""
    try:
        money.minor_units(code)
    except money.AmountError as error:
        raise ValidationError({"currency": str(error)}) from error


class ReviewFlag(models.TextChoices):
    """What staff should look at before they let a payout go; it never refuses one."""

    POSSIBLE_DUPLICATE = (
        "possible_duplicate",
        _("possible duplicate"),
    )
    ABOVE_RECIPIENT_LIMIT = "above_recipient_limit", _("over the recipient's limit for 24 hours")
    ABOVE_DAY_LIMIT = "above_day_limit", _("over the currency's limit for the day")
    CARD_CHECKSUM = "card_checksum", _("the card number fails its checksum")
    IBAN_CHECKSUM = "iban_checksum", _("the IBAN fails its checksum")


class ReviewRule(SealedRow):
    """What a review flag does: it is shown, or it asks for one approval more (one in all, however many flags ask)."""

    sealed_set = "rules"
    sealed_columns = ("effect",)

    class Effect(models.TextChoices):
        NOTE = "note", _("note: shown to staff")
        ASK = "ask", _("ask: one more approval")

    flag = models.CharField(_("review flag"), max_length=32, choices=ReviewFlag, primary_key=True)
    effect = models.CharField(_("effect"), max_length=8, choices=Effect)

    history = History()

    class Meta:
        verbose_name = _("review rule")
        verbose_name_plural = _("review rules")
        default_permissions = ["view", "change"]
        ordering = ["flag"]
        constraints = [
            models.CheckConstraint(condition=Q(flag__in=ReviewFlag.values), name="review_rule_flag_known"),
            models.CheckConstraint(condition=Q(effect__in=["note", "ask"]), name="review_rule_effect_known"),
        ]

    def __str__(self) -> str:
        return str(self.get_flag_display())


class PayoutLimit(SealedRow):
    """How much may be submitted in a currency within 24 hours before staff are told: to one recipient, and in all.

    What was submitted stands in `SubmittedSum`, from when the limits were set on (`counts_from`).
    """

    sealed_set = "limits"
    sealed_columns = ("currency", "recipient_amount", "day_amount")

    currency = models.CharField(_("currency"), max_length=3, unique=True)
    recipient_amount = models.DecimalField(
        _("limit of a recipient"), null=True, blank=True, help_text=_("For one recipient within 24 hours.")
    )
    day_amount = models.DecimalField(
        _("limit of a day"), null=True, blank=True, help_text=_("For all payouts within 24 hours together.")
    )
    counts_from = models.DateTimeField(default=timezone.now, null=True, editable=False)

    history = History(without=("counts_from",))

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        ordering = ["currency"]
        constraints = [
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"),
                name="payout_limit_currency",
                violation_error_message=_("A currency is three capital letters, as in RUB."),
            ),
            models.CheckConstraint(
                condition=Q(recipient_amount__isnull=False) | Q(day_amount__isnull=False),
                name="payout_limit_says_something",
                violation_error_message=_("Give at least one of the two limits."),
            ),
            models.CheckConstraint(
                condition=(
                    Q(recipient_amount=None) | Q(recipient_amount__gt=0, recipient_amount__lt=money.AMOUNT_LIMIT)
                )
                & (Q(day_amount=None) | Q(day_amount__gt=0, day_amount__lt=money.AMOUNT_LIMIT)),
                name="payout_limit_amounts",
                violation_error_message=_("A limit must be greater than zero."),
            ),
        ]

    def __str__(self) -> str:
        return self.currency

    def save(self, **options: Any) -> None:
        before = PayoutLimit.objects.filter(pk=self.pk).first()
        if before and any(
            getattr(before, name) is None and getattr(self, name) is not None
            for name in ("recipient_amount", "day_amount")
        ):
            self.counts_from = timezone.now()
        super().save(**options)

    def clean(self) -> None:
        check_currency(self.currency)
