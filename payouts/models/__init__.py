"""What is stored, and what must always hold of it: every rule that the database can say is a named constraint.

Rows are written by `actions.py` alone and never deleted.
"""

import base64
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Round
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from payouts import money, vault
from payouts.models.history import History
from payouts.states import OPEN, PAID, Stage, Status


class Scope(models.TextChoices):
    READ = "payouts:read", _("read payouts")
    WRITE = "payouts:write", _("submit and cancel payouts")
    SETTLE = "payouts:settle", _("settle payouts by hand")
    REVEAL = "payouts:reveal", _("see recipients in clear")


class ApiClient(models.Model):
    """A system that uses the API. Its payouts are its own; its owner is the maker of what it submits."""

    name = models.SlugField(_("name"), max_length=64, unique=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="api_clients",
        verbose_name=_("owner"),
        help_text=_("The person answerable for it: counted as the maker of its payouts, so may not approve them."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    history = History()

    class Meta:
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")

    def __str__(self) -> str:
        return self.name


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)


class ApiKey(models.Model):
    """One secret of a client: 256 random bits, of which only the SHA-256 is kept."""

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="keys", verbose_name=_("client"))
    prefix = models.CharField(_("prefix"), max_length=12, unique=True)
    secret_hash = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope), verbose_name=_("scopes"))
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()
    history = History(without=("secret_hash", "last_used_at"))

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.client.name}: {self.prefix}…"

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class ApprovalBand(models.Model):
    """From this amount on, in this currency, so many people must approve."""

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
        _check_currency(self.currency)


def _check_currency(code: str) -> None:
    """Raises ValidationError."""
    try:
        money.minor_units(code)
    except money.AmountError as error:
        raise ValidationError({"currency": str(error)}) from error


class ReviewFlag(models.TextChoices):
    """What staff should look at before they let a payout go; it never refuses one."""

    POSSIBLE_DUPLICATE = (
        "possible_duplicate",
        _("the same amount for the same recipient and user came in within ten minutes before"),
    )
    ABOVE_RECIPIENT_LIMIT = "above_recipient_limit", _("with it, the recipient's limit of 24 hours is exceeded")
    ABOVE_DAY_LIMIT = "above_day_limit", _("with it, the day's limit of the currency is exceeded")
    CARD_CHECKSUM = "card_checksum", _("the card number fails its checksum")
    IBAN_CHECKSUM = "iban_checksum", _("the IBAN fails its checksum")


class ReviewRule(models.Model):
    """What a review flag does: it is shown, or it asks for one approval more (one in all, however many flags ask)."""

    class Effect(models.TextChoices):
        NOTE = "note", _("note: shown to staff")
        ASK = "ask", _("ask: one approval more")

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
        return self.flag


class PayoutLimit(models.Model):
    """How much may be submitted in a currency before staff are told: to one recipient in 24 hours, in all in a day.

    A day is one of UTC. `used_amount` is what was submitted on `used_on` since the day's limit was set.
    """

    currency = models.CharField(_("currency"), max_length=3, unique=True)
    recipient_amount = models.DecimalField(
        _("limit of a recipient"), null=True, blank=True, help_text=_("For one recipient within 24 hours.")
    )
    day_amount = models.DecimalField(
        _("limit of a day"), null=True, blank=True, help_text=_("For all payouts of one day (UTC) together.")
    )
    used_on = models.DateField(null=True, editable=False)
    used_amount = models.DecimalField(default=0, db_default=0, editable=False)

    history = History(without=("used_on", "used_amount"))

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

    def clean(self) -> None:
        _check_currency(self.currency)


class Attention(models.TextChoices):
    """Why the worker leaves a payout alone until a person has looked at it."""

    NONE = "", ""
    ALTERED = "altered", _("its row was changed outside the product")
    TERMS_CHANGED = "terms_changed", _("the amount or the recipient differs from what was submitted")
    APPROVALS_MISSING = "approvals_missing", _("its approvals do not cover what would be paid")
    UNREADABLE = "unreadable", _("the recipient cannot be decrypted")
    UNPAYABLE = "unpayable", _("its amount or currency cannot be paid")
    NOT_FOUND = "not_found", _("the provider has nothing under its key, which may not be sent again")
    TOO_MANY_CALLS = "too_many_calls", _("the provider was asked too often without a clear answer")
    UNWORKABLE = "unworkable", _("the worker failed at it again and again")
    CONTRADICTED = "contradicted", _("the provider says something else than what is recorded")
    AMOUNT_DIFFERS = "amount_differs", _("the provider reports another amount")
    MISSING = "missing", _("the provider's report does not have it")


