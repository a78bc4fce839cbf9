"""API clients and their keys, sealed: SQL alone makes no key that works, and hides nobody's closeness to a client."""

from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.history import History
from payouts.models.sealed_sets import SealedRows
from payouts.models.stamps import stamp


class Scope(models.TextChoices):
    READ = "payouts:read", _("read payouts")
    WRITE = "payouts:write", _("submit and cancel payouts")
    SETTLE = "payouts:settle", _("settle payouts by hand")
    REVEAL = "payouts:reveal", _("see recipients in clear")


class ClientAlteredError(Exception):
    """The client's row, or its key's, is not what the product wrote."""

    def __init__(self, name: str) -> None:
        text = str(
            _("The API client %(name)s was changed outside the product. Nothing may be done with it before an audit.")
            % {"name": name}
        )
        super().__init__(text)


class ApiClient(models.Model):
    """A system that uses the API. Its payouts are its own; its owner is the maker of what it submits.

    `ties` are the people who are close to it, now or before, each with the moment since when: who owns or owned it,
    and who handled its keys. They check nothing about it (payouts.rules). Saving it notes its owner and seals it.
    """

    sealed_columns = ("name", "owner", "owner_id", "ties", "facts_seal")

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
    ties = models.JSONField(default=dict, db_default={}, editable=False)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES, null=True, editable=False)

    objects = SealedRows["ApiClient"].as_manager()
    history = History(without=("ties", "facts_seal"))

    class Meta:
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")

    def __str__(self) -> str:
        return self.name

    def save(self, **options: Any) -> None:
        """Raises ClientAlteredError where it was changed outside the product before."""
        with transaction.atomic():
            before = locked_client(self.pk) if self.pk else None
            if before is not None and not before.is_sealed:
                raise ClientAlteredError(before.name)
            if before is not None:
                self.ties = before.ties  # somebody may have come close since this was read
            super().save(**options)
            stored = locked_client(self.pk)
            assert stored is not None
            if stored.owner_id:
                stored.note(OWNERS, stored.owner_id)
            stored.seal_anew()
            self.ties, self.facts_seal = stored.ties, stored.facts_seal

    @property
    def is_sealed(self) -> bool:
        return self.facts_seal is not None and bytes(self.facts_seal) == self.expected_seal(like=self.facts_seal)

    @property
    def owner_ids(self) -> set[int]:
        """Who owns or owned it."""
        return self._tied(OWNERS) | ({self.owner_id} if self.owner_id else set())

    @property
    def handler_ids(self) -> set[int]:
        """Who handled its keys."""
        return self._tied(HANDLERS)

    @property
    def close_ids(self) -> set[int]:
        return self.owner_ids | self.handler_ids

    def _tied(self, kind: str) -> set[int]:
        """What SQL has written says nothing."""
        return {int(number) for number in self.ties.get(kind, {})} if self.is_sealed else set()

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        return vault.seal("client", self.pk, self.name, self.owner_id, vault.canonical(self.ties).decode(), like=like)

    def note(self, kind: str, person_id: int) -> None:
        """Say that the person is close to it from now on, unless that is known already."""
        self.ties.setdefault(kind, {}).setdefault(str(person_id), stamp(timezone.now()))

    def seal_anew(self) -> None:
        self.facts_seal = self.expected_seal()
        ApiClient._base_manager.filter(pk=self.pk).update(ties=self.ties, facts_seal=self.facts_seal)


OWNERS, HANDLERS = "owners", "handlers"


def locked_client(client_id: int) -> ApiClient | None:
    return ApiClient._base_manager.select_for_update(no_key=True).filter(pk=client_id).first()


def note_handler(client_id: int, person_id: int) -> None:
    """The person handles a key of the client from now on. A client that was altered is not sealed anew."""
    with transaction.atomic():
        client = locked_client(client_id)
        if client is not None and client.is_sealed:
            client.note(HANDLERS, person_id)
            client.seal_anew()


class ApiKeyQuerySet(SealedRows["ApiKey"]):
    def usable(self) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)


class ApiKey(models.Model):
    """One secret of a client: 256 random bits, of which only a fingerprint under INDEX_KEY is kept.

    Whoever saves it, as its history says, has handled a key of the client.
    """

    sealed_columns = (
        "client",
        "client_id",
        "prefix",
        "secret_hash",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
    )

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="keys", verbose_name=_("client"))
    prefix = models.CharField(_("prefix"), max_length=12, unique=True)
    secret_hash = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope), verbose_name=_("scopes"))
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES, null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()
    history = History(without=("secret_hash", "last_used_at", "facts_seal"))

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.client.name}: {self.prefix}…"

    def save(self, **options: Any) -> None:
        """Raises ClientAlteredError where it, or its client, was changed outside the product, but revokes it."""
        with transaction.atomic():
            client = locked_client(self.client_id)
            before = (
                ApiKey._base_manager.select_for_update(no_key=True).filter(pk=self.pk).first() if self.pk else None
            )
            fits = before.is_sealed if before else client is not None and client.is_sealed
            if not fits and self.revoked_at is None:
                raise ClientAlteredError(self.client.name)
            super().save(**options)
            if fits:
                self.seal_anew()
            if handler := self.history.first().history_user_id:
                note_handler(self.client_id, handler)

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    @property
    def is_sealed(self) -> bool:
        return self.facts_seal is not None and bytes(self.facts_seal) == self.expected_seal(like=self.facts_seal)

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        return vault.seal(
            "api-key",
            self.pk,
            self.client_id,
            self.prefix,
            bytes(self.secret_hash).hex(),
            sorted(self.scopes),
            stamp(self.created_at),
            stamp(self.expires_at),
            stamp(self.revoked_at),
            like=like,
        )

    def seal_anew(self) -> None:
        stored = ApiKey._base_manager.get(pk=self.pk)
        self.facts_seal = stored.expected_seal()
        ApiKey._base_manager.filter(pk=self.pk).update(facts_seal=self.facts_seal)
