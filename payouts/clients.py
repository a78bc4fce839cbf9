"""API clients and their keys: made, shown once, looked up, revoked."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from payouts import vault
from payouts.models import ApiClient, ApiKey, Scope

LAST_USED_PRECISION = timedelta(minutes=1)


class ClientError(Exception):
    """The client or key cannot be made; the text is a sentence for a person."""


def create_client(name: str, *, scopes: Sequence[str], owner_id: int | None = None) -> tuple[ApiClient, str]:
    """A new client and its key in clear, which is stored nowhere. Raises ClientError."""
    client = ApiClient(name=name, owner_id=owner_id)
    try:
        client.full_clean()
    except ValidationError as error:
        raise ClientError(" ".join(error.messages)) from error
    with transaction.atomic():
        client.save(force_insert=True)
        return client, create_key(client, scopes=scopes)


def create_key(client: ApiClient, *, scopes: Sequence[str], expires_at: datetime | None = None) -> str:
    """A new key of the client, in clear: `pk_PREFIX_SECRET` with 256 random bits of secret. Raises ClientError."""
    unknown = [scope for scope in scopes if scope not in Scope.values]
    if unknown or not scopes:
        raise ClientError(
            _("Scopes are one or more of %(scopes)s, not “%(given)s”.")
            % {"scopes": ", ".join(Scope.values), "given": ", ".join(unknown)}
        )
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    ApiKey.objects.create(
        client=client,
        prefix=prefix,
        secret_hash=vault.digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    return f"pk_{prefix}_{secret}"


def find_key(key: str) -> ApiKey | None:
    """The usable key with its client, or None; compared in constant time. Notes its use, once a minute at most."""
    kind, _separator, rest = key.partition("_")
    prefix, _separator, secret = rest.partition("_")
    if kind != "pk" or not secret or not (prefix.isascii() and prefix.isalnum()):
        return None
    found = ApiKey.objects.usable().select_related("client").filter(prefix=prefix[:12]).first()
    if found is None or not hmac.compare_digest(bytes(found.secret_hash), vault.digest(secret)):
        return None
    used_before = timezone.now() - LAST_USED_PRECISION
    if found.last_used_at is None or found.last_used_at < used_before:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=used_before)
        ApiKey.objects.filter(stale, pk=found.pk).update(last_used_at=Now())
    return found


def revoke_key(key_id: int) -> None:
    """Stop the key at once; revoking it again changes nothing."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=Now())