# The worker may have to look at these. A processed one, when the provider says that it has news of it.
WATCHED = (Status.PENDING, Status.PROCESSING, Status.UNKNOWN, Status.PROCESSED)
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


class Payout(models.Model):
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
    attention = models.CharField(
        _("needs attention"), max_length=32, choices=Attention, default=Attention.NONE, blank=True
    )
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    release_at = models.DateTimeField(
        _("released at"),
        null=True,
        blank=True,
        help_text=_("Until then the last approval can be taken back."),
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
    lost_leases = models.SmallIntegerField(default=0, db_default=0, editable=False)  # in a row
    news_at = models.DateTimeField(null=True, editable=False)  # of the last news, until a newer answer

    event_head = models.BinaryField(max_length=32)
    seal = models.BinaryField(max_length=32)

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
                condition=Q(lease_token=None)
                | Q(due_at__isnull=False, status__in=[Status.PROCESSING, Status.UNKNOWN, Status.PROCESSED]),
                name="payout_lease_ends",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None) | Q(status__in=[Status.CANCELLED, Status.REJECTED]),
                name="payout_withdrawn_is_closed",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="payout_due"),
            models.Index(fields=["due_at"], condition=Q(lost_leases__gte=SUSPECT_LEASES), name="payout_suspect"),
            models.Index(fields=["client", "user_id", "-id"], condition=Q(withdrawn_at=None), name="payout_of_user"),
            models.Index(fields=["status", "-id"], name="payout_by_status"),
            models.Index(
                fields=["status", "created_at"],
                condition=Q(status__in=sorted(OPEN)),
                name="payout_open_by_age",
            ),
            models.Index(fields=["recipient_index", "created_at"], name="payout_of_recipient"),
            models.Index(fields=["-id"], condition=~Q(attention=""), name="payout_needs_attention"),
            # Payouts are created in the order of their rows, so ranges of pages tell the days apart.
            BrinIndex(fields=["created_at"], autosummarize=True, pages_per_range=32, name="payout_by_creation"),
            models.Index(
                fields=["processed_at"],
                include=["currency", "amount"],
                condition=Q(processed_at__isnull=False),
                name="payout_by_day",
            ),
            # The approvals queue, oldest first: what waits for a voice, and what somebody put aside.
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
        return terms_hash(self.amount, self.currency, self.recipient_details)

    @property
    def recipient_details(self) -> dict[str, Any]:
        """In clear. Raises vault.UnreadableError."""
        return vault.decrypt(self.recipient)

    def expected_seal(self) -> bytes:
        """The facts of the row that SQL alone must not change, sealed."""
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
            self.attention,
            stamp(self.scheduled_for),
            stamp(self.processed_at),
            stamp(self.withdrawn_at),
            *([stamp(self.release_at)] if self.release_at else []),  # older rows were sealed without
        )


def terms_hash(amount: Decimal, currency: str, recipient: dict[str, Any]) -> bytes:
    """What an approval is bound to: amount, currency and recipient, under a key that SQL does not have."""
    return vault.seal("terms", money.plain(amount.normalize()), currency, vault.canonical(recipient).decode())


def stamp(moment: datetime | None) -> str | None:
    """One spelling for one instant, whatever its zone."""
    return moment.astimezone(UTC).isoformat() if moment else None


