"""How a person is known besides the password: their passkeys, and who they are at the identity provider.

Rows are sealed, so whoever can write a row by SQL gets no login by it and no second factor. django-otp's `Device` is
what a session names as the thing that confirmed it: the row gone, the session must confirm anew.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device

from payouts import vault
from payouts.models.stamps import stamp


class Passkey(Device):  # type: ignore[misc]
    """A WebAuthn credential: the browser holds the private key, this row the public one. Several for each person."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="passkeys", verbose_name=_("person")
    )
    credential_id = models.BinaryField(max_length=1023)  # the longest that WebAuthn allows
    public_key = models.BinaryField(max_length=2048)
    sign_count = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    last_used_at = models.DateTimeField(_("last used"), null=True)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES)

    class Meta:
        verbose_name = _("passkey")
        verbose_name_plural = _("passkeys")
        default_permissions = ()
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["credential_id"], name="passkey_credential_once"),
            models.UniqueConstraint(fields=["user", "name"], name="passkey_name_once"),
        ]

    @property
    def is_sealed(self) -> bool:
        return bool(self.facts_seal) and bytes(self.facts_seal) == self.expected_seal(like=self.facts_seal)

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        return vault.seal(
            "passkey",
            self.pk,
            self.user_id,
            bytes(self.credential_id).hex(),
            bytes(self.public_key).hex(),
            self.sign_count,
            self.name,
            self.confirmed,
            stamp(self.created_at),
            like=like,
        )

    def seal_anew(self) -> None:
        """Store what is sealed, with its seal."""
        self.facts_seal = self.expected_seal()
        self.save(update_fields=["sign_count", "last_used_at", "facts_seal"])


class SingleSignOn(Device):  # type: ignore[misc]
    """Who a person is at the identity provider, and when it last stood by them. One for each person.

    `checked_at` is empty once the provider has refused, until the next log-in.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="single_sign_on", verbose_name=_("person")
    )
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    refresh_token = models.TextField(blank=True)  # encrypted
    checked_at = models.DateTimeField(null=True)
    # Not sealed: when the provider was last asked, so that of many requests one asks, and the groups that it names.
    asked_at = models.DateTimeField(null=True)
    groups_named = models.JSONField(default=list)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES)

    class Meta:
        verbose_name = _("single sign-on")
        verbose_name_plural = _("single sign-on")
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["issuer", "subject"],
                name="single_sign_on_subject_once",
                violation_error_message=_("Somebody else is linked to this identifier."),
            ),
        ]

    @property
    def is_sealed(self) -> bool:
        return bool(self.facts_seal) and bytes(self.facts_seal) == self.expected_seal(like=self.facts_seal)

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        return vault.seal(
            "single sign-on",
            self.pk,
            self.user_id,
            self.issuer,
            self.subject,
            self.refresh_token,
            self.confirmed,
            stamp(self.checked_at),
            like=like,
        )

    def seal_anew(self) -> None:
        """Store what is sealed, with its seal."""
        self.facts_seal = self.expected_seal()
        self.save(update_fields=["refresh_token", "checked_at", "facts_seal"])
