"""Whether this process has the keys that the database was written with. If not, it must touch nothing.

A wrong or an old key makes everything look altered or unreadable, and one such process could set the whole backlog
aside. So each key that is first in the settings of some process has its mark in the database, and a process that
cannot verify every mark stops: web server and cluster when they start, the worker with each batch that it claims.
During a deploy that puts a new key first, the old worker therefore waits until it is replaced.
"""

from datetime import datetime
from functools import lru_cache

import structlog
from django.conf import settings
from django.db.models.functions import Now

from payouts import vault
from payouts.actions.errors import KeysError, RetiredKeyError
from payouts.models import KeyMark, Payout

log = structlog.get_logger(__name__)

FIELDS, SEALS, INDEX = "FIELD_ENCRYPTION_KEYS", "EVENT_HMAC_KEYS", "INDEX_KEY"
KNOWN = {"mark": "fields"}
# The newest payouts, which tell whether the keys fit a database that has no marks yet.
SAMPLE = 20


def begin_writing() -> None:
    """Mark the keys that this process writes with, unless they are marked. Raises KeysError where they do not fit.

    Whoever seals or encrypts has called this before: at the start, and in the transaction of each claim.
    """
    marked = {(setting, key_id) for setting, key_id, _text, _retired_at in _fitting_marks()}
    if not marked.issuperset(first_key_ids()):
        KeyMark.objects.bulk_create(_first_marks(), ignore_conflicts=True)


def begin(**_kwargs: object) -> None:
    """Receiver of post_migrate: the first marks of a database.

    Raises KeysError where payouts were made with other keys.
    """
    if KeyMark.objects.exists():
        return
    newest = list(Payout.objects.order_by("-pk")[:SAMPLE])
    if newest and not any(_fits(payout) for payout in newest):
        raise KeysError("The database has payouts, and none of the newest fits the keys of the settings.")
    KeyMark.objects.bulk_create(_first_marks(), ignore_conflicts=True)


def require_fit() -> None:
    """Raises KeysError unless this process verifies every key in use, and writes with none that is retired."""
    _fitting_marks()


def first_key_ids() -> tuple[tuple[str, str], ...]:
    """The settings, and the id of the key of each that this process writes with."""
    return (
        (FIELDS, vault.key_id(settings.FIELD_ENCRYPTION_KEYS[0]).hex()),
        (SEALS, vault.first_key_id().hex()),
        (INDEX, vault.key_id(settings.INDEX_KEY).hex()),
    )


def _fitting_marks() -> list[tuple[str, str, str, datetime | None]]:
    marks = list(KeyMark.objects.values_list("setting", "key_id", "text", "retired_at"))
    if {setting for setting, *_rest in marks} != {FIELDS, SEALS, INDEX}:
        raise KeysError("The database does not say which keys it was written with: run manage.py migrate.")
    in_use = {(setting, text) for setting, _key_id, text, retired_at in marks if not retired_at}
    if unknown := sorted({setting for setting, text in in_use if not _verifies(setting, text)}):
        raise KeysError(
            f"The database was written with keys that this process does not have: see {', '.join(unknown)}. "
            "Nothing was changed. Give it the keys of the other processes (docs/keys.md)."
        )
    retired = {(setting, key_id) for setting, key_id, _text, retired_at in marks if retired_at}
    if stale := sorted(setting for setting, _key_id in retired.intersection(first_key_ids())):
        raise RetiredKeyError(
            f"This process would write with a retired key, see {', '.join(stale)}: put the new one first."
        )
    return marks


def _fits(payout: Payout) -> bool:
    try:
        return payout.is_sealed and payout.terms == bytes(payout.terms_hash)
    except vault.UnreadableError:
        return False


def _first_marks() -> list[KeyMark]:
    texts = {FIELDS: vault.encrypt(KNOWN), SEALS: vault.seal("mark").hex(), INDEX: vault.fingerprint("mark").hex()}
    return [KeyMark(setting=setting, key_id=key_id, text=texts[setting]) for setting, key_id in first_key_ids()]


def retire_others() -> None:
    """Nothing is under other keys than the first any more: from now on no process may write with them."""
    for setting, key_id in first_key_ids():
        KeyMark.objects.filter(setting=setting, retired_at=None).exclude(key_id=key_id).update(retired_at=Now())


def _verifies(setting: str, text: str) -> bool:
    keys = (*settings.FIELD_ENCRYPTION_KEYS, "", *settings.EVENT_HMAC_KEYS, "", settings.INDEX_KEY)
    return _verified(keys, setting, text)


@lru_cache(maxsize=64)
def _verified(_keys: tuple[str, ...], setting: str, text: str) -> bool:
    """Worked out once for these keys of the settings: a claim asks each time."""
    try:
        match setting:
            case "FIELD_ENCRYPTION_KEYS":
                return vault.decrypt(text) == KNOWN
            case "EVENT_HMAC_KEYS":
                return vault.seal("mark", like=bytes.fromhex(text)).hex() == text
            case _:
                return vault.fingerprint("mark").hex() == text
    except ValueError:  # junk, or no key of ours decrypts it
        return False