class EventName(models.TextChoices):
    SUBMITTED = "submitted", _("submitted")
    APPROVED = "approved", _("approved")
    APPROVAL_WITHDRAWN = "approval_withdrawn", _("approval taken back")
    REJECTED = "rejected", _("rejected")
    HELD = "held", _("put on hold")
    RELEASED = "released", _("released")
    SCHEDULED = "scheduled", _("scheduled")
    CANCELLED = "cancelled", _("cancelled")
    WITHDRAWN = "withdrawn", _("withdrawn")
    SETTLED = "settled", _("settled by hand")
    CLAIMED = "claimed", _("sent to the provider")
    ACCEPTED = "accepted", _("accepted by the provider")
    SUCCEEDED = "succeeded", _("paid")
    REFUSED = "refused", _("refused by the provider")
    OUTCOME_UNKNOWN = "outcome_unknown", _("outcome unknown")
    FLAGGED = "flagged", _("needs attention")
    ASKED = "asked", _("the provider is to be asked now")
    RETRIED = "retried", _("retried")
    RESOLUTION_PROPOSED = "resolution_proposed", _("resolution proposed")
    RESOLVED = "resolved", _("resolved by hand")
    RETURNED = "returned", _("returned by the bank")
    RECONCILED = "reconciled", _("settled by the provider's report")
    REVEALED = "revealed", _("recipient revealed")


