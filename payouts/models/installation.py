"""What this database is, when it was found to be another one, and the payments that only the provider knows."""

import uuid
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.payout import Payout
from payouts.models.stamps import stamp
from payouts.providers import registry

# By connection, because a process outlives the database that it is connected to.
_namespaces: "WeakKeyDictionary[object, uuid.UUID]" = WeakKeyDictionary()


class Installation(models.Model):
    """What this database is: one row, made by the migration, with a namespace that never changes.

    The rest is stored when a cluster first starts, and compared at every claim (payouts/actions/recovery.py).
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    namespace = models.UUIDField(unique=True, editable=False)
    name = models.CharField(_("installation"), max_length=64, blank=True)
    system_identifier = models.BigIntegerField(null=True)
    timeline = models.BigIntegerField(null=True)
    database_oid = models.BigIntegerField(null=True)
    table_oid = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="installation_is_one"),
            models.CheckConstraint(
                condition=Q(name="", system_identifier=None, timeline=None, database_oid=None, table_oid=None)
                | (
                    ~Q(name="")
                    & Q(
                        system_identifier__isnull=False,
                        timeline__isnull=False,
                        database_oid__isnull=False,
                        table_oid__isnull=False,
                    )
                ),
                name="installation_known_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def namespace() -> uuid.UUID:
    """What references are derived in; read once for each connection."""
    connection.ensure_connection()
    driver = connection.connection
    if driver not in _namespaces:
        _namespaces[driver] = Installation.objects.values_list("namespace", flat=True).get()
    return _namespaces[driver]


class Recovery(models.Model):
    """A time in which the database may have forgotten payments; two people end it, on evidence.

    While one is open, the provider is asked before every payment whether it has been made.
    """

    class Cause(models.TextChoices):
        CHANGED = "changed", _("the database is another one")
        BY_HAND = "by_hand", _("begun by hand")
        ADOPTED = "adopted", _("the installation was renamed")

    cause = models.CharField(_("cause"), max_length=16, choices=Cause)
    reason = models.CharField(_("reason"), max_length=1000, help_text=_("What differs, or what somebody said."))
    began_at = models.DateTimeField(_("began at"), db_default=Now())
    begun_by = models.CharField(_("begun by"), max_length=200)
    proposed_at = models.DateTimeField(_("end proposed at"), null=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("end proposed by"),
    )
    evidence = models.CharField(_("evidence"), max_length=1000, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("ended by")
    )
    end_reason = models.CharField(_("reason to end"), max_length=1000, blank=True)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES, null=True, editable=False)

    class Meta:
        verbose_name = _("recovery")
        verbose_name_plural = _("recoveries")
        default_permissions = ["view"]
        permissions = [("end_recovery", _("Can begin and end recovery mode"))]
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="recovery_has_a_reason"),
            models.CheckConstraint(
                condition=Q(proposed_at=None, proposed_by=None, evidence="")
                | (Q(proposed_at__isnull=False, proposed_by__isnull=False) & ~Q(evidence="")),
                name="recovery_proposed_on_evidence",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None, end_reason="")
                | (Q(ended_at__isnull=False, ended_by__isnull=False, proposed_by__isnull=False) & ~Q(end_reason="")),
                name="recovery_ended_after_proposal",
            ),
            models.CheckConstraint(
                condition=Q(ended_by=None) | ~Q(ended_by=F("proposed_by")),
                name="recovery_takes_two_people",
                violation_error_message=_("You proposed to end it, so another person must confirm."),
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(ended_at=None), name="recovery_open")]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M}"

    @property
    def is_sealed(self) -> bool:
        """Whether payouts.actions.recovery wrote the row as it is."""
        return bool(self.facts_seal) and bytes(self.facts_seal or b"") == self.expected_seal(like=self.facts_seal)

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        """With `like`, to be compared with that seal. Retired keys verify it too: what has ended is history."""
        return vault.seal(
            "recovery",
            *(self.pk, self.cause, self.reason, stamp(self.began_at), self.begun_by),
            *(stamp(self.proposed_at), self.proposed_by_id, self.evidence),
            *(stamp(self.ended_at), self.ended_by_id, self.end_reason),
            like=like,
            is_history=True,
        )


class UnknownPayment(models.Model):
    """A payment that the provider has under a key for which we have no attempt: the database may have forgotten it.

    Closed by a person with a reason, or by the payout that is claimed under its key after all.
    """

    class Source(models.TextChoices):
        WEBHOOK = "webhook", _("webhook")
        REPORT = "report", _("provider report")
        LOOK_UP = "look_up", _("look-up")

    provider = models.CharField(_("provider"), max_length=32, default=registry.UNNAMED)
    reference = models.UUIDField(_("idempotency key"))
    provider_id = models.CharField(_("provider's ID"), max_length=128, blank=True)
    amount = models.DecimalField(_("amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    reported = models.CharField(_("reported status"), max_length=16)
    source = models.CharField(_("heard from"), max_length=16, choices=Source)
    detail = models.CharField(_("details"), max_length=300, blank=True)
    heard_at = models.DateTimeField(_("heard at"), db_default=Now())
    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("payout")
    )
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("closed by")
    )
    close_reason = models.CharField(_("reason to close"), max_length=1000, blank=True)

    class Meta:
        verbose_name = _("unknown payment")
        verbose_name_plural = _("unknown payments")
        default_permissions = ["view"]
        permissions = [("close_unknownpayment", _("Can close unknown payments"))]
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "reference"], name="unknown_payment_once"),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None, close_reason="")
                | (Q(closed_at__isnull=False, closed_by__isnull=False) & ~Q(close_reason=""))
                | Q(closed_at__isnull=False, closed_by=None, close_reason="", payout__isnull=False),
                name="unknown_payment_closed_by",
            ),
        ]
        indexes = [models.Index(fields=["-id"], condition=Q(closed_at=None), name="unknown_payment_open")]

    def __str__(self) -> str:
        return str(self.reference)
