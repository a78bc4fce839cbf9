"""The days of our accounts: what a provider listed of each, and whether that agrees with our record."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payouts.models.statements import ProviderReport


class ReconciledDay(models.Model):
    """A day of an account whose provider lists its payments, in the account's time zone.

    `report` is the last list that the provider gave of it. Neither `agreed_at` nor `closed_at`: it is open.
    """

    account = models.CharField(_("account"), max_length=32)
    on = models.DateField(_("day"))
    zone = models.CharField(_("time zone"), max_length=64)
    asked_at = models.DateTimeField(_("asked at"), null=True)
    # Why the last ask brought no list; empty when it did.
    code = models.CharField(_("code"), max_length=64, blank=True)
    message = models.CharField(_("message"), max_length=255, blank=True)
    report = models.ForeignKey(
        ProviderReport, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("provider report")
    )
    # Of the payments that succeeded, as the provider listed them: {"RUB": [12, "1234.50"]}.
    totals = models.JSONField(editable=False, default=dict)
    unfinished = models.PositiveIntegerField(editable=False, default=0)  # payments listed that had not ended
    agreed_at = models.DateTimeField(_("agreed at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("closed by")
    )
    close_reason = models.CharField(_("reason to close"), max_length=1000, blank=True)

    class Meta:
        verbose_name = _("reconciled day")
        verbose_name_plural = _("reconciled days")
        default_permissions = ["view"]
        permissions = [("close_reconciledday", _("Can close days that do not agree with the provider"))]
        ordering = ["-on", "account"]
        constraints = [
            models.UniqueConstraint(fields=["account", "on"], name="reconciled_day_once"),
            models.CheckConstraint(
                condition=Q(agreed_at=None) | Q(report__isnull=False), name="reconciled_day_agreed"
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None, close_reason="")
                | (Q(closed_at__isnull=False, closed_by__isnull=False) & ~Q(close_reason="")),
                name="reconciled_day_closed_by",
            ),
        ]
        indexes = [
            models.Index(fields=["on"], name="reconciled_day_by_day"),
            models.Index(fields=["on"], condition=Q(agreed_at=None, closed_at=None), name="reconciled_day_open"),
        ]

    def __str__(self) -> str:
        return f"{self.on:%Y-%m-%d} {self.account}"