class Event(models.Model):
    """The append-only record of one thing that happened to a payout; a trigger refuses changes and deletions.

    `mac` seals the event and, through the event before, all that came earlier.
    """

    # No index of its own: the unique pairs with seq serve, and every event that is written saves one.
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, related_name="events", db_index=False, verbose_name=_("payout")
    )
    seq = models.PositiveIntegerField(_("number"))
    event = models.CharField(_("event"), max_length=32, choices=EventName)
    from_status = models.CharField(_("from"), max_length=16, choices=Status, null=True)
    to_status = models.CharField(_("to"), max_length=16, choices=Status)
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=200)
    reason = models.CharField(_("reason"), max_length=1000, blank=True)
    trace_id = models.CharField(_("request ID"), max_length=128, blank=True)
    facts = models.JSONField(_("facts"), default=dict)
    mac = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ["view"]
        ordering = ["payout", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["payout", "seq"], name="event_seq_unique"),
            models.CheckConstraint(
                condition=(Q(from_status=None) | Q(from_status__in=Status.values)) & Q(to_status__in=Status.values),
                name="event_status_known",
            ),
            models.CheckConstraint(
                condition=Q(seq=1, from_status=None) | Q(seq__gt=1, from_status__isnull=False),
                name="event_first_has_no_origin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq}. {self.event}"

    def expected_mac(self, previous: bytes, reference: uuid.UUID) -> bytes:
        """The seal of this event after `previous`, the mac of the event before (empty for the first)."""
        return vault.seal(
            "event",
            previous.hex(),
            str(reference),
            self.seq,
            self.event,
            self.from_status,
            self.to_status,
            stamp(self.at),
            self.actor,
            self.reason,
            self.trace_id,
            vault.canonical(self.facts).decode(),
        )


class Attempt(models.Model):
    """One idempotency key at one provider: committed before the first call, and used for ever for this attempt."""

    class Outcome(models.TextChoices):
        OPEN = "open", _("not known yet")
        SUCCEEDED = "succeeded", _("paid")
        REFUSED = "refused", _("definitely refused")

    reference = models.UUIDField(_("idempotency key"), default=uuid.uuid4, unique=True)
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, related_name="attempts", db_index=False, verbose_name=_("payout")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    provider = models.CharField(_("provider"), max_length=32)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, default=Outcome.OPEN)
    calls = models.PositiveSmallIntegerField(_("calls"), default=0)
    provider_id = models.CharField(_("provider's ID"), max_length=128, blank=True)
    accepted_at = models.DateTimeField(_("accepted at"), null=True)
    last_called_at = models.DateTimeField(_("last called at"))
    last_code = models.CharField(_("last code"), max_length=64, blank=True)
    last_message = models.CharField(_("last message"), max_length=255, blank=True)
    last_answer = models.CharField(_("last answer"), max_length=1000, blank=True)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        default_permissions = ["view"]
        ordering = ["payout", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["payout"], condition=~Q(outcome="refused"), name="attempt_one_live_per_payout"
            ),
            models.UniqueConstraint(fields=["payout", "number"], name="attempt_number_unique"),
            models.CheckConstraint(
                condition=Q(outcome="open", finished_at=None)
                | Q(outcome__in=["succeeded", "refused"], finished_at__isnull=False),
                name="attempt_outcome_with_finished_at",
            ),
        ]
        indexes = [
            models.Index(fields=["provider_id"], condition=~Q(provider_id=""), name="attempt_by_provider_id"),
            # Attempts end roughly in the order of their rows, so ranges of pages tell the days of a report apart.
            BrinIndex(fields=["finished_at"], autosummarize=True, name="attempt_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.reference}"

    @property
    def key_expires_at(self) -> datetime:
        """Until when the provider is trusted to remember the key."""
        return self.created_at + timedelta(seconds=settings.PROVIDER_KEY_TTL_SECONDS)


class Exchange(models.Model):
    """What the provider answered to one call of an attempt, as it was understood. A call that died has none."""

    attempt = models.ForeignKey(
        Attempt,
        to_field="reference",
        on_delete=models.PROTECT,
        related_name="exchanges",
        db_index=False,
        verbose_name=_("attempt"),
    )
    call = models.PositiveSmallIntegerField(_("call"))
    called_at = models.DateTimeField(_("called at"))
    answered_at = models.DateTimeField(_("answered at"))
    verdict = models.CharField(_("understood as"), max_length=16)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    code = models.CharField(_("code"), max_length=64, blank=True)
    message = models.CharField(_("message"), max_length=255, blank=True)
    excerpt = models.CharField(_("answer, masked"), max_length=1000, blank=True)

    class Meta:
        verbose_name = _("exchange")
        verbose_name_plural = _("exchanges")
        default_permissions = ()
        ordering = ["attempt", "call"]
        constraints = [models.UniqueConstraint(fields=["attempt", "call"], name="exchange_once_per_call")]

    def __str__(self) -> str:
        return f"{self.call}: {self.verdict}"


class Approval(models.Model):
    """One checker's decision, bound to the terms that the checker saw.

    Without an attempt it lets the payout go; with one it is a voice on how that attempt ended, and takes evidence.
    A trigger keeps the payout's maker out of both. An approval that is taken back stays: the next voice of the same
    person withdraws it, so a person's odd voices approve and the even ones withdraw.
    """

    class Decision(models.TextChoices):
        APPROVE = "approve", _("approve")
        WITHDRAW = "withdraw", _("take the approval back")
        PAID = "paid", _("was paid")
        NOT_PAID = "not_paid", _("was not paid")

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="approvals", verbose_name=_("payout"))
    attempt = models.ForeignKey(
        Attempt, on_delete=models.PROTECT, null=True, related_name="resolutions", verbose_name=_("attempt")
    )
    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="approvals",
        verbose_name=_("checker"),
    )
    decision = models.CharField(_("decision"), max_length=16, choices=Decision)
    number = models.PositiveSmallIntegerField(
        _("number"), default=1, db_default=1, help_text=_("Of this person's voices on this payout.")
    )
    terms_hash = models.BinaryField(max_length=32)
    evidence = models.CharField(_("evidence"), max_length=1000, blank=True)
    at = models.DateTimeField(_("at"))
    mac = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        default_permissions = ["view"]
        constraints = [
            models.UniqueConstraint(
                fields=["payout", "checker", "number"], condition=Q(attempt=None), name="approval_voice_once"
            ),
            models.UniqueConstraint(
                fields=["attempt", "checker"],
                condition=Q(attempt__isnull=False),
                name="approval_resolution_nobody_twice",
            ),
            models.CheckConstraint(
                condition=Q(attempt=None, decision__in=["approve", "withdraw"])
                | (Q(attempt__isnull=False, decision__in=["paid", "not_paid"]) & ~Q(evidence="")),
                name="approval_resolution_has_evidence",
            ),
            models.CheckConstraint(
                condition=(~Q(decision="approve") | Q(number__in=[1, 3, 5, 7]))
                & (~Q(decision="withdraw") | Q(number__in=[2, 4, 6, 8])),
                name="approval_alternates",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.checker}: {self.decision}"

    def expected_mac(self, reference: uuid.UUID) -> bytes:
        return vault.seal(
            "approval",
            str(reference),
            self.attempt_id,
            self.checker_id,
            self.decision,
            bytes(self.terms_hash).hex(),
            self.evidence,
            stamp(self.at),
            *([self.number] if self.number > 1 else []),  # the first ones were sealed without
        )


class BulkDecision(models.Model):
    """One person's decision on many payouts: fixed when they were chosen, made when the person confirms it."""

    class Verb(models.TextChoices):
        APPROVE = "approve", _("approve")
        HOLD = "hold", _("hold")
        RELEASE = "release", _("release")
        RETRY = "retry", _("retry")
        CANCEL = "cancel", _("cancel")

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("by"))
    verb = models.CharField(_("decision"), max_length=16, choices=Verb)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    reason = models.CharField(_("reason"), max_length=1000, blank=True, db_default="")
    decided_at = models.DateTimeField(_("decided at"), null=True)

    class Meta:
        verbose_name = _("bulk decision")
        verbose_name_plural = _("bulk decisions")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(verb__in=["approve", "hold", "release", "retry", "cancel"]),
                name="bulk_decision_verb_known",
            ),
            models.CheckConstraint(
                condition=Q(decided_at=None, reason="") | (Q(decided_at__isnull=False) & ~Q(reason="")),
                name="bulk_decision_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.verb}"


class BulkItem(models.Model):
    """One payout of a bulk decision: the version that the person saw, and what became of it."""

    class Result(models.TextChoices):
        WAITING = "", _("not decided yet")
        DONE = "done", _("done")
        SKIPPED = "skipped", _("skipped")
        FAILED = "failed", _("failed")

    # The unique pairs serve; a payout is never asked for its bulk decisions.
    bulk = models.ForeignKey(
        BulkDecision, on_delete=models.PROTECT, related_name="items", db_index=False, verbose_name=_("bulk decision")
    )
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name=_("payout")
    )
    version = models.PositiveIntegerField(_("version"))
    result = models.CharField(
        _("result"), max_length=16, choices=Result, default=Result.WAITING, blank=True, db_default=""
    )
    message = models.CharField(_("message"), max_length=1000, blank=True, db_default="")

    class Meta:
        verbose_name = _("payout of a bulk decision")
        verbose_name_plural = _("payouts of a bulk decision")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["bulk", "payout"], name="bulk_item_once"),
            models.CheckConstraint(
                condition=Q(result__in=["", "done"], message="")
                | (Q(result__in=["skipped", "failed"]) & ~Q(message="")),
                name="bulk_item_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payout_id}: {self.result}"


class Heartbeat(models.Model):
    """The last sign of life of one cluster: its sweep writes it."""

    cluster = models.CharField(_("cluster"), max_length=64, primary_key=True)
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    beat_at = models.DateTimeField(_("last beat at"), db_default=Now())

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        default_permissions = ["view"]

    def __str__(self) -> str:
        return self.cluster


class Breaker(models.Model):
    """The circuit breaker of one provider, shared by all workers; no row, or no `open_until`, is closed."""

    provider = models.CharField(_("provider"), max_length=32, primary_key=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    trips = models.PositiveSmallIntegerField(_("times opened in a row"), default=0)
    open_until = models.DateTimeField(_("no calls before"), null=True)
    probing_since = models.DateTimeField(_("probing since"), null=True)

    class Meta:
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")
        default_permissions = ["view"]

    def __str__(self) -> str:
        return self.provider


class ProviderPause(models.Model):
    """A person has stopped all calls to a provider; it goes on when another person has said so."""

    provider = models.CharField(_("provider"), max_length=32)
    paused_at = models.DateTimeField(_("paused at"), db_default=Now())
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("paused by")
    )
    pause_reason = models.CharField(_("reason for the pause"), max_length=1000)
    resumed_at = models.DateTimeField(_("resumed at"), null=True)
    resumed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("resumed by")
    )
    resume_reason = models.CharField(_("reason to resume"), max_length=1000, blank=True)

    class Meta:
        verbose_name = _("provider pause")
        verbose_name_plural = _("provider pauses")
        default_permissions = ["view"]
        permissions = [("pause_providerpause", _("Can pause and resume providers"))]
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider"], condition=Q(resumed_at=None), name="provider_pause_one_open"
            ),
            models.CheckConstraint(condition=~Q(pause_reason=""), name="provider_pause_has_a_reason"),
            models.CheckConstraint(
                condition=Q(resumed_at=None, resumed_by=None, resume_reason="")
                | (Q(resumed_at__isnull=False, resumed_by__isnull=False) & ~Q(resume_reason="")),
                name="provider_pause_resumed_at_with_resumed_by",
            ),
            models.CheckConstraint(
                condition=Q(resumed_by=None) | ~Q(resumed_by=F("paused_by")),
                name="provider_pause_takes_two_people",
                violation_error_message=_("You paused it, so another person must resume it."),
            ),
        ]

    def __str__(self) -> str:
        return self.provider


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


