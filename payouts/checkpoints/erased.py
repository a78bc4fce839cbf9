"""The list of erased recipients, kept beside the checkpoints: a backup that is older still has their keys.

One file an erasure, sealed, with nothing of the recipient but the blind index. After a restore the list is applied to
the database that was put back (`manage.py restore`, `manage.py erase --again`).
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from payouts import vault
from payouts.checkpoints.outside import locked_until
from payouts.models import BatchRow, Payout, RecipientKey, stamp
from payouts.places import Place, place_of

log = structlog.get_logger(__name__)

NAME = re.compile(r"erased-(\d{8,})-[0-9a-f]{16}\.json")
ERASED = Q(erased_at__isnull=False)
ANEW = "Run manage.py rotate_keys, and propose anew to erase it."


class ErasureListError(RuntimeError):
    """A file of the list is not what the product wrote, or cannot be applied; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One erasure: which key, made when, and who had it erased, as texts."""

    recipient_index: str  # hex
    number: int
    made_at: str
    erased_at: str
    who: str
    reason: str
    seal: str = ""

    def expected_seal(self, *, like: bytes = b"") -> bytes:
        facts = (self.recipient_index, self.number, self.made_at, self.erased_at, self.who, self.reason)
        return vault.seal("erasure", *facts, like=like, is_history=True)


def keep_outside() -> int:
    """Write what was erased and is not outside yet to CHECKPOINTS, if it is set; returns how many.

    For good: nothing may remove them before the last backup that is older. Raises PlaceError.
    """
    if not settings.CHECKPOINTS:
        return 0
    return sum(_keep(key) for key in RecipientKey.objects.filter(ERASED, listed_at=None).order_by("pk"))


def keep_missing() -> int:
    """Write every erasure that CHECKPOINTS lacks, such as all of them where it leads to a new place; how many.

    Raises PlaceError.
    """
    if not settings.CHECKPOINTS:
        return 0
    there = listed(place_of(settings.CHECKPOINTS))
    return sum(_keep(key) for key in RecipientKey.objects.filter(ERASED).order_by("pk") if key.pk not in there)


def listed(place: Place) -> set[int]:
    """The keys that the list of that place names. Raises PlaceError."""
    return {int(found[1]) for name in place.names() if (found := NAME.fullmatch(name))}


def _keep(key: RecipientKey) -> int:
    if not key.is_sealed:  # the audit says so, and nobody is erased by it
        return 0
    content = msgspec.json.encode(asdict(_entry(key)))
    name = f"erased-{key.pk:08}-{sha256(content).hexdigest()[:16]}.json"
    place_of(settings.CHECKPOINTS).write(name, content, until=locked_until())
    return RecipientKey.objects.filter(pk=key.pk).update(listed_at=Now())


def _entry(key: RecipientKey) -> Entry:
    bare = Entry(
        recipient_index=bytes(key.recipient_index).hex(),
        number=key.number,
        made_at=str(stamp(key.made_at)),
        erased_at=str(stamp(key.erased_at)),
        who=", ".join(key.erased_by),
        reason=key.reason,
    )
    return Entry(**{**asdict(bare), "seal": bare.expected_seal().hex()})


def _read(place: Place, name: str) -> Entry:
    """Raises PlaceError, and ErasureListError for a file that is not the product's."""
    try:
        entry = msgspec.json.decode(place.read(name), type=Entry)
        seal = bytes.fromhex(entry.seal)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ErasureListError(f"{name} cannot be read: {error}") from None
    if not seal or entry.expected_seal(like=seal) != seal:
        raise ErasureListError(f"{name} does not fit its seal: it was changed, or a key is missing.")
    return entry


class Again(NamedTuple):
    """What the list came to in a database that was put back."""

    done: int
    known: int
    """Erased before."""
    left: list[str]
    """A sentence for each entry whose recipient is still there."""


def erase_again(address: str, erase: Callable[[RecipientKey, Entry], None]) -> Again:
    """Erase in this database what the list of that place has.

    A key is that of the list by its recipient, number and time: one that was made since is another, and stays. One
    entry that cannot be read, or that `erase` raises ErasureListError for, keeps no other. Raises PlaceError.
    """
    place = place_of(address)
    done = known = 0
    left = []
    for name in sorted(name for name in place.names() if NAME.fullmatch(name)):
        try:
            entry = _read(place, name)
            with transaction.atomic():
                key = _key_of(entry)
                if key is None:
                    if _is_there(entry):
                        left.append(f"{name}: its recipient is under no key of that day. {ANEW}")
                elif key.erased_at is not None:
                    known += 1
                else:
                    erase(key, entry)
                    RecipientKey.objects.filter(pk=key.pk).update(listed_at=key.erased_at)
                    done += 1
        except ErasureListError as error:
            left.append(str(error))
    if done:
        log.warning("recipients_erased_again", count=done)
    return Again(done, known, left)


def _key_of(entry: Entry) -> RecipientKey | None:
    found = RecipientKey.objects.select_for_update().filter(
        recipient_index=bytes.fromhex(entry.recipient_index), number=entry.number
    )
    return next((each for each in found if str(stamp(each.made_at)) == entry.made_at), None)


def _is_there(entry: Entry) -> bool:
    """Whether something of before the erasure can be read: a backup may be older than the recipient's key."""
    index, erased_at = bytes.fromhex(entry.recipient_index), datetime.fromisoformat(entry.erased_at)
    payouts = Payout.objects.filter(recipient_index=index, created_at__lt=erased_at)
    rows = BatchRow.objects.filter(recipient_index=index, batch__uploaded_at__lt=erased_at).exclude(recipient="")
    tokens = [*payouts.values_list("recipient", flat=True), *rows.values_list("recipient", flat=True)]
    named = [vault.key_named(token) for token in tokens]
    return None in named or RecipientKey.objects.filter(pk__in=[*filter(None, named)], erased_at=None).exists()


def has_keys() -> bool:
    """Whether this database knows keys of recipients: a backup that is older than they are does not."""
    return RecipientKey._meta.db_table in connection.introspection.table_names()
