"""The payout's row, and every rule that the database itself keeps of it."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payouts import money, vault
from payouts.models.clients import ApiClient
from payouts.models.recipient_keys import UnderKey
from payouts.models.stamps import stamp
from payouts.states import OPEN, PAID, Stage, Status


class Attention(models.TextChoices):
    """Why the worker leaves a payout alone until a person has looked at it."""

    NONE = "", ""
    ALTERED = "altered", _("its row was changed outside the product")
    TERMS_CHANGED = "terms_changed", _("the amount or the recipient differs from what was submitted")
    APPROVALS_MISSING = "approvals_missing", _("its approvals do not match its amount and recipient")
    UNREADABLE = "unreadable", _("the recipient cannot be decrypted")
    UNPAYABLE = "unpayable", _("its amount or currency cannot be paid")
    NOT_FOUND = "not_found", _("the provider has no record of this payment, and it is too late to resend it safely")
    TOO_MANY_CALLS = "too_many_calls", _("the provider was asked too often without a clear answer")
    UNWORKABLE = "unworkable", _("the worker failed on it several times")
    CONTRADICTED = "contradicted", _("the provider's answer contradicts our record")
    AMOUNT_DIFFERS = "amount_differs", _("the provider reports another amount")
    MISSING = "missing", _("the provider's report does not have it")
    OTHER_ACCOUNT = "other_account", _("it was sent to another account than the one in the settings")
    ERASED = "erased", _("there is news of it, and its recipient was erased, so the provider cannot be asked")


RESOLVED_BY_HAND = "resolved_by_hand"  # the failure code where two people found that it was not paid

# The worker may have to look at these. A processed or failed one, when there is news that may contradict it.
WATCHED = (Status.PENDING, Status.PROCESSING, Status.UNKNOWN, Status.PROCESSED, Status.FAILED)
# A worker may hold these under a lease.
LEASED = tuple(status for status in WATCHED if status != Status.PENDING)


# After two claims in a row that ended in no record a payout is claimed alone: it may be what ended them. The second
# of them is not counted before it is claimed again.
SUSPECT_LEASES = 1


class PayoutQuerySet(models.QuerySet["Payout"]):
    def due(self) -> Self:
        """What the worker should look at now: ready payouts, expired leases, look-ups that have come up."""
        return self.filter(due_at__lte=Now())

    def in_api(self) -> Self:
        return self.filter(withdrawn_at=None)

    def in_stage(self, stage: str) -> Self:
        """The payouts that `Payout.stage` would give this stage."""
        pending = self.filter(status=Status.PENDING)
        free = pending.filter(held_at=None, attention=Attention.NONE)
        later = Q(scheduled_for__isnull=False, scheduled_for__gt=Now()) | Q(
            release_at__isnull=False, release_at__gt=Now()
        )
        match stage:
            case Stage.HELD:
                return pending.exclude(held_at=None, attention=Attention.NONE)
            case Stage.AWAITING_APPROVAL:
                return free.filter(approvals_given__lt=F("approvals_required"))
            case Stage.SCHEDULED:
                return free.filter(later, approvals_given__gte=F("approvals_required"))
            case Stage.READY:
                return free.filter(approvals_given__gte=F("approvals_required")).exclude(later)
            case _:
                return self.filter(status=stage)


class Payout(UnderKey):
    """An instruction to pay a recipient. The row is the outbox too: `due_at` says when the worker looks at it."""

    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    client = models.ForeignKey(
        ApiClient,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payouts",
        verbose_name=_("client"),
    )
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payouts_made",
        verbose_name=_("maker"),
    )
    user_id = models.BigIntegerField(_("user ID"), help_text=_("The recipient's number at the client."))
    amount = models.DecimalField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    recipient = models.TextField(help_text=_("Encrypted."), editable=False)
    recipient_masked = models.JSONField(_("recipient"), editable=False)
    recipient_index = models.BinaryField(max_length=32)
    comment = models.CharField(_("comment"), max_length=1000, blank=True)
    terms_hash = models.BinaryField(max_length=32)
    idempotency_key = models.CharField(_("idempotency key"), max_length=255, null=True, blank=True)
    request_hash = models.BinaryField(max_length=32, null=True)
    trace_id = models.CharField(_("request ID"), max_length=128, blank=True)
    provider = models.CharField(_("provider"), max_length=32)
    review_flags = ArrayField(models.CharField(max_length=32), default=list, verbose_name=_("review flags"))

    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.PENDING)
    version = models.PositiveIntegerField(_("version"), help_text=_("The number of its last event."))
    approvals_required = models.PositiveSmallIntegerField(_("approvals required"))
    approvals_given = models.PositiveSmallIntegerField(_("approvals given"), default=0)
    held_at = models.DateTimeField(_("held at"), null=True, blank=True)
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("held by"),
    )
    sent_again_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("sent again by"),
    )  # although a newer payout looks like it
    attention = models.CharField(
        _("needs attention"), max_length=32, choices=Attention, default=Attention.NONE, blank=True
    )
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    release_at = models.DateTimeField(
        _("released at"),
        null=True,
        blank=True,
        help_text=_("Until then the last approval can be withdrawn."),
    )
    failure_code = models.CharField(_("failure code"), max_length=64, blank=True)
    failure_message = models.CharField(_("failure message"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    # The worker's own: not moves, so outside version and seal.
    due_at = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    lease_holder = models.CharField(max_length=80, default="", db_default="", editable=False)  # a cluster's name
    lost_leases = models.SmallIntegerField(default=0, editable=False)  # in a row
    news_at = models.DateTimeField(null=True, editable=False)  # of the last news, until a newer answer
    unreadable_since = models.DateTimeField(null=True, editable=False)  # our keys do not decrypt it
    # Why the worker puts a payout off that is due, as "velocity:recipient:day", and since when (actions/velocity.py).
    waits_for = models.CharField(max_length=32, default="", db_default="", editable=False)
    waits_since = models.DateTimeField(null=True, editable=False)

    event_head = models.BinaryField(max_length=vault.SEAL_BYTES)
    seal = models.BinaryField(max_length=vault.SEAL_BYTES)

    objects = PayoutQuerySet.as_manager()

    is_replay = False  # set on the answer to a repeated idempotency key

    class Meta:
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        ordering = ["-id"]
        default_permissions = ["view", "add"]
        permissions = [
            ("approve_payout", _("Can approve and reject payouts")),
            ("hold_payout", _("Can hold and release payouts")),
            ("cancel_payout", _("Can cancel payouts")),
            ("retry_payout", _("Can retry failed payouts")),
            ("route_payout", _("Can route payouts anew")),
            ("settle_payout", _("Can settle payouts by hand")),
            ("resolve_payout", _("Can resolve payouts whose outcome is unknown")),
            ("return_payout", _("Can record that the bank returned a payout")),
            ("reveal_payout", _("Can see recipients in clear")),
            ("export_payout", _("Can export payouts")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="payout_status_known"),
            models.CheckConstraint(condition=Q(user_id__gte=1), name="payout_user_id_positive"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lt=money.AMOUNT_LIMIT), name="payout_amount_in_range"
            ),
            models.CheckConstraint(condition=Q(amount=Round("amount", 4)), name="payout_amount_decimals"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="payout_currency_code"),
            models.CheckConstraint(
                condition=Q(client__isnull=False) | Q(maker__isnull=False), name="payout_has_a_maker"
            ),
            models.CheckConstraint(
                condition=Q(idempotency_key=None, request_hash=None)
                | Q(idempotency_key__isnull=False, request_hash__isnull=False, client__isnull=False),
                name="payout_idempotency_key_with_hash",
            ),
            models.UniqueConstraint(
                fields=["client", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="payout_one_per_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(held_at=None, held_by=None) | Q(held_at__isnull=False, held_by__isnull=False),
                name="payout_held_at_with_held_by",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=PAID) | Q(processed_at__isnull=False),
                name="payout_paid_has_processed_at",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.PROCESSING) | Q(approvals_given__gte=F("approvals_required")),
                name="payout_processing_is_approved",
            ),
            models.CheckConstraint(
                condition=Q(due_at=None) | Q(status__in=WATCHED, attention=""),
                name="payout_due_is_watched",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.PENDING)
                | Q(due_at=None)
                | Q(held_at=None, withdrawn_at=None, approvals_given__gte=F("approvals_required")),
                name="payout_due_is_ready",
            ),
            models.CheckConstraint(
                condition=Q(lease_token=None) | Q(due_at__isnull=False, status__in=LEASED),
                name="payout_lease_ends",
            ),
            models.CheckConstraint(
                condition=Q(waits_for="", waits_since=None) | (~Q(waits_for="") & Q(waits_since__isnull=False)),
                name="payout_waits_for_since",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None) | Q(status__in=[Status.CANCELLED, Status.REJECTED]),
                name="payout_withdrawn_is_closed",
            ),
        ]
        indexes = [
            # By provider, so that what one owes costs nothing while it is paused or silent (actions/due.py).
            models.Index(
                fields=["provider", "due_at"], condition=Q(due_at__isnull=False), name="payout_due_at_provider"
            ),
            models.Index(
                fields=["provider", "due_at"],
                condition=Q(due_at__isnull=False, lost_leases__gte=SUSPECT_LEASES),
                name="payout_suspect_at_provider",
            ),
            models.Index(fields=["client", "user_id", "-id"], condition=Q(withdrawn_at=None), name="payout_of_user"),
            models.Index(fields=["status", "-id"], name="payout_by_status"),
            models.Index(
                fields=["status", "created_at"],
                condition=Q(status__in=sorted(OPEN)),
                name="payout_open_by_age",
            ),
            # The same amount to the same recipient: of a recipient who gets very many it finds these alone.
            models.Index(fields=["recipient_index", "amount", "created_at"], name="payout_of_recipient_amount"),
            models.Index(fields=["-id"], condition=~Q(attention=""), name="payout_needs_attention"),
            models.Index(fields=["waits_for", "waits_since"], condition=~Q(waits_for=""), name="payout_waits"),
            # Payouts are created in the order of their rows, so ranges of pages tell the days apart.
            BrinIndex(fields=["created_at"], autosummarize=True, pages_per_range=32, name="payout_by_creation"),
            models.Index(
                fields=["processed_at"],
                include=["currency", "amount"],
                condition=Q(processed_at__isnull=False),
                name="payout_by_day",
            ),
            # The approvals queue, oldest first: what waits for a decision, and what somebody put on hold.
            models.Index(
                fields=["id"],
                condition=Q(status=Status.PENDING, approvals_given__lt=F("approvals_required")),
                name="payout_awaits_approval",
            ),
            models.Index(
                fields=["id"], condition=Q(status=Status.PENDING, held_at__isnull=False), name="payout_on_hold"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {money.shown(self.amount, self.currency)}"

    @property
    def stage(self) -> Stage:
        """The status, with *pending* told apart by what it waits for."""
        if self.status != Status.PENDING:
            return Stage(self.status)
        if self.held_at or self.attention:
            return Stage.HELD
        if not self.is_approved:
            return Stage.AWAITING_APPROVAL
        if self.not_before and self.not_before > timezone.now():
            return Stage.SCHEDULED
        return Stage.READY

    @property
    def not_before(self) -> datetime | None:
        """When it may be paid at the earliest: its own time, or the end of the release delay."""
        times = [moment for moment in (self.scheduled_for, self.release_at) if moment]
        return max(times, default=None)

    @property
    def is_approved(self) -> bool:
        return self.approvals_given >= self.approvals_required

    @property
    def terms(self) -> bytes:
        """Seal of what would be paid to whom, computed from the row. Raises vault.UnreadableError."""
        return terms_hash(self.amount, self.currency, self.token_details)

    @property
    def is_sealed(self) -> bool:
        """Whether nobody but payouts.actions has changed the sealed facts."""
        return bytes(self.seal) == self.expected_seal(like=self.seal)

    @property
    def is_sealed_but_for_flag(self) -> bool:
        """Whether it is as payouts.actions has written it, but for the flag `altered`, which is set unsealed."""
        return bytes(self.seal) == self.expected_seal(like=self.seal, has_flag=False)

    def expected_seal(self, *, like: vault.Stored = b"", has_flag: bool = True) -> bytes:
        """The seal of the row's facts that SQL alone must not change; with `like`, to be compared with that one."""
        return vault.seal(
            "payout",
            str(self.reference),
            bytes(self.event_head).hex(),
            bytes(self.terms_hash).hex(),
            self.client_id,
            self.maker_id,
            self.user_id,
            self.comment,
            vault.canonical(self.recipient_masked).decode(),
            bytes(self.recipient_index).hex(),
            stamp(self.created_at),
            self.provider,
            self.idempotency_key,
            bytes(self.request_hash or b"").hex(),
            self.status,
            self.version,
            self.approvals_required,
            self.approvals_given,
            stamp(self.held_at),
            self.held_by_id,
            self.attention if has_flag else Attention.NONE,
            stamp(self.scheduled_for),
            stamp(self.processed_at),
            stamp(self.withdrawn_at),
            stamp(self.release_at),
            *([self.sent_again_by_id] if self.sent_again_by_id else []),
            like=like,
        )


def terms_hash(amount: Decimal, currency: str, recipient: dict[str, Any]) -> bytes:
    """What an approval is bound to: amount, currency and recipient, under a key that SQL does not have."""
    return vault.fingerprint("terms", money.plain(amount.normalize()), currency, vault.canonical(recipient).decode())
