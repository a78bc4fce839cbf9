"""Files of what the payouts list shows."""

from datetime import UTC

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Export(models.Model):
    """A file of the payouts that a filter of the list gives, asked for by a person and written by the worker.

    Written payout by payout in the order of their ids, up to the last that there was when it was asked for. The row
    stays as the record of who took what; the file is kept for a week.
    """

    class Format(models.TextChoices):
        CSV = "csv", _("CSV")
        XLSX = "xlsx", _("XLSX")

    class Failure(models.TextChoices):
        NONE = "", ""
        NOT_ALLOWED = "not_allowed", _("the person who asked for it may no longer export payouts")
        FILTER = "filter", _("its filter can no longer be read")
        TOO_LONG = (
            "too_long",
            _("it has too many payouts for an XLSX file: take CSV, or a narrower filter"),
        )
        UNWORKABLE = "unworkable", _("the worker failed on it: see its log")

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    asked_at = models.DateTimeField(_("requested at"), db_default=Now())
    query = models.CharField(_("filter"), max_length=1000, blank=True, help_text=_("As in the list's address."))
    format = models.CharField(_("format"), max_length=8, choices=Format)
    up_to_id = models.BigIntegerField(editable=False)  # no payout that came later
    rows_total = models.PositiveIntegerField(_("payouts in all"), null=True)  # counted when the writing begins
    rows_done = models.PositiveIntegerField(_("payouts written"), default=0)
    last_id = models.BigIntegerField(default=0, editable=False)  # all up to here are looked at
    size_bytes = models.BigIntegerField(_("size"), default=0)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)
    failed_at = models.DateTimeField(_("failed at"), null=True)
    failure = models.CharField(_("failure"), max_length=16, choices=Failure, default=Failure.NONE, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("cancelled by"),
    )

    # The worker's own.
    seen_at = models.DateTimeField(db_default=Now(), editable=False)  # when a task for it last began or went on
    lease_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    lost_leases = models.PositiveSmallIntegerField(default=0, editable=False)  # in a row

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        default_permissions = ()
        permissions = [("view_export", _("Can see and download everybody's exports"))]
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(format__in=["csv", "xlsx"]), name="export_format_known"),
            models.CheckConstraint(
                condition=Q(finished_at=None, failed_at=None)
                | Q(finished_at=None, cancelled_at=None)
                | Q(failed_at=None, cancelled_at=None),
                name="export_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None, expires_at=None)
                | Q(finished_at__isnull=False, expires_at__isnull=False, rows_total__isnull=False),
                name="export_finished_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(failed_at=None, failure="") | (Q(failed_at__isnull=False) & ~Q(failure="")),
                name="export_failed_at_with_failure",
            ),
            models.CheckConstraint(
                condition=Q(cancelled_at=None, cancelled_by=None)
                | Q(cancelled_at__isnull=False, cancelled_by__isnull=False),
                name="export_cancelled_at_with_cancelled_by",
            ),
            models.CheckConstraint(
                condition=Q(lease_token=None, lease_until=None)
                | Q(lease_token__isnull=False, lease_until__isnull=False),
                name="export_lease_ends",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(finished_at=None, failed_at=None, cancelled_at=None),
                name="export_open",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The file's name."""
        return f"payouts-{self.asked_at.astimezone(UTC):%Y-%m-%dT%H%M}Z-{self.pk}.{self.format}"

    @property
    def is_open(self) -> bool:
        return self.finished_at is None and self.failed_at is None and self.cancelled_at is None

    @property
    def is_kept(self) -> bool:
        """Whether the complete file can be downloaded."""
        return self.expires_at is not None and self.expires_at > timezone.now()


class ExportChunk(models.Model):
    """A part of an export's file, compressed with zlib: web and worker may run on machines of their own.

    `number` orders the parts; it has gaps.
    """

    export = models.ForeignKey(
        Export, on_delete=models.PROTECT, related_name="chunks", db_index=False, verbose_name=_("export")
    )
    number = models.PositiveIntegerField(_("number"))
    content = models.BinaryField()

    class Meta:
        verbose_name = _("part of an export")
        verbose_name_plural = _("parts of exports")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_chunk_once")]

    def __str__(self) -> str:
        return f"{self.export_id}: {self.number}"
