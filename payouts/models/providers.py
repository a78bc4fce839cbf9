"""The state of each provider: its circuit breaker, its pauses, its webhooks, what is wrong with its settings."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


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
    """One person stops all calls to a provider; another person ends the pause."""

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


class WebhookMessage(models.Model):
    """A webhook that was received. The same message again is ignored."""

    message_id = models.CharField(_("message ID"), max_length=255, primary_key=True)
    reference = models.UUIDField(_("idempotency key"), null=True, help_text=_("Of the attempt that it is about."))
    reported = models.CharField(_("reported status"), max_length=16, blank=True)
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


class UnsignedNews(models.Model):
    """What a webhook that proves no sender said of a payment that we do not know: the provider is asked before people
    are, and the row is gone then."""

    account = models.CharField(_("account"), max_length=32)
    provider_id = models.CharField(_("provider's ID"), max_length=128)
    reference = models.UUIDField(_("idempotency key"))
    reported = models.CharField(_("reported status"), max_length=16)
    amount = models.DecimalField(_("amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    message_id = models.CharField(_("message ID"), max_length=255)
    heard_at = models.DateTimeField(_("heard at"), db_default=Now())
    ask_at = models.DateTimeField(_("to be asked at"), db_default=Now(), db_index=True)
    asked = models.PositiveSmallIntegerField(_("times asked"), default=0)

    class Meta:
        verbose_name = _("unsigned news")
        verbose_name_plural = _("unsigned news")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["account", "provider_id"], name="unsigned_news_once"),
            models.CheckConstraint(condition=~Q(provider_id=""), name="unsigned_news_can_be_asked_about"),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.provider_id}"


# Longer than a day: what is not known is looked up once a day at least, so what lasts is seen again by then.
WRONG_ACCOUNT_FOR = timedelta(hours=25)


class WrongAccount(models.Model):
    """An account whose provider's answers show that its settings are not what they seem (providers.WRONG_ACCOUNT)."""

    account = models.CharField(_("account"), max_length=32)
    code = models.CharField(_("code"), max_length=64)
    message = models.CharField(_("message"), max_length=255)
    first_at = models.DateTimeField(_("first seen at"), db_default=Now())
    last_at = models.DateTimeField(_("last seen at"), db_default=Now())

    class Meta:
        verbose_name = _("wrong account")
        verbose_name_plural = _("wrong accounts")
        default_permissions = ()
        ordering = ["account", "code"]
        constraints = [models.UniqueConstraint(fields=["account", "code"], name="wrong_account_once")]

    def __str__(self) -> str:
        return f"{self.account}: {self.code}"
