"""A provider's words, made fit to be stored, logged and shown: cleaned, capped and masked. And our own, for UNKNOWN.

Pure functions.
"""

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from payouts.providers import Answer, Instruction, Verdict

CODE_LIMIT: Final = 64
MESSAGE_LIMIT: Final = 255
ID_LIMIT: Final = 128
EXCERPT_LIMIT: Final = 300
_EXCERPT_SOURCE_LIMIT: Final = 4 * EXCERPT_LIMIT
_SECRET_FLOOR: Final = 4  # letters and digits below which a recipient's value identifies nobody ("RU", "12")
_MASK: Final = "*"
_PLAIN_DECIMAL: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,10})?")
# Card numbers have 13 to 19 digits (ISO/IEC 7812-1), account numbers more: runs from 13 up are masked.
_DIGIT_RUN: Final = re.compile(r"\d(?:[\s\-\u2010-\u2015._/]{0,3}\d){12,}")
_JSON_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")


def unexpected_status(instruction: Instruction, http_status: int, body: bytes, *, token: str = "") -> Answer:
    """UNKNOWN for a status that the protocol gives no meaning."""
    if http_status == 429:
        code, message = "rate_limited", "The provider asked to slow down (HTTP 429)."
    elif 300 <= http_status < 400:
        code, message = "redirect", f"The provider redirected (HTTP {http_status}), which is not followed."
    else:
        code, message = f"http_{http_status}", f"The provider answered HTTP {http_status}."
    return unknown(code, message, http_status=http_status, excerpt=excerpt_of(instruction, body, token))


def unparsable(instruction: Instruction, http_status: int, body: bytes, *, token: str = "") -> Answer:
    """UNKNOWN for a body that is not the documented JSON."""
    message = f"The provider's answer cannot be read (HTTP {http_status}, {len(body)} bytes)."
    return unknown("unparsable", message, http_status=http_status, excerpt=excerpt_of(instruction, body, token))


def unknown(code: str, message: str, *, http_status: int | None = None, excerpt: str = "") -> Answer:
    """An UNKNOWN answer in our own words."""
    return Answer(Verdict.UNKNOWN, code=code, message=message, http_status=http_status, excerpt=excerpt)


def clean(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, without control, format and surrogate characters.

    Runs of white space become one space. The result can be stored by PostgreSQL and printed by a log.
    """
    if not (text.isascii() and text.isprintable()):
        kept = (" " if char.isspace() else char for char in text)
        text = "".join(char for char in kept if not unicodedata.category(char).startswith("C"))
    return " ".join(text.split())[:limit]


def scrub(text: str, limit: int, instruction: Instruction, *, token: str = "", mask_digits: bool = True) -> str:
    """`clean` a provider's words and mask every value of the recipient, the token and long runs of digits.

    Values are recognised however their letters and digits are spaced and capitalised. Masks keep the length,
    so that nothing behind the limit moves into it.
    """
    text = clean(text, _EXCERPT_SOURCE_LIMIT)
    chars = list(text)
    positions = [index for index, char in enumerate(chars) if char.isalnum()]
    compact = "".join(chars[index].lower()[0] for index in positions)
    for secret in (*_values(instruction.recipient), token):
        wanted = "".join(char.lower()[0] for char in secret if char.isalnum())[:EXCERPT_LIMIT]
        if len(wanted) < _SECRET_FLOOR:
            continue
        start = compact.find(wanted)
        while start >= 0:
            for index in range(positions[start], positions[start + len(wanted) - 1] + 1):
                chars[index] = _MASK
            start = compact.find(wanted, start + 1)
    masked = "".join(chars)
    if mask_digits:
        masked = _DIGIT_RUN.sub(lambda run: _MASK * len(run.group()), masked)
    return masked[:limit]


def exact_amount(amount: object) -> Decimal | None:
    """None for what is no plain decimal."""
    if isinstance(amount, str) and _PLAIN_DECIMAL.fullmatch(amount):
        return Decimal(amount)
    if isinstance(amount, Decimal) or (isinstance(amount, int) and not isinstance(amount, bool)):
        return Decimal(amount)
    return None


def excerpt_of(instruction: Instruction, body: bytes, token: str) -> str:
    text = body[: 2 * _EXCERPT_SOURCE_LIMIT].decode("utf-8", errors="replace")
    plain = _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    return scrub(plain, EXCERPT_LIMIT, instruction, token=token)


def _values(recipient: object) -> Iterator[str]:
    waiting = [recipient]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            yield str(value)
