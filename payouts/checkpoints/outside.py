"""Keeps checkpoints outside the database, in the folder or the bucket of CHECKPOINTS.

A bucket should have object lock and versions, and the product the right to put and to read, but not to delete: then
whoever takes over its servers takes nothing back.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from payouts.checkpoints.document import Document, DocumentError, name_of, of_bytes, of_row
from payouts.models import Checkpoint
from payouts.places import S3, Folder, Place, PlaceError, place_of

NAME = re.compile(r"checkpoint-(\d{8,})-[0-9a-f]{16}\.json\.gz")


def keep_outside() -> int:
    """Write the checkpoints that are not outside yet to CHECKPOINTS, if it is set; returns how many.

    No transaction is open meanwhile. Raises PlaceError; what was written is not written again.
    """
    if not settings.CHECKPOINTS:
        return 0
    return sum(_keep(row) for row in Checkpoint.objects.filter(placed_at=None).in_turn())


def keep_missing() -> int:
    """Write every checkpoint that CHECKPOINTS lacks, such as all of them where it leads to a new place; how many.

    By a person alone: the audit tells of those that were taken away. Raises PlaceError.
    """
    if not settings.CHECKPOINTS:
        return 0
    there = set(place_of(settings.CHECKPOINTS).names())
    return sum(_keep(row) for row in Checkpoint.objects.in_turn() if name_of(row.number, row.root) not in there)


def _keep(row: Checkpoint) -> int:
    document = of_row(row)
    place_of(settings.CHECKPOINTS).write(document.name, document.as_bytes(), until=locked_until())
    return Checkpoint.objects.filter(pk=row.pk).update(placed_at=Now())


def locked_until() -> datetime | None:
    """Until when nobody is to delete or replace what is written now; None where that is the bucket's own rule."""
    days = settings.CHECKPOINT_RETENTION_DAYS
    return timezone.now() + timedelta(days=days) if days else None


def checkpoints_in(place: Place) -> list[str]:
    """Of the checkpoints that are there, in the order of their numbers. Raises PlaceError."""
    return sorted((name for name in place.names() if NAME.fullmatch(name)), key=_number)


def _number(name: str) -> int:
    found = NAME.fullmatch(name)
    return int(found[1]) if found else 0


def documents(address: str, *, up_to: int | None = None) -> Iterator[Document]:
    """The checkpoints of a folder or a bucket in their order, up to that number, or the one in a file.

    Raises PlaceError, and DocumentError for a file that is none.
    """
    path = Path(address)
    if not address.startswith(S3) and path.is_file():
        yield of_bytes(Folder(path.parent).read(path.name))
        return
    place = place_of(address)
    names = checkpoints_in(place)
    if not names:
        raise PlaceError(f"There is no checkpoint in {address}.")
    for name in names:
        if up_to is not None and _number(name) > up_to:
            return
        try:
            yield of_bytes(place.read(name))
        except DocumentError as error:
            raise DocumentError(f"{name}: {error}") from None
