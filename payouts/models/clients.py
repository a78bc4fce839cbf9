"""API clients and their keys."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payouts.models.history import History


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
        help_text=_("Who is responsible for it. Counts as the maker of its payouts, so may not approve them."),
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
