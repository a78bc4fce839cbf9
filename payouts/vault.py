"""Encryption, seals and fingerprints, none of whose keys reaches the database.

- Recipients are encrypted at rest by Fernet (AES-128-CBC with HMAC-SHA-256), each under a data key of its own, which
  the token names (`12:gAAAA…`) and without which it is unreadable for ever (models/recipient_keys.py). Data keys, and
  all else, are under `FIELD_ENCRYPTION_KEYS`: the first encrypts, all decrypt.
- Seals show tampering, so that a person with SQL alone cannot forge history: HMAC-SHA-256 under the first of
  `EVENT_HMAC_KEYS`, behind the key's id. All of them verify; `EVENT_HMAC_KEYS_RETIRED` verify history alone.
- Fingerprints are what must be equal for equal content for ever: HMAC-SHA-256 under `INDEX_KEY`, which never changes.

Both kinds of key that rotate are put in place, and taken away, as docs/keys.md tells.
"""

import base64
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
# Digits that belong together, whatever people put between them.
NUMBER = re.compile(r"\d(?:[\s().\-\u2010-\u2015]{0,2}\d)*")
# Four times four digits, and three or four besides.
WITH_CHECK_NUMBER = re.compile(r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}[ -]+(\d{3,4})")
BULLET = "•"
# What names the data key that a token is under. Fernet's own alphabet has no colon.
NAMED = re.compile(r"([1-9]\d{0,18}):")

type Stored = bytes | memoryview | None

KEY_ID_BYTES, MAC_BYTES = 4, 32
DATA_KEY_BYTES = 32
SEAL_BYTES = KEY_ID_BYTES + MAC_BYTES

_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


class UnreadableError(ValueError):
    """The stored recipient cannot be decrypted with any of the keys."""


class ErasedError(UnreadableError):
    """Two people had the recipient erased: there is no key for it any more."""


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


def seal(purpose: str, *parts: object, like: Stored = b"", is_history: bool = False) -> bytes:
    """What shows that the parts are ours: the key's id and their HMAC, SEAL_BYTES long.

    By the first key, to be stored; or by the key that made the stored seal `like`, to be compared with it. History
    (what is append-only) is compared under retired keys too. Where no key of ours has that id, none compares equal.
    """
    like, message = bytes(like or b""), _message(parts)
    keys = _sealing_keys(tuple(settings.EVENT_HMAC_KEYS))
    if not like:  # to be stored
        first, secret = next(iter(keys.items()))
        return first + hmac.digest(_subkey(secret, purpose), message, "sha256")
    if is_history:
        keys = keys | _sealing_keys(tuple(settings.EVENT_HMAC_KEYS_RETIRED))
    if len(like) == MAC_BYTES:  # made before seals carried an id: any of the keys
        macs = [hmac.digest(_subkey(secret, purpose), message, "sha256") for secret in keys.values()]
        return next((mac for mac in macs if mac == like), b"")
    secret = keys.get(like[:KEY_ID_BYTES], "")
    return like[:KEY_ID_BYTES] + hmac.digest(_subkey(secret, purpose), message, "sha256") if secret else b""


def is_by_known_key(sealed: Stored) -> bool:
    """False for a seal that names a key which is not of EVENT_HMAC_KEYS: another process may have it."""
    sealed = bytes(sealed or b"")
    return len(sealed) != SEAL_BYTES or sealed[:KEY_ID_BYTES] in _sealing_keys(tuple(settings.EVENT_HMAC_KEYS))


def is_by_first_key(sealed: Stored) -> bool:
    """Whether rotation has nothing to do with the seal."""
    sealed = bytes(sealed or b"")
    return len(sealed) == SEAL_BYTES and sealed[:KEY_ID_BYTES] == first_key_id()


def first_key_id() -> bytes:
    return next(iter(_sealing_keys(tuple(settings.EVENT_HMAC_KEYS))))


def fingerprint(purpose: str, *parts: object) -> bytes:
    """Equal for equal parts whatever keys rotate, and no help in guessing them; 32 bytes."""
    return hmac.digest(_subkey(settings.INDEX_KEY, purpose), _message(parts), "sha256")


