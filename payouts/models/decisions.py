"""One person's decision on many payouts."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payouts.models.payout import Payout


class BulkDecision(models.Model):
    """One person's decision on many payouts: fixed when they were chosen, made when the person confirms it."""

    class Verb(models.TextChoices):
        APPROVE = "approve", _("approve")
        HOLD = "hold", _("hold")
        RELEASE = "release", _("release")
        RETRY = "retry", _("retry")
        CANCEL = "cancel", _("cancel")
        ROUTE = "route", _("route anew")

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("by"))
    verb = models.CharField(_("decision"), max_length=16, choices=Verb)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    reason = models.CharField(_("reason"), max_length=1000, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)

    class Meta:
        verbose_name = _("bulk decision")
        verbose_name_plural = _("bulk decisions")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(verb__in=["approve", "hold", "release", "retry", "cancel", "route"]),
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
    result = models.CharField(_("result"), max_length=16, choices=Result, default=Result.WAITING, blank=True)
    message = models.CharField(_("message"), max_length=1000, blank=True)

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
