"""JSON in and out without a surprise: exact numbers, no name twice, nothing that PostgreSQL cannot store.

`read` takes one object that can be read in one way only; `loads` takes it if it can be stored besides.
"""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from payouts.database.storable import is_storable
from payouts.plain_text import turns

NUMBER_LIMIT = 64
INTEGERS = range(-(2**63), 2**63)

_encoder = msgspec.json.Encoder(decimal_format="number")


class JsonError(ValueError):
    """Not one JSON object that can be read in one way only. `code` says why; no text quotes the content."""

    def __init__(self, code: str, **parameters: str) -> None:
        super().__init__(code)
        self.code = code
        self.parameters = parameters


def read(
    content: bytes, *, fraction: Callable[[str], object] = Decimal, integer: Callable[[str], object] = int
) -> dict[str, Any]:
    """The JSON object (RFC 8259, UTF-8); `fraction` and `integer` make its numbers of their texts.

    Raises JsonError with the code `syntax`, `constant` (NaN and its like), `repeated` or `no_object`.
    """
    try:
        parsed = json.loads(
            content.decode("utf-8"),
            parse_float=fraction,
            parse_int=integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except JsonError:
        raise
    except (ValueError, ArithmeticError, RecursionError):
        raise JsonError("syntax") from None  # the cause would quote the content
    if not isinstance(parsed, dict):
        raise JsonError("no_object")
    return parsed


def loads(content: bytes) -> dict[str, Any]:
    """The JSON object, if all of it can be stored; fractions are Decimal.

    Raises JsonError as `read` does, and with the code `range` for a number, `unstorable` for a text or the depth, and
    `turns` for a text that changes the direction of text.
    """
    parsed = read(content, fraction=_fraction, integer=_integer)
    if not is_storable(parsed):
        raise JsonError("unstorable")
    if turns(parsed):
        raise JsonError("turns")
    return parsed


def dumps(content: object) -> bytes:
    """Decimals become numbers with all their digits, times RFC 3339 in UTC."""
    return _encoder.encode(content)


def _fraction(text: str) -> Decimal:
    try:
        if len(text) <= NUMBER_LIMIT:
            return Decimal(text)
    except InvalidOperation:
        pass
    raise JsonError("range")


def _integer(text: str) -> int:
    if len(text) > NUMBER_LIMIT or int(text) not in INTEGERS:
        raise JsonError("range")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError("constant", name=name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise JsonError("repeated")
    return content