class WebhookMessage(models.Model):
    """A webhook that was heard; the same one again says nothing new."""

    message_id = models.CharField(_("message ID"), max_length=255, primary_key=True)
    reference = models.UUIDField(_("idempotency key"), null=True, help_text=_("Of the attempt that it is about."))
    reported = models.CharField(_("reported status"), max_length=16, blank=True, db_default="")
    received_at = models.DateTimeField(_("received at"), db_default=Now(), db_index=True)

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        default_permissions = ()
        indexes = [
            models.Index(fields=["reference"], condition=Q(reference__isnull=False), name="webhook_by_reference")
        ]

    def __str__(self) -> str:
        return self.message_id


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
        UNWORKABLE = "unworkable", _("the worker failed at it: its log says why")

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    asked_at = models.DateTimeField(_("asked for at"), db_default=Now())
    query = models.CharField(_("filter"), max_length=1000, blank=True, help_text=_("As in the list's address."))
    format = models.CharField(_("format"), max_length=8, choices=Format)
    up_to_id = models.BigIntegerField(editable=False)  # no payout that came later
    rows_total = models.PositiveIntegerField(_("payouts in all"), null=True)  # counted when the writing begins
    rows_done = models.PositiveIntegerField(_("payouts written"), default=0, db_default=0)
    last_id = models.BigIntegerField(default=0, db_default=0, editable=False)  # all up to here are looked at
    size_bytes = models.BigIntegerField(_("size"), default=0, db_default=0)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)
    failed_at = models.DateTimeField(_("failed at"), null=True)
    failure = models.CharField(
        _("failure"), max_length=16, choices=Failure, default=Failure.NONE, db_default="", blank=True
    )
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
    rung_at = models.DateTimeField(db_default=Now(), editable=False)  # when a task for it last began or went on
    lease_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    lost_leases = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)  # in a row

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
        """Of the file."""
        return f"payouts-{self.asked_at.astimezone(UTC):%Y-%m-%dT%H%M}Z-{self.pk}.{self.format}"

    @property
    def is_open(self) -> bool:
        return self.finished_at is None and self.failed_at is None and self.cancelled_at is None

    @property
    def is_kept(self) -> bool:
        """Whether there is a whole file to take."""
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


