"""Signs of life of the clusters, totals of the days and minutes, runs of the audit."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payouts import money


class Heartbeat(models.Model):
    """The last sign of life of one cluster: its sweep writes it."""

    cluster = models.CharField(_("cluster"), max_length=64, primary_key=True)
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    beat_at = models.DateTimeField(_("last beat at"), db_default=Now())
    unfit_at = models.DateTimeField(null=True, editable=False)  # when its worker last found that its keys do not fit

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        default_permissions = ["view"]

    def __str__(self) -> str:
        return self.cluster


class DailyTotal(models.Model):
    """What was paid on one day (UTC) in one currency, counted once, after the day. A return takes nothing away."""

    on = models.DateField(_("day"))
    currency = models.CharField(_("currency"), max_length=3)
    paid_count = models.PositiveIntegerField(_("payouts paid"))
    paid_amount = models.DecimalField(_("amount paid"))

    class Meta:
        verbose_name = _("daily total")
        verbose_name_plural = _("daily totals")
        default_permissions = ()
        ordering = ["on", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["on", "currency"], name="daily_total_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.on}: {money.shown(self.paid_amount, self.currency)}"


# Upper bounds, in seconds, of the steps that calls are counted in by how long they took; the last step has no bound.
CALL_SECONDS = (
    *(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0),
)


class MinuteSample(models.Model):
    """What happened at one provider within one minute, and what was due there when it was looked at.

    Of a minute in which nobody looked, `due` and `oldest_seconds` are not known.
    """

    at = models.DateTimeField(_("minute"))
    provider = models.CharField(_("provider"), max_length=32)
    paid = models.PositiveIntegerField(_("paid"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    unknown = models.PositiveIntegerField(_("outcome unknown"), default=0)
    calls = ArrayField(models.PositiveIntegerField(), default=list, verbose_name=_("calls by duration"))
    due = models.PositiveIntegerField(_("due"), null=True)
    oldest_seconds = models.PositiveIntegerField(_("wait of the oldest"), null=True)

    class Meta:
        verbose_name = _("sample of a minute")
        verbose_name_plural = _("samples of minutes")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["at", "provider"], name="minute_sample_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.provider}"


class AuditRun(models.Model):
    """One run of the audit over all payouts, and what it found so far."""

    started_at = models.DateTimeField(_("started at"), db_default=Now())
    seen_at = models.DateTimeField(_("last sign at"), db_default=Now())
    finished_at = models.DateTimeField(_("finished at"), null=True)
    broken_count = models.PositiveIntegerField(_("broken invariants"), default=0)
    findings = models.JSONField(_("first findings"), default=list)

    class Meta:
        verbose_name = _("audit run")
        verbose_name_plural = _("audit runs")
        default_permissions = ()
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class Backup(models.Model):
    """One encrypted backup of the database; payouts.backups makes them. A row goes with its file."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    bytes = models.BigIntegerField(_("bytes"), default=0)
    # Of the file as it lies there, in hexadecimal; empty for one that was made before backups had proofs.
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, default="", db_default="")
    # When a copy that was restored of it was audited, and nothing was found.
    checked_at = models.DateTimeField(_("checked at"), null=True)
    fault = models.TextField(_("fault"), blank=True, default="")

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        default_permissions = ()
        ordering = ["-started_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(checked_at=None) | models.Q(finished_at__isnull=False, fault=""),
                name="backup_checked_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name
