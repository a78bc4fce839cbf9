"""Where checkpoints are kept outside the database: a folder, or a bucket of S3 or what speaks like it.

A bucket should have object lock and versions, and the product the right to put and to read, but not to delete: then
whoever takes over its servers takes nothing back. boto3 finds region, keys and another endpoint as it always does
(AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3 or the machine's role).
"""

import os
import re
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from payouts.checkpoints.document import Document, DocumentError, of_bytes, of_row
from payouts.models import Checkpoint

S3 = "s3://"
NAME = re.compile(r"checkpoint-(\d{8,})-[0-9a-f]{16}\.json\.gz")


class PlaceError(RuntimeError):
    """The folder or the bucket cannot be read or written; the text says why."""


class Place(Protocol):
    """Raises PlaceError, all of it."""

    def write(self, name: str, content: bytes) -> None:
        """Keep it; what is there under the name already has the same content."""

    def names(self) -> list[str]:
        """Of the checkpoints that are there, in the order of their numbers."""

    def read(self, name: str) -> bytes: ...


class Folder:
    """A folder, of another machine if possible."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: bytes) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.path, prefix=".", delete=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self.path / name)
        except OSError as error:
            raise PlaceError(str(error)) from error

    def names(self) -> list[str]:
        try:
            return _ordered(each.name for each in self.path.iterdir())
        except OSError as error:
            raise PlaceError(str(error)) from error

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise PlaceError(str(error)) from error


class Bucket:
    """A bucket of S3, under a prefix."""

    def __init__(self, address: str) -> None:
        self.bucket, _slash, prefix = address.removeprefix(S3).partition("/")
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def _client(self) -> Any:
        # Only where a bucket is used: it takes half a second.
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3", config=Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
        )

    def write(self, name: str, content: bytes) -> None:
        lock: dict[str, Any] = {}
        if days := settings.CHECKPOINT_RETENTION_DAYS:
            until = timezone.now() + timedelta(days=days)
            lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        self._call("put_object", Key=self.prefix + name, Body=content, ContentType="application/gzip", **lock)

    def names(self) -> list[str]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        except (BotoCoreError, ClientError) as error:
            raise PlaceError(str(error)) from error
        return _ordered(key.removeprefix(self.prefix) for key in keys)

    def read(self, name: str) -> bytes:
        content: bytes = self._call("get_object", Key=self.prefix + name)["Body"].read()
        return content

    def _call(self, operation: str, **parameters: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(), operation)(Bucket=self.bucket, **parameters)
        except (BotoCoreError, ClientError) as error:
            raise PlaceError(str(error)) from error


def _ordered(names: Any) -> list[str]:
    return sorted((name for name in names if NAME.fullmatch(name)), key=_number)


def _number(name: str) -> int:
    found = NAME.fullmatch(name)
    return int(found[1]) if found else 0


def place_of(address: str) -> Place:
    """A bucket for s3://bucket/prefix, else a folder."""
    return Bucket(address) if address.startswith(S3) else Folder(Path(address))


def keep_outside() -> int:
    """Write the checkpoints that are not outside yet to CHECKPOINTS, if it is set; returns how many.

    No transaction is open meanwhile. Raises PlaceError; what was written is not written again.
    """
    if not settings.CHECKPOINTS:
        return 0
    place = place_of(settings.CHECKPOINTS)
    written = 0
    for row in Checkpoint.objects.filter(placed_at=None).order_by("number").iterator(chunk_size=10):
        document = of_row(row)
        place.write(document.name, document.as_bytes())
        written += Checkpoint.objects.filter(pk=row.pk).update(placed_at=Now())
    return written


def documents(address: str) -> Iterator[Document]:
    """The checkpoints of a folder or a bucket in their order, or the one in a file.

    Raises PlaceError, and DocumentError for a file that is none.
    """
    path = Path(address)
    if not address.startswith(S3) and path.is_file():
        yield of_bytes(Folder(path.parent).read(path.name))
        return
    place = place_of(address)
    names = place.names()
    if not names:
        raise PlaceError(f"There is no checkpoint in {address}.")
    for name in names:
        try:
            yield of_bytes(place.read(name))
        except DocumentError as error:
            raise DocumentError(f"{name}: {error}") from None
