"""Backups are files of age (age-encryption.org/v1): encrypted for public keys, so what makes them opens none.

`age --decrypt` opens one too, where this product is not at hand.
"""

from pathlib import Path
from typing import Any

import pyrage
from django.conf import settings
from pyrage import x25519

from payouts.places import Sink, Source


class EnvelopeError(ValueError):
    """A key is no key of age, or none of ours opens the file; the text says which."""


class DamagedError(ValueError):
    """A key of ours opens the file, and it is not as it was written."""


def recipients() -> list[Any]:
    """The public keys of BACKUP_RECIPIENTS. Raises EnvelopeError for what is none, and where there is none."""
    if not settings.BACKUP_RECIPIENTS:
        raise EnvelopeError("BACKUP_RECIPIENTS is not set: a backup would be readable by whoever gets it.")
    found = []
    for number, text in enumerate(settings.BACKUP_RECIPIENTS, 1):
        try:
            found.append(x25519.Recipient.from_str(text))
        except pyrage.RecipientError as error:
            raise EnvelopeError(f"Key {number} of BACKUP_RECIPIENTS is no public key of age (age1…).") from error
    return found


def identities() -> list[Any]:
    """The secret keys of BACKUP_IDENTITY, or of the file that BACKUP_IDENTITY_FILE names. Raises EnvelopeError."""
    text = settings.BACKUP_IDENTITY or _content(settings.BACKUP_IDENTITY_FILE)
    lines = [line.strip() for line in text.replace(",", "\n").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]  # age-keygen writes comments
    if not keys:
        raise EnvelopeError("BACKUP_IDENTITY is not set, so no backup can be opened here.")
    try:
        return [x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError as error:
        raise EnvelopeError("BACKUP_IDENTITY has what is no secret key of age (AGE-SECRET-KEY-1…).") from error


def new_key() -> tuple[str, str]:
    """A secret key, for BACKUP_IDENTITY, and its public one, for BACKUP_RECIPIENTS."""
    made = x25519.Identity.generate()
    return str(made), str(made.to_public())


def encrypt(source: Source, sink: Sink, *, for_keys: list[Any]) -> None:
    """From the one to the other, some kilobytes at a time. Raises EnvelopeError, and what either of them raises."""
    reader, writer = _Reader(source), _Writer(sink)
    try:
        pyrage.encrypt_io(reader, writer, for_keys)
    except (pyrage.EncryptError, OSError) as error:
        _raise_first(reader, writer)
        raise EnvelopeError(str(error)) from error


def decrypt(source: Source, sink: Sink, *, by_keys: list[Any]) -> None:
    """From the one to the other. What was written before a DamagedError is no whole backup.

    Raises EnvelopeError where none of the keys opens it, DamagedError, and what either of the two raises.
    """
    reader, writer = _Reader(source), _Writer(sink)
    try:
        pyrage.decrypt_io(reader, writer, by_keys)
    except (pyrage.DecryptError, OSError) as error:
        _raise_first(reader, writer)
        if isinstance(error, OSError):
            raise DamagedError(str(error)) from error
        raise EnvelopeError(f"BACKUP_IDENTITY does not open it: {error}.") from error


class _Reader:
    """The source, with its error, which pyrage makes a text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = error
            raise


class _Writer:
    """The sink, likewise."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.error: BaseException | None = None

    def write(self, content: bytes, /) -> int:
        try:
            return self._sink.write(content)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        """The sink does when it is closed."""


def _raise_first(reader: _Reader, writer: _Writer) -> None:
    for each in (reader.error, writer.error):
        if each is not None:
            raise each


def _content(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"BACKUP_IDENTITY_FILE cannot be read ({type(error).__name__}).") from None