class ProviderReport(models.Model):
    """A provider's list of what became of its payments, uploaded by a person; its lines are applied one by one."""

    provider = models.CharField(_("provider"), max_length=32, default="http")
    name = models.CharField(_("file"), max_length=255)
    content_hash = models.BinaryField(max_length=32, unique=True)
    from_on = models.DateField(_("from day"), null=True, blank=True)
    to_on = models.DateField(_("to day"), null=True, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"), db_default=Now())
    applied_at = models.DateTimeField(_("applied at"), null=True)
    rung_at = models.DateTimeField(null=True, editable=False)  # when a task for it last began or went on

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
        SETTLED = "settled", _("settled")
        RETURNED = "returned", _("returned")
        ASKED = "asked", _("the provider is asked")
        AMOUNT_DIFFERS = "amount_differs", _("amount differs")
        CONTRADICTS = "contradicts", _("contradicts our record")
        NOT_OURS = "not_ours", _("not a payment of ours")
        MISSING = "missing", _("missing in the report")
        OWN = "own", _("made by the person who uploaded the report")
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
    result = models.CharField(
        _("result"), max_length=16, choices=Result, default=Result.WAITING, blank=True, db_default=""
    )

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


class SavedView(models.Model):
    """A filter of the payouts list under a name of its owner's."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="saved_views",
        db_index=False,
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(_("query"), max_length=1000)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        default_permissions = ()
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_unique")]

    def __str__(self) -> str:
        return self.name


# People


class Authenticator(TOTPDevice):  # type: ignore[misc]
    """A person's authenticator app. The row holds no key: the key is derived from it under EVENT_HMAC_KEY.

    So who reads the database can make no code, and who writes to it can give nobody an authenticator of theirs.
    """

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")

    @property
    def bin_key(self) -> bytes:
        return vault.seal("authenticator", self.user_id, self.key)[:20]


class BackupCodes(StaticDevice):  # type: ignore[misc]
    """A person's codes for the day without the phone, each good once; only their HMAC is kept."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("backup codes")
        verbose_name_plural = _("backup codes")

    def sealed(self, code: str) -> str:
        return base64.b32encode(vault.seal("backup-code", self.user_id, code)[:10]).decode().lower()

    def verify_token(self, token: str) -> bool:
        is_right: bool = super().verify_token(self.sealed(token))
        return is_right


class AccessEvent(models.Model):
    """Somebody came in, went, was refused, or changed how they come in."""

    class Kind(models.TextChoices):
        LOGGED_IN = "logged_in", _("logged in")
        LOGGED_OUT = "logged_out", _("logged out")
        IDLE = "idle", _("session ended after no activity")
        EXPIRED = "expired", _("session ended at its time limit")
        LOGIN_FAILED = "login_failed", _("login refused")
        LOCKED_OUT = "locked_out", _("locked out after too many refusals")
        CODE_ACCEPTED = "code_accepted", _("confirmed the second factor")
        BACKUP_CODE_USED = "backup_code_used", _("confirmed the second factor with a backup code")
        CODE_REFUSED = "code_refused", _("second factor refused")
        SET_UP = "set_up", _("set up a second factor")
        REPLACED = "replaced", _("replaced the second factor")
        CODES_MADE = "codes_made", _("made new backup codes")
        REMOVED = "removed", _("second factor removed on the server")
        PASSWORD_SET = "password_set", _("has a new password")

    at = models.DateTimeField(_("time"), db_default=Now())
    kind = models.CharField(_("what"), max_length=32, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("person"),
    )
    address = models.GenericIPAddressField(_("address"), null=True)
    trace_id = models.CharField(_("request ID"), max_length=128, blank=True)

    class Meta:
        verbose_name = _("access event")
        verbose_name_plural = _("access log")
        default_permissions = ["view"]
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="access_event_of_user"),
            models.Index(fields=["address", "-id"], name="access_event_from"),
        ]

    def __str__(self) -> str:
        return f"{self.at}: {self.kind}"


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
    revision = models.PositiveIntegerField(default=1)
    rows_seal = models.BinaryField(max_length=32, null=True)
    facts_seal = models.BinaryField(max_length=32)

    # The worker's own, outside the seal.
    finished_at = models.DateTimeField(_("finished at"), null=True)
    altered_at = models.DateTimeField(_("found altered at"), null=True)
    rung_at = models.DateTimeField(null=True, editable=False)  # when a task for it last began or went on
    tries = models.PositiveSmallIntegerField(default=0)  # begun without having stored a row

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
        return BatchState.SUBMITTED if self.finished_at else BatchState.SUBMITTING

    @property
    def version(self) -> int:
        """What a dialog holds against the batch that it was opened on."""
        return self.revision

    @property
    def rows_valid(self) -> int:
        return (self.rows_total or 0) - self.rows_wrong

    def expected_facts_seal(self) -> bytes:
        """What people decided about it, sealed."""
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
        )


class BatchState(models.TextChoices):
    """Where a batch stands, told by its facts (`Batch.state`)."""

    CHECKING = "checking", _("Being checked")
    REFUSED = "refused", _("Cannot be read")
    PREVIEW = "preview", _("To send for approval")
    AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
    SUBMITTING = "submitting", _("Being submitted")
    SUBMITTED = "submitted", _("Submitted")
    REJECTED = "rejected", _("Rejected")
    DISCARDED = "discarded", _("Discarded")
    ALTERED = "altered", _("Changed outside the product")


class BatchRow(models.Model):
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
    row_seal = models.BinaryField(max_length=32)
    payout = models.OneToOneField(
        Payout, on_delete=models.PROTECT, null=True, related_name="batch_row", verbose_name=_("payout")
    )
    refusal = models.JSONField(null=True)  # why it became no payout: [code, parameters]

    class Meta:
        verbose_name = _("batch row")
        verbose_name_plural = _("batch rows")
        default_permissions = ()
        ordering = ["batch", "number"]
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

    def expected_row_seal(self) -> bytes:
        """What would be paid to whom, sealed with the row's place."""
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
        )
