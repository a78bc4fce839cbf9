"""Folders and buckets outside the database: what is written is there whole, or not at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from payouts.places import PART_BYTES, Bucket, Place, PlaceError, place_of


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "folder":
        yield place_of(str(tmp_path / "backups"))
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="backups")
        yield place_of("s3://backups/of/ours/")


def read(place: Place, name: str) -> bytes:
    with place.reading(name) as source:
        return b"".join(iter(lambda: source.read(1_000_000), b""))


def test_what_is_written_in_pieces_is_read_back_in_pieces(place: Place) -> None:
    pieces = [bytes([number]) * (PART_BYTES // 2 + 1) for number in range(5)]

    with place.writing("large") as sink:
        for piece in pieces:
            sink.write(piece)
        sink.flush()
    with place.writing("empty"):
        pass

    assert place.names() == ["empty", "large"]
    assert read(place, "large") == b"".join(pieces)
    assert place.read("empty") == b""


def test_an_object_says_what_it_is_by_its_name(place: Place) -> None:
    """A bucket's clients unpack what is said to be packed."""
    if not isinstance(place, Bucket):
        return
    for name in ("one.json.gz", "one.mac"):
        place.write(name, b"1")
    with place.writing("one.dump.age") as sink:
        sink.write(b"1")

    client = boto3.client("s3")
    said = {
        name: client.head_object(Bucket="backups", Key=f"of/ours/{name}")["ContentType"] for name in place.names()
    }
    octets = "application/octet-stream"
    assert said == {"one.json.gz": "application/gzip", "one.mac": octets, "one.dump.age": octets}


def test_a_block_that_fails_leaves_what_was_there_before(place: Place) -> None:
    def fail(name: str) -> None:
        with place.writing(name) as sink:
            sink.write(b"x" * (PART_BYTES + 1))
            raise ZeroDivisionError

    place.write("kept", b"before")

    for name in ("kept", "new"):
        with pytest.raises(ZeroDivisionError):
            fail(name)

    assert place.names() == ["kept"]
    assert place.read("kept") == b"before"


def test_what_is_removed_is_gone_and_may_be_removed_again(place: Place) -> None:
    place.write("one", b"1")

    place.remove("one")
    place.remove("one")

    assert place.names() == []


def test_what_is_not_there_is_said(place: Place) -> None:
    place.write("one", b"1")

    with pytest.raises(PlaceError):
        place.read("other")
    with pytest.raises(PlaceError), place.reading("other"):
        pass


@pytest.mark.parametrize("act", ["names", "read", "write", "remove"])
def test_a_folder_that_is_none_is_said(act: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place: Any = place_of(str(tmp_path / "file"))
    given: dict[str, tuple[Any, ...]] = {"names": (), "write": ("one", b"1")}

    with pytest.raises(PlaceError):
        getattr(place, act)(*given.get(act, ("one",)))
