"""Providers' statements of what became of their payments."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payouts.models.payout import Payout
from payouts.providers import registry
from payouts.providers.csv_report import PAYMENTS


class ProviderReport(models.Model):
    """A provider's list of what became of its payments; its lines are applied one by one.

    A person has uploaded it as a file, or the provider itself was asked for a day's payments; a later list of the day
    supersedes that one.
    """

    LISTED = "list"  # the format of what a provider was asked for

    provider = models.CharField(_("provider"), max_length=32, default=registry.UNNAMED)
    format = models.CharField(_("format"), max_length=32, default=PAYMENTS, db_default=PAYMENTS)
    name = models.CharField(_("file"), max_length=255)
    content_hash = models.BinaryField(max_length=32, null=True, unique=True)
    zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", db_default="UTC", help_text=_("Whose days the period counts.")
    )
    from_on = models.DateField(_("from day"), null=True, blank=True)
    to_on = models.DateField(_("to day"), null=True, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"), db_default=Now())
    listed_at = models.DateTimeField(_("listed by the provider at"), null=True)
    superseded_at = models.DateTimeField(_("superseded at"), null=True)
    applied_at = models.DateTimeField(_("applied at"), null=True)
    seen_at = models.DateTimeField(null=True, editable=False)  # when a task for it last began or went on

    class Meta:
        verbose_name = _("provider report")
        verbose_name_plural = _("provider reports")
        default_permissions = ["view", "add"]
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(from_on=None, to_on=None)
                | Q(from_on__isnull=False, to_on__isnull=False, to_on__gte=F("from_on")),
                name="provider_report_period",
                violation_error_message=_("Give both days of the period, the earlier one first, or neither."),
            ),
            models.CheckConstraint(
                condition=Q(listed_at=None, superseded_at=None, uploaded_by__isnull=False, content_hash__isnull=False)
                | Q(
                    listed_at__isnull=False,
                    uploaded_by=None,
                    content_hash=None,
                    from_on__isnull=False,
                    from_on=F("to_on"),
                ),
                name="provider_report_uploaded_or_listed",
            ),
            models.UniqueConstraint(
                fields=["provider", "from_on"],
                condition=Q(listed_at__isnull=False, superseded_at=None),
                name="provider_report_one_list_a_day",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ReportLine(models.Model):
    """One line of a report and what it came to; without a number it is a payment of ours that the report lacks."""

    class Result(models.TextChoices):
        WAITING = "", _("not looked at yet")
        AGREES = "agrees", _("agrees")
        # These two, and `own`, are of lines from when a report settled payouts by itself.
        SETTLED = "settled", _("settled")
        RETURNED = "returned", _("returned")
        ASKED = "asked", _("the provider is asked")
        AMOUNT_DIFFERS = "amount_differs", _("amount differs")
        CURRENCY_DIFFERS = "currency_differs", _("currency differs")
        CONTRADICTS = "contradicts", _("contradicts our record")
        NOT_OURS = "not_ours", _("not a payment of ours")
        MISSING = "missing", _("missing in the report")
        OWN = "own", _("the uploader made it, or could have")
        ALTERED = "altered", _("changed outside the product")

    report = models.ForeignKey(
        ProviderReport, on_delete=models.PROTECT, related_name="lines", db_index=False, verbose_name=_("report")
    )
    number = models.PositiveIntegerField(_("line"), null=True)
    # What the report calls the payment: our key, or else the provider's ID.
    reference = models.CharField(_("reference"), max_length=128)
    provider_id = models.CharField(_("provider's ID"), max_length=128, blank=True, default="", db_default="")
    status = models.CharField(_("reported status"), max_length=16, blank=True)
    amount = models.DecimalField(_("reported amount"))
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="", db_default="")
    fee = models.DecimalField(_("provider's fee"), null=True)
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("payout")
    )
    result = models.CharField(_("result"), max_length=16, choices=Result, default=Result.WAITING, blank=True)

    class Meta:
        verbose_name = _("report line")
        verbose_name_plural = _("report lines")
        default_permissions = ["view"]
        ordering = ["report", "number"]
        constraints = [
            models.UniqueConstraint(fields=["report", "reference"], name="report_line_once"),
        ]
        indexes = [models.Index(fields=["report", "result", "number"], name="report_line_by_result")]

    def __str__(self) -> str:
        return f"{self.number}: {self.reference}"

    @property
    def is_named_by_provider(self) -> bool:
        """Whether the report calls the payment by the provider's ID, and not by our key."""
        return bool(self.provider_id) and self.reference == self.provider_id
