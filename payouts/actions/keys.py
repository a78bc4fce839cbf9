"""Whether this process has the keys that the database was written with. If not, it must touch nothing.

A wrong or an old key makes everything look altered or unreadable, and one such process could set the whole backlog
aside. So each key that is first in the settings of some process has its mark in the database, and a process that
cannot verify every mark stops: web server and cluster when they start, the worker with each batch that it claims.
During a deploy that puts a new key first, the old worker therefore waits until it is replaced.
"""

from functools import lru_cache

import structlog
from django.conf import settings
from django.db import transaction

from payouts import vault
from payouts.actions.errors import KeysError
from payouts.models import KeyMark, Payout

log = structlog.get_logger(__name__)

FIELDS, SEALS, INDEX = "FIELD_ENCRYPTION_KEYS", "EVENT_HMAC_KEYS", "INDEX_KEY"
KNOWN = {"mark": "fields"}
# The newest payouts, which tell whether the keys fit a database that has no marks yet.
SAMPLE = 20


def start() -> None:
    """Mark the keys that this process writes with, if they fit the database. Raises KeysError if they do not."""
    require_fit()
    with transaction.atomic():
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
    """Raises KeysError unless the keys of this process verify every mark in the database."""
    marks = list(KeyMark.objects.values_list("setting", "text"))
    unknown = sorted({setting for setting, text in marks if not _verifies(setting, text)})
    if unknown:
        raise KeysError(
            f"The database was written with keys that this process does not have: see {', '.join(unknown)}. "
            "Nothing was changed. Give it the keys of the other processes (docs/keys.md)."
        )
    if {setting for setting, _text in marks} != {FIELDS, SEALS, INDEX}:
        raise KeysError("The database does not say which keys it was written with: run manage.py migrate.")


def _fits(payout: Payout) -> bool:
    try:
        return payout.is_sealed and payout.terms == bytes(payout.terms_hash)
    except vault.UnreadableError:
        return False


def _first_marks() -> list[KeyMark]:
    return [
        KeyMark(setting=setting, key_id=vault.key_id(secret).hex(), text=text)
        for setting, secret, text in (
            (FIELDS, settings.FIELD_ENCRYPTION_KEYS[0], vault.encrypt(KNOWN)),
            (SEALS, settings.EVENT_HMAC_KEYS[0], vault.seal("mark").hex()),
            (INDEX, settings.INDEX_KEY, vault.fingerprint("mark").hex()),
        )
    ]


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
