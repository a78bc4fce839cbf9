"""The data key of each recipient: details are encrypted under it, and without it they are unreadable for ever."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payouts import vault
from payouts.models.stamps import stamp


class RecipientKey(models.Model):
    """One data key of a recipient, under FIELD_ENCRYPTION_KEYS; after it was erased, who had that done and when.

    Payouts and rows of batches name it in their tokens. A recipient who is paid again after an erasure gets the next
    number. A trigger keeps what was erased erased, and all of it from being deleted.
    """

    recipient_index = models.BinaryField(max_length=32)  # as of the recipient's payouts
    number = models.PositiveIntegerField()
    wrapped = models.TextField(null=True, editable=False)
    made_at = models.DateTimeField()
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("proposed by"),
    )
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("confirmed by"),
    )
    on_server = models.CharField(_("on the server"), max_length=200, blank=True)
    reason = models.CharField(_("reason"), max_length=1000, blank=True)
    erased_at = models.DateTimeField(_("erased at"), null=True)
    facts_seal = models.BinaryField(max_length=vault.SEAL_BYTES)
    listed_at = models.DateTimeField(null=True)  # outside the seal: when CHECKPOINTS got it (checkpoints/erased.py)

    class Meta:
        verbose_name = _("key of a recipient")
        verbose_name_plural = _("keys of recipients")
        default_permissions = ()
        permissions = [("erase_recipientkey", _("Can erase recipients"))]
        constraints = [
            models.UniqueConstraint(fields=["recipient_index", "number"], name="recipient_key_numbered"),
            models.UniqueConstraint(
                fields=["recipient_index"], condition=Q(erased_at=None), name="recipient_key_one_in_use"
            ),
            models.CheckConstraint(
                condition=Q(
                    erased_at=None,
                    wrapped__isnull=False,
                    proposed_by=None,
                    confirmed_by=None,
                    on_server="",
                    reason="",
                )
                | (Q(erased_at__isnull=False, wrapped=None) & ~Q(reason="") & ~Q(proposed_by=None, on_server="")),
                name="recipient_key_erased_by",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("proposed_by")),
                name="recipient_key_takes_two_people",
                violation_error_message=_("You proposed it, so another person must confirm it."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(erased_at__isnull=False, listed_at=None), name="recipient_key_to_list"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def data_key(self) -> bytes:
        """Raises vault.ErasedError, and UnreadableError where SQL took it or no key fits."""
        if self.wrapped is not None:
            return vault.unwrapped(self.wrapped, *self.names)
        if not self.is_sealed:
            raise vault.UnreadableError("The recipient's key was taken outside the product.")
        raise vault.ErasedError("The recipient was erased.")

    @property
    def erased_by(self) -> list[str]:
        """Who had it erased: two people's names, or one and the server's."""
        people = [person.get_username() for person in (self.proposed_by, self.confirmed_by) if person]
        return [*people, *filter(None, [self.on_server])]

    @property
    def names(self) -> tuple[str, int]:
        """What the data key is bound to."""
        return bytes(self.recipient_index).hex(), self.number

    @property
    def is_sealed(self) -> bool:
        return bytes(self.facts_seal) == self.expected_seal(like=self.facts_seal)

    def expected_seal(self, *, like: vault.Stored = b"") -> bytes:
        """The seal of all but the key itself, which its own encryption binds to the recipient."""
        return vault.seal(
            "recipient-key",
            *self.names,
            stamp(self.made_at),
            self.proposed_by_id,
            self.confirmed_by_id,
            self.on_server,
            self.reason,
            stamp(self.erased_at),
            like=like,
        )

    def encrypt(self, recipient: Mapping[str, Any]) -> str:
        """Raises vault.UnreadableError."""
        return vault.encrypt_under(self.data_key, self.pk, recipient)


class UnderKey(models.Model):
    """A row whose `recipient` is encrypted under the recipient's data key; one from before, under ours."""

    recipient: Any  # a token
    recipient_index: Any
    _key: RecipientKey | None = None

    class Meta:
        abstract = True

    @property
    def recipient_key(self) -> RecipientKey | None:
        """The data key that the token names, read once; None where it names none, or none of this recipient's.

        SQL can name another recipient's: one that was erased would pass for two people's decision on this one.
        """
        key = self._named_key
        return key if key is not None and self._is_own(key) else None

    @property
    def _named_key(self) -> RecipientKey | None:
        key_id = vault.key_named(self.recipient)
        if key_id is None:
            return None
        if self._key is None or self._key.pk != key_id:
            self._key = RecipientKey.objects.select_related("proposed_by", "confirmed_by").filter(pk=key_id).first()
        return self._key

    def _is_own(self, key: RecipientKey) -> bool:
        return bytes(key.recipient_index) == bytes(self.recipient_index or b"")

    @property
    def erasure(self) -> RecipientKey | None:
        """Who had the recipient erased, and when; None while the recipient is there."""
        key = self.recipient_key
        return key if key is not None and key.erased_at else None

    @property
    def recipient_details(self) -> dict[str, Any]:
        """In clear. Raises vault.UnreadableError; of what was erased, vault.ErasedError."""
        return self._details_under(self.recipient_key)

    @property
    def token_details(self) -> dict[str, Any]:
        """What the token says, to be compared with the terms and not to be shown: SQL can put another's token here.

        Raises as `recipient_details` does.
        """
        key = self._named_key
        return self._details_under(None if key and key.erased_at and not self._is_own(key) else key)

    def _details_under(self, key: RecipientKey | None) -> dict[str, Any]:
        if vault.key_named(self.recipient) is None:
            return vault.decrypt(self.recipient)
        if key is None:
            raise vault.UnreadableError("There is no such key of a recipient.")
        return vault.decrypt_under(key.data_key, self.recipient)

    def put_under(self, key: RecipientKey, recipient: Mapping[str, Any]) -> None:
        self.recipient, self._key = key.encrypt(recipient), key


def read_keys(rows: Iterable[UnderKey]) -> None:
    """Read the data keys of all these rows in one statement."""
    named: dict[int, list[UnderKey]] = defaultdict(list)
    for row in rows:
        if (key_id := vault.key_named(row.recipient)) is not None:
            named[key_id].append(row)
    if not named:
        return
    keys = RecipientKey.objects.select_related("proposed_by", "confirmed_by").filter(pk__in=named)
    for key in keys:
        for row in named[key.pk]:
            row._key = key
