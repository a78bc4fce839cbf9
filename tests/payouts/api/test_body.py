"""What a body may be, and that a hostile one is refused and leaves nothing."""

import json

import pytest

from payouts.models import Payout
from tests.payouts.api.conftest import EXAMPLE

pytestmark = pytest.mark.django_db

DEEP = "[" * 100_000 + "]" * 100_000


def _with(**changes: object) -> str:
    return json.dumps({**EXAMPLE, **changes})


HOSTILE = {
    "NaN": _with().replace("100.5", "NaN"),
    "Infinity": _with().replace("100.5", "Infinity"),
    "-Infinity": _with().replace("100.5", "-Infinity"),
    "1e400": _with().replace("100.5", "1e400"),
    "1e-400": _with().replace("100.5", "1e-400"),
    "exponent beyond Decimal": _with().replace("100.5", "1e9999999999999999999"),
    "1e11 digits": _with().replace("100.5", "1" * 5_000),
    "-0": _with().replace("100.5", "-0"),
    "leading zero": _with().replace("100.5", "0100"),
    "plus sign": _with().replace("100.5", "+1"),
    "hexadecimal": _with().replace("100.5", "0x10"),
    "amount true": _with(amount=True),
    "amount null": _with(amount=None),
    "amount list": _with(amount=[1]),
    "amount object": _with(amount={"$gt": 0}),
    "amount empty": _with(amount=""),
    "amount in words": _with(amount="one"),
    "amount with a comma": _with(amount="100,50"),
    "amount with a space": _with(amount="1 000"),
    "amount in Arabic digits": _with(amount="١٠٠"),
    "amount NaN as text": _with(amount="NaN"),
    "amount sNaN as text": _with(amount="sNaN"),
    "amount with an underscore": _with(amount="1_000"),
    "user_id 2^70": _with(user_id=2**70),
    "user_id 2^63": _with(user_id=2**63),
    "user_id 0": _with(user_id=0),
    "user_id -1": _with(user_id=-1),
    "user_id true": _with(user_id=True),
    "user_id 1.0": _with(user_id=1.0),
    "user_id text": _with(user_id="123"),
    "user_id null": _with(user_id=None),
    "user_id 5000 digits": _with(user_id=0).replace('"user_id": 0', f'"user_id": {"9" * 5_000}'),
    "NUL in the comment": _with(comment="a\0b"),
    "NUL in the recipient": _with(recipient_details={"card": "a\0b"}),
    "NUL in a name": _with(recipient_details={"a\0b": "1"}),
    "NUL in the currency": _with(currency="RU\0"),
    "lone surrogate in the comment": _with(comment="x").replace('"x"', r'"\ud800"'),
    "lone surrogate in the recipient": _with(recipient_details={"card": "x"}).replace('"x"', r'"\udfff"'),
    "lone surrogate in a name": _with(recipient_details={"x": "1"}).replace('"x"', r'"\ud800"'),
    "duplicate names": '{"user_id": 1, "user_id": 2}',
    "duplicate names inside": _with().replace('"card"', '"card": "1", "card"'),
    "an extra field": _with(status="processed"),
    "a prototype": _with(__proto__={"status": "processed"}),
    "comment too long": _with(comment="x" * 1_001),
    "comment a number": _with(comment=1),
    "comment null": _with(comment=None),
    "recipient a text": _with(recipient_details="card"),
    "recipient a list": _with(recipient_details=["card"]),
    "recipient empty": _with(recipient_details={}),
    "recipient null": _with(recipient_details=None),
    "recipient too long": _with(recipient_details={"card": "1" * 10_000}),
    "recipient deep": _with(recipient_details={"a": 0}).replace('"a": 0', '"a":' + "[" * 40 + "]" * 40),
    "recipient with NaN": _with(recipient_details={"a": 0}).replace('"a": 0', '"a": NaN'),
    "recipient with 2^70": _with(recipient_details={"a": 2**70}),
    "recipient with 5000 digits": _with(recipient_details={"a": 0}).replace('"a": 0', f'"a": 0.{"1" * 5_000}'),
    "100,000 levels": DEEP,
    "100,000 objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "10 MB": _with(comment="x" * 10_000_000),
    "10 MB of zeros": "0" * 10_000_000,
    "nothing": "",
    "a space": " ",
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "a number": "1",
    "half an object": '{"user_id": 1',
    "two objects": "{}{}",
    "a comment": "/* x */ {}",
    "single quotes": "{'user_id': 1}",
    "a trailing comma": '{"user_id": 1,}',
    "not UTF-8": b'{"comment": "\xff"}',
    "UTF-16": _with().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + _with().encode(),
    "a raw newline in a text": '{"comment": "a\nb"}',
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_gets_a_4xx_and_leaves_nothing(api, name):
    response = api("POST", "/api/payouts/", HOSTILE[name])

    assert response.status_code in (400, 413), (name, response.content)
    assert response["Content-Type"] == "application/problem+json"
    assert not Payout.objects.exists()


def test_the_hostile_bodies_are_sixty_or_more():
    assert len(HOSTILE) >= 60


def test_a_body_beyond_the_limit_is_too_large(api):
    assert api("POST", "/api/payouts/", HOSTILE["10 MB"]).status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_body_that_is_not_declared_as_json_is_refused(api, content_type):
    response = api("POST", "/api/payouts/", EXAMPLE, content_type=content_type)

    assert response.status_code == 415
    assert not Payout.objects.exists()


@pytest.mark.parametrize("change", [{"comment": "a\u202eb"}, {"recipient_details": {"na\u2066me": "x"}}], ids=str)
def test_a_character_that_turns_text_is_bad_input(api, change):
    response = api("POST", "/api/payouts/", {**EXAMPLE, **change})

    assert response.status_code == 400
    assert "direction of text" in response.json()["errors"]["body"][0]
    assert not Payout.objects.exists()