def _message(parts: tuple[object, ...]) -> bytes:
    """The parts, each told apart from its neighbours by JSON."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"), default=str).encode()


@cache
def _sealing_keys(secrets: tuple[str, ...]) -> dict[bytes, str]:
    """The keys by their ids, in their order."""
    return {key_id(secret): secret for secret in secrets}


def key_id(secret: str) -> bytes:
    """Names the key, and tells nothing of it."""
    return _subkey(secret, "key-id")[:KEY_ID_BYTES]


def encrypt(recipient: Mapping[str, Any]) -> str:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(canonical(recipient)).decode("ascii")


def decrypt(token: str) -> dict[str, Any]:
    """Raises UnreadableError when no key fits or the text was altered."""
    try:
        clear = _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token)
    except (InvalidToken, ValueError) as error:
        raise UnreadableError("The recipient cannot be decrypted with the present keys.") from error
    return _loads(clear)


def new_data_key() -> bytes:
    return Fernet.generate_key()


def wrapped(data_key: bytes, *of: object) -> str:
    """The data key under the first of FIELD_ENCRYPTION_KEYS, with what it is the key of."""
    bound = fingerprint("data-key", *of)
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(base64.urlsafe_b64decode(data_key) + bound).decode()


def unwrapped(token: str, *of: object) -> bytes:
    """The data key. Raises UnreadableError when no key fits, or it is the key of something else."""
    try:
        clear = _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token)
    except (InvalidToken, ValueError) as error:
        raise UnreadableError("The recipient's key cannot be decrypted with the present keys.") from error
    if clear[DATA_KEY_BYTES:] != fingerprint("data-key", *of):
        raise UnreadableError("The recipient's key is another's.")
    return base64.urlsafe_b64encode(clear[:DATA_KEY_BYTES])


def encrypt_under(data_key: bytes, key_id: int, recipient: Mapping[str, Any]) -> str:
    """A token that names the key by its id, and that this key alone decrypts."""
    return f"{key_id}:{Fernet(data_key).encrypt(canonical(recipient)).decode('ascii')}"


def decrypt_under(data_key: bytes, token: str) -> dict[str, Any]:
    """Raises UnreadableError when the text was altered, or is under another key."""
    try:
        clear = Fernet(data_key).decrypt(NAMED.sub("", token, count=1))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError("The recipient cannot be decrypted with the key that it names.") from error
    return _loads(clear)


def key_named(token: str) -> int | None:
    """The id of the data key that a token is under; None where it is under FIELD_ENCRYPTION_KEYS themselves."""
    found = NAMED.match(token)
    return int(found[1]) if found and int(found[1]) < 2**63 else None


def _loads(text: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return content


def encrypted_anew(token: str) -> str:
    """The same content under the first key; raises UnreadableError. Nothing stays nothing.

    What is under a data key stays: that key is put under the first one.
    """
    return encrypt(decrypt(token)) if token and key_named(token) is None else token


def is_by_first_field_key(token: str | bytes) -> bool:
    """Whether rotation has nothing to do with what is encrypted; so it is where nothing is, and under a data key."""
    try:
        return (
            not token
            or (isinstance(token, str) and key_named(token) is not None)
            or bool(Fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(token))
        )
    except (InvalidToken, ValueError):
        return False


def encrypt_file(content: bytes) -> bytes:
    """Compressed first: a token is a third longer than what it hides."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(zlib.compress(content, 1))


def decrypt_file(token: bytes) -> bytes:
    """Raises UnreadableError when no key fits or the token was altered."""
    try:
        return zlib.decompress(_fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token))
    except (InvalidToken, ValueError) as error:
        raise UnreadableError("The file cannot be decrypted with the present keys.") from error


def blind_index(identity: str) -> bytes:
    """Equal for equal identities of a recipient (`recipients.identity`), and no help in guessing one."""
    return fingerprint("recipient-index", identity)


def digest(secret: str) -> bytes:
    """SHA-256, for secrets of 256 random bits, which need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def masked_text(text: str) -> str:
    """Every digit hidden, but the first 6 and last 4 of a card, and the last 4 of other numbers of 8 or more.

    Each number in the text by itself; what follows a card's, such as its check number, is another.
    """
    places = [place for place, character in enumerate(text) if character.isdigit()]
    hidden = set(places)
    if CARD.fullmatch(text.strip()) and not WITH_CHECK_NUMBER.fullmatch(text.strip()):
        hidden -= {*places[:6], *places[-4:]}
    else:
        for number in NUMBER.finditer(text):
            own = [place for place in places if number.start() <= place < number.end()]
            if with_check := WITH_CHECK_NUMBER.fullmatch(number[0]):
                own = own[: -len(with_check[1])]
            hidden -= set(own[-4:]) if len(own) >= 8 else set()
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
