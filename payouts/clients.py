"""API clients and their keys: made, shown once, looked up, revoked."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import vault
from payouts.models import ApiClient, ApiKey, Scope


class ClientError(Exception):
    """The client or key cannot be made; the text is a sentence for a person."""


def create_client(
    name: str, *, scopes: Sequence[str], owner_id: int | None = None, by: User | None = None
) -> tuple[ApiClient, str]:
    """A new client and its key in clear, which is stored nowhere. Raises ClientError."""
    client = ApiClient(name=name, owner_id=owner_id)
    try:
        client.full_clean()
    except ValidationError as error:
        raise ClientError(" ".join(error.messages)) from error
    with transaction.atomic():
        client.save(force_insert=True)
        return client, create_key(client, scopes=scopes, by=by)


def check_scopes(scopes: Sequence[str]) -> None:
    """Raises ClientError."""
    unknown = [scope for scope in scopes if scope not in Scope.values]
    if unknown or not scopes:
        raise ClientError(
            _("Scopes are one or more of %(scopes)s, not “%(given)s”.")
            % {"scopes": ", ".join(Scope.values), "given": ", ".join(unknown)}
        )


def create_key(
    client: ApiClient, *, scopes: Sequence[str], expires_at: datetime | None = None, by: User | None = None
) -> str:
    """A new key of the client, in clear: `pk_PREFIX_SECRET` with 256 random bits of secret. Raises ClientError.

    Whoever makes it, `by` or whose request it is, has handled a key of the client from then on.
    """
    check_scopes(scopes)
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    key = ApiKey(
        client=client,
        prefix=prefix,
        secret_hash=vault.digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    if by is not None:
        key._history_user = by  # type: ignore[attr-defined]
    key.save(force_insert=True)
    return f"pk_{prefix}_{secret}"


FIND_KEY = """
SELECT k.id, k.secret_hash, k.scopes, c.id, c.name, c.owner_id,
       coalesce(k.last_used_at < now() - interval '1 minute', true)
FROM payouts_apikey k JOIN payouts_apiclient c ON c.id = k.client_id
WHERE k.prefix = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""


class FoundKey(NamedTuple):
    id: int
    scopes: list[str]
    client: ApiClient


def find_key(key: str) -> FoundKey | None:
    """The usable key with its client, or None; compared in constant time. Notes its use, once a minute at most.

    In SQL, because every request asks: building the query would cost more than answering it.
    """
    kind, _separator, rest = key.partition("_")
    prefix, _separator, secret = rest.partition("_")
    if kind != "pk" or not secret or not (prefix.isascii() and prefix.isalnum()):
        return None
    with connection.cursor() as cursor:
        cursor.execute(FIND_KEY, [prefix[:12]])
        row = cursor.fetchone()
    if row is None:
        return None
    key_id, secret_hash, scopes, client_id, name, owner_id, is_use_to_note = row
    if not hmac.compare_digest(bytes(secret_hash), vault.digest(secret)):
        return None
    if is_use_to_note:
        ApiKey.objects.filter(pk=key_id).update(last_used_at=Now())
    return FoundKey(key_id, scopes, ApiClient.from_db(None, ["id", "name", "owner_id"], [client_id, name, owner_id]))


def revoke_key(key_id: int) -> None:
    """Stop the key at once; revoking it again changes nothing."""
    with transaction.atomic():
        key = ApiKey.objects.select_for_update().filter(pk=key_id, revoked_at=None).first()
        if key is not None:
            key.revoked_at = Now()
            key.save(update_fields=["revoked_at"])
