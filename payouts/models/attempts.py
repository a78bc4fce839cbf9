"""One payout's attempts at a provider, what each call was answered, and what people decided."""

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.payout import Payout
from payouts.models.stamps import stamp
from payouts.providers import registry


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
    account = models.CharField(
        _("account"),
        max_length=16,
        default="",
        db_default="",
        blank=True,
        help_text=_("A fingerprint of the provider's account that it was sent to."),
    )
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, default=Outcome.OPEN)
    calls = models.PositiveSmallIntegerField(_("calls"), default=0)
    provider_id = models.CharField(_("provider's ID"), max_length=128, blank=True)
    accepted_at = models.DateTimeField(_("accepted at"), null=True)
    last_called_at = models.DateTimeField(_("last called at"))
    last_code = models.CharField(_("last code"), max_length=64, blank=True)
    last_message = models.CharField(_("last message"), max_length=255, blank=True)
    last_answer = models.CharField(_("last answer"), max_length=1000, blank=True)
    fee = models.DecimalField(_("provider's fee"), null=True)  # in the payout's currency, as far as it was told
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
        return self.created_at + registry.key_life(self.provider)


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
        indexes = [
            # Written in the order of time, so ranges of pages tell the minutes apart.
            BrinIndex(fields=["answered_at"], autosummarize=True, pages_per_range=16, name="exchange_by_minute"),
        ]

    def __str__(self) -> str:
        return f"{self.call}: {self.verdict}"


class Confirmation(models.Model):
    """That a payout with the flag `altered` is what the product wrote: one person says so, another agrees.

    Sealed over the row's own seal, so that SQL can give nobody's voice, and none for another row.
    """

    payout = models.ForeignKey(
        Payout, on_delete=models.PROTECT, related_name="confirmations", verbose_name=_("payout")
    )
    version = models.PositiveIntegerField(_("version"))
    said_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("confirmed by")
    )
    said_at = models.DateTimeField(_("at"))
    evidence = models.CharField(_("evidence"), max_length=1000)
    agreed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("agreed by"),
    )
    mac = models.BinaryField(max_length=vault.SEAL_BYTES)

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["payout", "version"], name="confirmation_once"),
            models.CheckConstraint(condition=~Q(evidence=""), name="confirmation_has_evidence"),
            models.CheckConstraint(
                condition=Q(agreed_by=None) | ~Q(agreed_by=F("said_by")),
                name="confirmation_takes_two_people",
                violation_error_message=_("You have confirmed it, so another person must agree."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payout_id}: {self.said_by}"

    @property
    def is_sealed(self) -> bool:
        return bytes(self.mac) == self.expected_mac(like=self.mac)

    def expected_mac(self, *, like: vault.Stored = b"") -> bytes:
        return vault.seal(
            "confirmation",
            str(self.payout.reference),
            bytes(self.payout.seal).hex(),
            self.version,
            self.said_by_id,
            stamp(self.said_at),
            self.evidence,
            like=like,
        )


class Approval(models.Model):
    """One checker's decision, bound to the terms that the checker saw.

    Without an attempt it lets the payout go; with one it says how that attempt ended, and takes evidence. A
    trigger keeps the payout's maker out of both. An approval that is taken back stays: the next decision of the same
    person withdraws it, so a person's odd decisions approve and the even ones withdraw.
    """

    class Decision(models.TextChoices):
        APPROVE = "approve", _("approve")
        WITHDRAW = "withdraw", _("withdraw the approval")
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
        _("number"), default=1, help_text=_("Of this person's decisions on this payout.")
    )
    terms_hash = models.BinaryField(max_length=32)
    evidence = models.CharField(_("evidence"), max_length=1000, blank=True)
    at = models.DateTimeField(_("at"))
    mac = models.BinaryField(max_length=vault.SEAL_BYTES)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        default_permissions = ["view"]
        constraints = [
            models.UniqueConstraint(
                fields=["payout", "checker", "number"], condition=Q(attempt=None), name="approval_voice_once"
            ),
            models.UniqueConstraint(
                fields=["attempt", "checker", "number"],
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

    def expected_mac(self, reference: uuid.UUID, *, like: vault.Stored = b"") -> bytes:
        """The seal of this decision on the payout of that reference; with `like`, to be compared with that one."""
        return vault.seal(
            "approval",
            str(reference),
            self.attempt_id,
            self.checker_id,
            self.decision,
            bytes(self.terms_hash).hex(),
            self.evidence,
            stamp(self.at),
            self.number,
            like=like,
            is_history=True,
        )
