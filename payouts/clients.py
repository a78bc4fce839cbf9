"""API clients and their keys: made, shown once, looked up, revoked."""

import hmac
import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import vault
from payouts.models import ApiClient, ApiKey, Scope

log = structlog.get_logger(__name__)


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
        secret_hash=secret_hash(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    if by is not None:
        key._history_user = by  # type: ignore[attr-defined]
    key.save(force_insert=True)
    return f"pk_{prefix}_{secret}"


def secret_hash(secret: str) -> bytes:
    """What is kept of a key's secret: nobody can make a row that fits one without INDEX_KEY."""
    return vault.fingerprint("api-key", vault.digest(secret).hex())


KEY = ("id", "client_id", "prefix", "secret_hash", "scopes", "created_at", "expires_at", "revoked_at", "facts_seal")
CLIENT = ("id", "name", "owner_id", "ties", "facts_seal")
FIND_KEY = f"""
SELECT {", ".join(f"k.{column}" for column in KEY)}, {", ".join(f"c.{column}" for column in CLIENT)},
       coalesce(k.last_used_at < now() - interval '1 minute', true)
FROM payouts_apikey k JOIN payouts_apiclient c ON c.id = k.client_id
WHERE k.prefix = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""  # noqa: S608 (constants)


class FoundKey(NamedTuple):
    id: int
    scopes: list[str]
    client: ApiClient


def find_key(key: str) -> FoundKey | None:
    """The usable key with its client, or None; compared in constant time. Notes its use, once a minute at most.

    None too where the key's or the client's row is not what the product wrote.
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
    *columns, is_use_to_note = row
    found = ApiKey.from_db(None, KEY, columns[: len(KEY)])
    if not hmac.compare_digest(bytes(found.secret_hash), secret_hash(secret)):
        return None
    columns[-2] = json.loads(columns[-2])
    client = ApiClient.from_db(None, CLIENT, columns[len(KEY) :])
    if not (found.is_sealed and client.is_sealed):
        log.error("api_key_altered", key=found.pk, client=client.name)
        return None
    if is_use_to_note:
        ApiKey.objects.filter(pk=found.pk).update(last_used_at=Now())
    return FoundKey(found.pk, found.scopes, client)


def revoke_key(key_id: int, *, by: User | None = None) -> None:
    """Stop the key at once, for good: its secret's hash goes, so that an old row put back is none without a backup.

    Revoking it again changes nothing.
    """
    with transaction.atomic():
        key = ApiKey.objects.select_for_update().filter(pk=key_id, revoked_at=None).first()
        if key is not None:
            key.revoked_at, key.secret_hash = Now(), secrets.token_bytes(32)
            if by is not None:
                key._history_user = by  # type: ignore[attr-defined]
            key.save(update_fields=["revoked_at", "secret_hash"])
