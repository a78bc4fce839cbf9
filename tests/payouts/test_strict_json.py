"""JSON that can be read in one way only, and what of it can be stored."""

from decimal import Decimal

import pytest

from payouts import strict_json
from payouts.strict_json import JsonError


def test_numbers_are_exact() -> None:
    content = strict_json.loads(b'{"amount": 12345678901234.5678, "user_id": 9223372036854775807}')

    assert content == {"amount": Decimal("12345678901234.5678"), "user_id": 2**63 - 1}
    assert strict_json.dumps(content) == b'{"amount":12345678901234.5678,"user_id":9223372036854775807}'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "syntax"),
        (b"{", "syntax"),
        (b'{"a": "\xff"}', "syntax"),
        (b'{"a": ' + b"[" * 100_000, "syntax"),
        (b'{"a": 1e9999999999999999999999}', "syntax"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "syntax"),
        (b'{"a": NaN}', "constant"),
        (b'{"a": -Infinity}', "constant"),
        (b'{"a": 1, "a": 1}', "repeated"),
        (b'{"b": [{"a": 1, "a": 2}]}', "repeated"),
        (b"[]", "no_object"),
        (b'"a"', "no_object"),
        (b"null", "no_object"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(JsonError) as refusal:
        strict_json.read(content)

    assert refusal.value.code == code
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"a": 9223372036854775808}', "range"),
        (b'{"a": ' + b"1" * 65 + b"}", "range"),
        (b'{"a": 0.' + b"1" * 65 + b"}", "range"),
        (b'{"a": 1e9999999999999999999999}', "range"),
        (b'{"a": "\\u0000"}', "unstorable"),
        (b'{"\\ud800": 1}', "unstorable"),
        (b'{"a": ' + b"[" * 17 + b"]" * 17 + b"}", "unstorable"),
    ],
)
def test_what_cannot_be_stored_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(JsonError) as refusal:
        strict_json.loads(content)

    assert refusal.value.code == code


def test_what_a_reader_need_not_store_it_may_read() -> None:
    content = b'{"a": "\\u0000", "b": 9223372036854775808}'

    assert strict_json.read(content) == {"a": "\0", "b": 2**63}
