"""Backups are files of age: what is sealed for some keys is opened by each of them, and by nobody else."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from payouts.backups import envelope
from payouts.backups.envelope import DamagedError, EnvelopeError

CONTENT = b"a payout\n" * 50_000


def sealed(*secrets_and_publics: tuple[str, str], settings: Any) -> bytes:
    settings.BACKUP_RECIPIENTS = [public for _secret, public in secrets_and_publics]
    sink = BytesIO()
    envelope.encrypt(BytesIO(CONTENT), sink, for_keys=envelope.recipients())
    return sink.getvalue()


def opened(content: bytes) -> bytes:
    sink = BytesIO()
    envelope.decrypt(BytesIO(content), sink, by_keys=envelope.identities())
    return sink.getvalue()


@pytest.mark.parametrize("number", [0, 1])
def test_each_of_the_keys_opens_it(number: int, settings: Any) -> None:
    keys = envelope.new_key(), envelope.new_key()
    content = sealed(*keys, settings=settings)

    settings.BACKUP_IDENTITY = keys[number][0]

    assert content.startswith(b"age-encryption.org/v1")
    assert b"payout" not in content
    assert opened(content) == CONTENT


def test_a_file_of_age_keygen_is_read_and_each_key_of_it_tried(settings: Any, tmp_path: Path) -> None:
    old, new = envelope.new_key(), envelope.new_key()
    content = sealed(new, settings=settings)
    path = tmp_path / "identity"
    path.write_text(f"# created: today\n# public key: {old[1]}\n{old[0]}\n\n{new[0]}\n")

    settings.BACKUP_IDENTITY_FILE = str(path)

    assert opened(content) == CONTENT


def test_another_key_opens_nothing(settings: Any) -> None:
    content = sealed(envelope.new_key(), settings=settings)

    settings.BACKUP_IDENTITY = envelope.new_key()[0]

    with pytest.raises(EnvelopeError, match="BACKUP_IDENTITY does not open it"):
        opened(content)


@pytest.mark.parametrize("cut", [-1, -16, 65_536 + 16 + 300])
def test_what_was_cut_off_is_damaged(cut: int, settings: Any) -> None:
    key = envelope.new_key()
    content = sealed(key, settings=settings)
    settings.BACKUP_IDENTITY = key[0]

    with pytest.raises(DamagedError):
        opened(content[:cut])


def test_what_was_changed_is_damaged(settings: Any) -> None:
    key = envelope.new_key()
    content = sealed(key, settings=settings)
    settings.BACKUP_IDENTITY = key[0]

    with pytest.raises(DamagedError):
        opened(content[:100_000] + bytes([content[100_000] ^ 1]) + content[100_001:])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "BACKUP_IDENTITY is not set"),
        ({"BACKUP_IDENTITY": "# nothing"}, "BACKUP_IDENTITY is not set"),
        ({"BACKUP_IDENTITY": "age1abc"}, "no secret key of age"),
        ({"BACKUP_IDENTITY_FILE": "/nowhere/at/all"}, "cannot be read .FileNotFoundError"),
    ],
)
def test_what_is_no_key_is_said_without_its_text(given: dict[str, str], said: str, settings: Any) -> None:
    for name, value in given.items():
        setattr(settings, name, value)

    with pytest.raises(EnvelopeError, match=said):
        envelope.identities()


def test_nothing_is_sealed_for_nobody(settings: Any) -> None:
    settings.BACKUP_RECIPIENTS = []

    with pytest.raises(EnvelopeError, match="BACKUP_RECIPIENTS is not set"):
        envelope.recipients()


class Broken:
    """A stream that ends with an error."""

    def read(self, size: int = -1, /) -> bytes:
        raise TimeoutError("the disk is gone")

    def write(self, content: bytes, /) -> int:
        raise TimeoutError("the disk is gone")

    def flush(self) -> None: ...


def test_the_error_of_a_stream_comes_out_as_it_is(settings: Any) -> None:
    key = envelope.new_key()
    content = sealed(key, settings=settings)
    settings.BACKUP_IDENTITY = key[0]
    for_keys, by_keys = envelope.recipients(), envelope.identities()

    for act in (
        lambda: envelope.encrypt(Broken(), BytesIO(), for_keys=for_keys),
        lambda: envelope.encrypt(BytesIO(CONTENT), Broken(), for_keys=for_keys),
        lambda: envelope.decrypt(Broken(), BytesIO(), by_keys=by_keys),
        lambda: envelope.decrypt(BytesIO(content), Broken(), by_keys=by_keys),
    ):
        with pytest.raises(TimeoutError, match="the disk is gone"):
            act()
