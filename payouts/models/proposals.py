"""What one person proposes to change in the configuration, and who confirmed it."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.stamps import stamp


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def open(self) -> Self:
        """Those that somebody can still confirm."""
        return self.filter(decision="", expires_at__gt=Now())

    def in_force(self) -> Self:
        """Confirmed, and not yet expired: for what a confirmation allows for a time."""
        return self.filter(decision=Proposal.Decision.CONFIRMED, expires_at__gt=Now())

    def to_take(self) -> Self:
        """Confirmed keys that their proposers have not taken yet."""
        return self.filter(decision=Proposal.Decision.CONFIRMED, applied_at=None, expires_at__gt=Now())


class Proposal(models.Model):
    """A change of what decides over money: proposed by one person, in force by another's confirmation.

    payouts.configuration writes these rows and applies them. `before` and `after` are what the object was and is to
    be, without secrets; `object_id` is empty where a new one is proposed, and `result_id` then names what was made. A
    trigger refuses to change what was proposed, and to decide twice.
    """

    class Act(models.TextChoices):
        ADD = "add", _("add")
        CHANGE = "change", _("change")
        DELETE = "delete", _("delete")

    class Decision(models.TextChoices):
        CONFIRMED = "confirmed", _("confirmed")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("withdrawn")
        EXPIRED = "expired", _("expired")

    subject = models.CharField(_("subject"), max_length=32)
    object_id = models.CharField(max_length=64, blank=True)
    act = models.CharField(_("act"), max_length=8, choices=Act)
    title = models.CharField(_("what"), max_length=300, help_text=_("What it is about, as it was called then."))
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(_("reason"), max_length=1000)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("proposed by")
    )
    proposed_at = models.DateTimeField(_("proposed at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at"))
    decision = models.CharField(_("decision"), max_length=16, choices=Decision, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decision_reason = models.CharField(_("reason for the decision"), max_length=1000, blank=True)
    on_server = models.CharField(
        _("on the server"),
        max_length=200,
        blank=True,
        help_text=_("Who gave the command that stood for the second person."),
    )
    applied_at = models.DateTimeField(_("in force since"), null=True)
    result_id = models.CharField(max_length=64, blank=True)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        default_permissions = ["view"]
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "object_id"],
                condition=Q(decision="") & ~Q(object_id=""),
                name="proposal_one_open",
                violation_error_message=_("A change of this is proposed already."),
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None)
                | (Q(decision="withdrawn") & Q(decided_by=F("proposed_by")))
                | (~Q(decision="withdrawn") & ~Q(decided_by=F("proposed_by"))),
                name="proposal_takes_two_people",
                violation_error_message=_("You proposed it, so another person must confirm it."),
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_at=None, decided_by=None, on_server="", applied_at=None)
                | Q(decision="expired", decided_at__isnull=False, decided_by=None, on_server="", applied_at=None)
                | (
                    Q(decision__in=["confirmed", "declined", "withdrawn"], decided_at__isnull=False)
                    & (Q(decided_by__isnull=False, on_server="") | (Q(decided_by=None) & ~Q(on_server="")))
                ),
                name="proposal_decided_by",
            ),
            models.CheckConstraint(
                condition=Q(applied_at=None) | Q(decision="confirmed"), name="proposal_applied_when_confirmed"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="proposal_has_reason"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(decision=""), name="proposal_open")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return not self.decision and self.expires_at > timezone.now()

    @property
    def is_to_be_taken(self) -> bool:
        """Whether its proposer can take the key that was confirmed."""
        is_confirmed = self.decision == Proposal.Decision.CONFIRMED
        return is_confirmed and self.applied_at is None and self.expires_at > timezone.now()

    @property
    def is_sealed(self) -> bool:
        return bytes(self.facts_seal) == self.expected_seal(like=self.facts_seal)

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        """With `like`, to be compared with that seal. What has expired is history, which retired keys verify too."""
        return vault.seal(
            "proposal",
            self.pk,
            self.subject,
            self.object_id,
            self.act,
            self.title,
            vault.canonical(self.before).decode(),
            vault.canonical(self.after).decode(),
            self.reason,
            self.proposed_by_id,
            stamp(self.proposed_at),
            stamp(self.expires_at),
            self.decision,
            self.decided_by_id,
            stamp(self.decided_at),
            self.decision_reason,
            self.on_server,
            stamp(self.applied_at),
            self.result_id,
            like=like,
            is_history=self.expires_at <= timezone.now(),
        )
