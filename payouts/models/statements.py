"""Providers' statements of what became of their payments."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payouts.models.payout import Payout
from payouts.providers import registry


class ProviderReport(models.Model):
    """A provider's list of what became of its payments, uploaded by a person; its lines are applied one by one."""

    provider = models.CharField(_("provider"), max_length=32, default=registry.UNNAMED)
    name = models.CharField(_("file"), max_length=255)
    content_hash = models.BinaryField(max_length=32, unique=True)
    from_on = models.DateField(_("from day"), null=True, blank=True)
    to_on = models.DateField(_("to day"), null=True, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"), db_default=Now())
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
        CONTRADICTS = "contradicts", _("contradicts our record")
        NOT_OURS = "not_ours", _("not a payment of ours")
        MISSING = "missing", _("missing in the report")
        OWN = "own", _("the uploader made it, or could have")
        ALTERED = "altered", _("changed outside the product")

    report = models.ForeignKey(
        ProviderReport, on_delete=models.PROTECT, related_name="lines", db_index=False, verbose_name=_("report")
    )
    number = models.PositiveIntegerField(_("line"), null=True)
    reference = models.CharField(_("reference"), max_length=64)
    status = models.CharField(_("reported status"), max_length=16, blank=True)
    amount = models.DecimalField(_("reported amount"))
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
