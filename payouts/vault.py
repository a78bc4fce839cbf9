"""Encryption and seals: recipients are encrypted at rest and masked for people, and seals show tampering.

Encryption is Fernet (AES-128-CBC with HMAC-SHA-256) under `FIELD_ENCRYPTION_KEYS`: the first key encrypts, all
decrypt. Seals are HMAC-SHA-256 under `EVENT_HMAC_KEY`, which never reaches the database, so that a person with
SQL alone cannot forge history.
"""

import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

CARD = re.compile(r"\d(?:[ -]?\d){12,18}")
BULLET = "•"

_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


class UnreadableError(ValueError):
    """The stored recipient cannot be decrypted with any of the keys."""


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


@cache
def _subkey(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), f"payouts/{purpose}".encode(), "sha256")


def canonical(content: Mapping[str, Any]) -> bytes:
    """One spelling for equal JSON objects: sorted names, no spaces, UTF-8, every digit of a number."""
    return _encoder.encode(content)


def normal(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it reads after storing: its canonical form is the same for ever."""
    return _loads(canonical(content))


def seal(purpose: str, *parts: object) -> bytes:
    """HMAC-SHA-256 of the parts, each told apart from its neighbours by JSON; 32 bytes."""
    message = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    return hmac.digest(_subkey(settings.EVENT_HMAC_KEY, purpose), message, "sha256")


def encrypt(recipient: Mapping[str, Any]) -> str:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(canonical(recipient)).decode("ascii")


def decrypt(token: str) -> dict[str, Any]:
    """Raises UnreadableError when no key fits or the text was altered."""
    try:
        clear = _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token)
    except (InvalidToken, ValueError) as error:
        raise UnreadableError("The recipient cannot be decrypted with the present keys.") from error
    return _loads(clear)


def _loads(text: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return content


def encrypt_file(content: bytes) -> bytes:
    """Compressed first: a token is a third longer than what it hides."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(zlib.compress(content, 1))


def decrypt_file(token: bytes) -> bytes:
    """Raises UnreadableError when no key fits or the token was altered."""
    try:
        return zlib.decompress(_fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError("The file cannot be decrypted with the present keys.") from error


def blind_index(recipient: Mapping[str, Any]) -> bytes:
    """Equal for equal recipients, and no help in guessing one: for finding duplicates without decrypting."""
    return seal("recipient-index", canonical(recipient).decode())


def digest(secret: str) -> bytes:
    """SHA-256, for secrets of 256 random bits, which need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def masked_text(text: str) -> str:
    """Every digit hidden, but the first 6 and last 4 of a card, and the last 4 of another number of 8 or more."""
    places = [place for place, character in enumerate(text) if character.isdigit()]
    if CARD.fullmatch(text.strip()):
        shown = {*places[:6], *places[-4:]}
    else:
        shown = set(places[-4:]) if len(places) >= 8 else set()
    hidden = set(places) - shown
    return "".join(BULLET if place in hidden else character for place, character in enumerate(text))


def masked(content: Any) -> Any:
    """The same JSON with every text and number masked, and every name."""
    match content:
        case dict():
            return {masked_text(str(key)): masked(value) for key, value in content.items()}
        case list():
            return [masked(value) for value in content]
        case bool() | None:
            return content
        case str():
            return masked_text(content)
        case _:
            return masked_text(str(content))
