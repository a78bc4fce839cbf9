"""A file of payouts, and its rows."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from payouts import money, vault
from payouts.models.payout import Payout
from payouts.models.recipient_keys import UnderKey
from payouts.models.stamps import stamp

# Batches whose rows are becoming payouts.
BEING_SUBMITTED = Q(approved_at__isnull=False, finished_at=None, altered_at=None, stopped_at=None)
# Whose rows may still become payouts: being checked, sent, decided on or submitted.
UNDECIDED = Q(
    refusal__isnull=True, discarded_at=None, rejected_at=None, altered_at=None, stopped_at=None, finished_at=None
)


class Batch(models.Model):
    """A file of payouts that one person uploads and another approves as a whole; each valid row becomes a payout.

    `revision` counts its moves and `facts_seal` seals them, so that an approval written by SQL pays nothing. What is
    wrong with the file or a row is kept as a code with parameters: each reader sees it in their own language.
    """

    class Format(models.TextChoices):
        CSV = "csv", _("CSV")
        XLSX = "xlsx", _("XLSX")

    name = models.CharField(_("file"), max_length=255)
    content_hash = models.BinaryField(max_length=32)  # keyed: a plain hash of few rows would give the cards away
    content = models.BinaryField(null=True, editable=False)  # encrypted; emptied when its rows are stored
    format = models.CharField(_("format"), max_length=8, choices=Format)
    encoding = models.CharField(_("encoding"), max_length=16, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"), db_default=Now())
    rows_total = models.PositiveIntegerField(_("rows"), null=True)  # None until the file has been read
    rows_stored = models.PositiveIntegerField(default=0)
    rows_wrong = models.PositiveIntegerField(_("rows with errors"), default=0)
    totals = models.JSONField(default=list)  # of the valid rows: [currency, count, sum as text]
    refusal = models.JSONField(null=True)  # why the file is not a batch: [[code, parameters]]
    checked_at = models.DateTimeField(_("checked at"), null=True)
    sent_at = models.DateTimeField(_("sent for approval at"), null=True)
    sent_note = models.CharField(_("note"), max_length=1000, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("approved by")
    )
    approved_at = models.DateTimeField(_("approved at"), null=True)
    rejected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("rejected by")
    )
    rejected_at = models.DateTimeField(_("rejected at"), null=True)
    reason = models.CharField(_("reason"), max_length=1000, blank=True)  # of the approval or the rejection
    discarded_at = models.DateTimeField(_("discarded at"), null=True)  # by the person who uploaded it
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("stopped by"),
    )
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    stop_reason = models.CharField(_("reason for stopping"), max_length=1000, blank=True, db_default="", default="")
    revision = models.PositiveIntegerField(default=1)
    rows_seal = models.BinaryField(max_length=vault.SEAL_BYTES, null=True)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES)

    # The worker's own, outside the seal.
    finished_at = models.DateTimeField(_("finished at"), null=True)
    forgotten_at = models.DateTimeField(_("recipients deleted at"), null=True)
    altered_at = models.DateTimeField(_("found altered at"), null=True)
    seen_at = models.DateTimeField(null=True, editable=False)  # when a task for it last began or went on
    tries = models.PositiveSmallIntegerField(default=0)  # begun since it last stored a row

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        default_permissions = ["view", "add"]
        ordering = ["-id"]
        constraints = [
            # What was refused, discarded or rejected paid nothing, so its file may come again.
            models.UniqueConstraint(
                fields=["content_hash"],
                condition=Q(refusal__isnull=True, discarded_at=None, rejected_at=None),
                name="batch_file_once",
            ),
            models.CheckConstraint(
                condition=Q(checked_at=None) | Q(content=None), name="batch_checked_keeps_no_content"
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None)
                | Q(
                    checked_at__isnull=False,
                    refusal__isnull=True,
                    rows_seal__isnull=False,
                    rows_total__isnull=False,
                    rows_total__gt=F("rows_wrong"),
                ),
                name="batch_sent_can_be_paid",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False, sent_at__isnull=False),
                name="batch_approved_by_with_approved_at",
            ),
            models.CheckConstraint(
                condition=Q(rejected_by=None, rejected_at=None)
                | (Q(rejected_by__isnull=False, rejected_at__isnull=False, sent_at__isnull=False) & ~Q(reason="")),
                name="batch_rejected_by_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("uploaded_by")),
                name="batch_uploader_does_not_approve",
            ),
            models.CheckConstraint(
                condition=Q(approved_at=None, rejected_at=None)
                | Q(approved_at=None, discarded_at=None)
                | Q(rejected_at=None, discarded_at=None),
                name="batch_ends_once",
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(approved_at__isnull=False), name="batch_finished_was_approved"
            ),
            models.CheckConstraint(
                condition=Q(stopped_by=None, stopped_at=None, stop_reason="")
                | (
                    Q(stopped_by__isnull=False, stopped_at__isnull=False, approved_at__isnull=False)
                    & Q(finished_at=None)
                    & ~Q(stop_reason="")
                ),
                name="batch_stopped_by_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> "BatchState":
        if self.refusal is not None:
            return BatchState.REFUSED
        if self.discarded_at:
            return BatchState.DISCARDED
        if self.rejected_at:
            return BatchState.REJECTED
        if self.altered_at:
            return BatchState.ALTERED
        if self.checked_at is None:
            return BatchState.CHECKING
        if self.sent_at is None:
            return BatchState.PREVIEW
        if self.approved_at is None:
            return BatchState.AWAITING_APPROVAL
        if self.stopped_at:
            return BatchState.STOPPED
        return BatchState.SUBMITTED if self.finished_at else BatchState.SUBMITTING

    @property
    def version(self) -> int:
        """What a dialog compares, to notice that the batch has changed since it was opened."""
        return self.revision

    @property
    def rows_valid(self) -> int:
        return (self.rows_total or 0) - self.rows_wrong

    @property
    def is_sealed(self) -> bool:
        return bytes(self.facts_seal) == self.expected_facts_seal(like=self.facts_seal)

    def expected_facts_seal(self, *, like: vault.Stored = b"") -> bytes:
        """The seal of what people decided about the batch."""
        stopped = (self.stopped_by_id, stamp(self.stopped_at), self.stop_reason) if self.stopped_at else ()
        return vault.seal(
            "batch",
            self.pk,
            self.name,
            bytes(self.content_hash).hex(),
            self.uploaded_by_id,
            bytes(self.rows_seal or b"").hex(),
            stamp(self.sent_at),
            self.sent_note,
            self.approved_by_id,
            stamp(self.approved_at),
            self.rejected_by_id,
            stamp(self.rejected_at),
            self.reason,
            stamp(self.discarded_at),
            self.revision,
            *stopped,
            like=like,
        )


class BatchState(models.TextChoices):
    """Where a batch stands, told by its facts (`Batch.state`)."""

    CHECKING = "checking", _("Being checked")
    REFUSED = "refused", _("Cannot be read")
    PREVIEW = "preview", _("To send for approval")
    AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
    SUBMITTING = "submitting", _("Being submitted")
    SUBMITTED = "submitted", _("Submitted")
    STOPPED = "stopped", pgettext_lazy("batch", "Stopped")
    REJECTED = "rejected", _("Rejected")
    DISCARDED = "discarded", _("Discarded")
    ALTERED = "altered", _("Changed outside the product")


class BatchRow(UnderKey):
    """One row of a batch: a valid one has its terms and in the end its payout, a wrong one what its cells say."""

    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, related_name="rows", db_index=False, verbose_name=_("batch")
    )
    number = models.PositiveIntegerField(_("line"))
    is_valid = models.BooleanField()
    user_id = models.BigIntegerField(_("user ID"), null=True)
    amount = models.DecimalField(_("amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    kind = models.CharField(_("kind"), max_length=8, blank=True)
    recipient = models.TextField(blank=True, help_text=_("Encrypted."), editable=False)
    recipient_masked = models.JSONField(_("recipient"), default=dict)
    recipient_index = models.BinaryField(max_length=32, null=True)
    comment = models.CharField(_("comment"), max_length=1000, blank=True)
    given = models.TextField(blank=True, editable=False)  # of a wrong row: its cells, encrypted
    errors = models.JSONField(default=list)  # [[column, code, parameters]]
    notes = ArrayField(models.CharField(max_length=32), default=list)
    same_as = models.PositiveIntegerField(null=True)  # the line of an earlier row that pays the same
    earlier = models.ForeignKey(
        Payout, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )  # a payout of the last days that pays the same
    row_seal = models.BinaryField(max_length=vault.SEAL_BYTES)
    payout = models.OneToOneField(
        Payout, on_delete=models.PROTECT, null=True, related_name="batch_row", verbose_name=_("payout")
    )
    refusal = models.JSONField(null=True)  # why it became no payout: [code, parameters]

    class Meta:
        verbose_name = _("batch row")
        verbose_name_plural = _("batch rows")
        default_permissions = ()
        ordering = ["batch", "number"]
        indexes = [
            models.Index(
                fields=["recipient_index"],
                condition=Q(recipient_index__isnull=False),
                name="batch_row_of_recipient",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="batch_row_once"),
            models.CheckConstraint(
                condition=Q(is_valid=False)
                | Q(
                    user_id__isnull=False,
                    user_id__gte=1,
                    amount__isnull=False,
                    amount__gt=0,
                    amount__lt=money.AMOUNT_LIMIT,
                    currency__regex="^[A-Z]{3}$",
                    recipient_index__isnull=False,
                    errors=[],
                ),
                name="batch_row_valid_has_terms",
            ),
            models.CheckConstraint(
                condition=Q(payout=None, refusal__isnull=True)
                | Q(is_valid=True, payout=None)
                | Q(is_valid=True, refusal__isnull=True),
                name="batch_row_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.number}"

    @property
    def is_sealed(self) -> bool:
        return bytes(self.row_seal) == self.expected_row_seal(like=self.row_seal)

    def expected_row_seal(self, *, like: vault.Stored = b"") -> bytes:
        """The seal of what would be paid to whom, and of the row's place."""
        return vault.seal(
            "batch-row",
            self.batch_id,
            self.number,
            self.is_valid,
            self.user_id,
            money.plain(self.amount.normalize()) if self.amount is not None else None,
            self.currency,
            self.recipient,
            vault.canonical(self.recipient_masked).decode(),
            bytes(self.recipient_index or b"").hex(),
            self.comment,
            like=like,
        )
