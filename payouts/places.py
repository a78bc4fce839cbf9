"""Places outside the database, for checkpoints and backups: a folder, or a bucket of S3 or what speaks like it.

What is in a place has plain names. boto3 finds region, keys and another endpoint as it always does (AWS_REGION,
AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3 or the machine's role).
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

S3 = "s3://"
# An object has at most 10,000 parts, of 5 MiB or more each but for the last: with these it may have 156 GiB.
PART_BYTES = 16 * 1024 * 1024
OCTETS = "application/octet-stream"


class PlaceError(RuntimeError):
    """The folder or the bucket cannot be read or written; the text says why."""


class Sink(Protocol):
    """What is written from its beginning to its end."""

    def write(self, content: bytes, /) -> int: ...

    def flush(self) -> None: ...


class Source(Protocol):
    """What is read from its beginning to its end."""

    def read(self, size: int = -1, /) -> bytes: ...


class Place(Protocol):
    """Raises PlaceError, all of it."""

    def names(self) -> list[str]:
        """Of everything that is there, sorted."""

    def read(self, name: str) -> bytes: ...

    def write(self, name: str, content: bytes, *, until: datetime | None = None) -> None:
        """Keep it. A bucket with object lock lets nobody delete or replace it before `until`."""

    def reading(self, name: str) -> AbstractContextManager[Source]:
        """Read what may be too large for the memory."""

    def writing(self, name: str) -> AbstractContextManager[Sink]:
        """Keep what the block writes, whole; when the block fails nothing of it, and what was there before stays."""

    def remove(self, name: str) -> None:
        """What is not there is removed already."""


def place_of(address: str) -> Place:
    """A bucket for s3://bucket/prefix, else a folder."""
    return Bucket(address) if address.startswith(S3) else Folder(Path(address))


class Folder:
    """A folder, of another machine if possible."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        with _told(OSError):
            return sorted(each.name for each in self.path.iterdir())

    def read(self, name: str) -> bytes:
        with _told(OSError):
            return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes, *, until: datetime | None = None) -> None:
        with self.writing(name) as file, _told(OSError):
            file.write(content)

    @contextmanager
    def reading(self, name: str) -> Iterator[Source]:
        with ExitStack() as stack:
            with _told(OSError):
                file = stack.enter_context((self.path / name).open("rb"))
            yield file

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        with _told(OSError):
            self.path.mkdir(parents=True, exist_ok=True)
            file = tempfile.NamedTemporaryFile(  # noqa: SIM115 (entered below)
                dir=self.path, prefix=f".{name}.", delete=False
            )
        try:
            with file:
                yield file
                with _told(OSError):
                    file.flush()
                    os.fsync(file.fileno())
            with _told(OSError):
                Path(file.name).replace(self.path / name)
        except BaseException:
            with suppress(OSError):
                Path(file.name).unlink()
            raise

    def remove(self, name: str) -> None:
        with _told(OSError):
            (self.path / name).unlink(missing_ok=True)


class Bucket:
    """A bucket of S3, under a prefix."""

    def __init__(self, address: str) -> None:
        self.bucket, _slash, prefix = address.removeprefix(S3).partition("/")
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @cached_property
    def _client(self) -> Any:
        # Only where a bucket is used: it takes half a second.
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3", config=Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
        )

    def names(self) -> list[str]:
        with self.told():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            keys: list[str] = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return sorted(key.removeprefix(self.prefix) for key in keys)

    def read(self, name: str) -> bytes:
        with self.reading(name) as body:
            return body.read()

    def write(self, name: str, content: bytes, *, until: datetime | None = None) -> None:
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until} if until else {}
        kind = "application/gzip" if name.endswith(".gz") else OCTETS
        self._call("put_object", Key=self.prefix + name, Body=content, ContentType=kind, **lock)

    @contextmanager
    def reading(self, name: str) -> Iterator[Source]:
        with closing(self._call("get_object", Key=self.prefix + name)["Body"]) as body:
            yield _Body(self, body)

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        key = self.prefix + name
        begun = self._call("create_multipart_upload", Key=key, ContentType=OCTETS)
        upload = {"Key": key, "UploadId": begun["UploadId"]}
        parts = _Parts(self, upload)
        try:
            yield parts
            self._call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts.all()})
        except BaseException:
            with suppress(PlaceError):
                self._call("abort_multipart_upload", **upload)
            raise

    def remove(self, name: str) -> None:
        self._call("delete_object", Key=self.prefix + name)

    def _call(self, operation: str, **parameters: Any) -> Any:
        with self.told():
            return getattr(self._client, operation)(Bucket=self.bucket, **parameters)

    def told(self) -> AbstractContextManager[None]:
        """What boto3 raises in the block is a PlaceError."""
        from botocore.exceptions import BotoCoreError, ClientError

        return _told(BotoCoreError, ClientError)


class _Body:
    """An object as it comes."""

    def __init__(self, bucket: Bucket, body: Any) -> None:
        self._bucket = bucket
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        with self._bucket.told():
            content: bytes = self._body.read(None if size < 0 else size)
        return content


class _Parts:
    """The parts of an upload, each sent when there is enough for it: one at a time is in memory."""

    def __init__(self, bucket: Bucket, upload: dict[str, str]) -> None:
        self._bucket = bucket
        self._upload = upload
        self._rest = bytearray()
        self._sent: list[dict[str, Any]] = []

    def write(self, content: bytes, /) -> int:
        self._rest += content
        if len(self._rest) >= PART_BYTES:
            self._send()
        return len(content)

    def flush(self) -> None:
        """A part is sent when it is large enough, and no sooner."""

    def all(self) -> list[dict[str, Any]]:
        """Those that were sent, the rest included. There is one at least, if of nothing."""
        if self._rest or not self._sent:
            self._send()
        return self._sent

    def _send(self) -> None:
        number = len(self._sent) + 1
        answer = self._bucket._call("upload_part", **self._upload, PartNumber=number, Body=bytes(self._rest))
        self._sent.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._rest.clear()


@contextmanager
def _told(*errors: type[Exception]) -> Iterator[None]:
    """These errors as PlaceError."""
    try:
        yield
    except errors as error:
        raise PlaceError(str(error)) from error
