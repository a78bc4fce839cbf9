"""Bodies of the API: what is no JSON, what two parsers read in two ways, what no amount is, and what cannot be stored."""

import json

from tests.attacks.corpus import HOST, HTTPS, JSON, PAYOUTS, REFUSED, Attack, either, request

USUAL = {
    "user_id": "123",
    "amount": "100.50",
    "currency": '"RUB"',
    "recipient_details": '{"card": "0000 1111 2222 3333"}',
    "comment": '"Оплата бонуса"',
}


def _order(**raw: str) -> bytes:
    """The usual order with members' JSON text replaced, or added."""
    members = {**USUAL, **raw}
    return ("{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members.items()) + "}").encode(
        "utf-8", "surrogatepass"
    )


NO_ORDERS: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a text": b'"x"',
    "a list": b"[]",
    "a list of orders": b"[" + _order() + b"]",
    "no members": b"{}",
    "half an order": _order()[:40],
    "two orders": _order() + _order(),
    "an order and more": _order() + b"x",
    "a byte order mark": b"\xef\xbb\xbf" + _order(),
    "UTF-16": _order().decode().encode("utf-16"),
    "UTF-32": _order().decode().encode("utf-32"),
    "latin-1": _order(comment='"\xe9"').decode().encode("latin-1", "replace"),
    "bad UTF-8": _order(comment='"x"').replace(b'"x"', b'"\xff\xfe"'),
    "overlong UTF-8": _order(comment='"x"').replace(b'"x"', b'"\xc0\xaf"'),
    "surrogates in UTF-8": _order(comment='"x"').replace(b'"x"', b'"\xed\xa0\x80"'),
    "a comment": b"/* */" + _order(),
    "single quotes": _order().replace(b'"', b"'"),
    "a comma too many": _order()[:-1] + b",}",
    "nested 100,000 deep": b'{"a":' * 100_000,
    "lists nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "nested 5,000 deep in an order": _order(recipient_details='{"a":' * 5_000 + "1" + "}" * 5_000),
    "nested 200 deep in an order": _order(recipient_details='{"a":' * 200 + "1" + "}" * 200),
    "a form": b"user_id=123&amount=100.50&currency=RUB",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "YAML": b"user_id: 123\namount: 100.5\n",
    "a pickle": b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "10 MB": b'{"a": "' + b"x" * 10_000_000 + b'"}',
    "300 KB": _order(comment=f'"{"x" * 300_000}"'),
    "a number of 250,000 digits": _order(amount="1" * 250_000),
    "20,000 members": b"{" + b",".join(b'"a%d":1' % each for each in range(20_000)) + b"}",
    "an amount twice": _order().replace(b'"amount": 100.50', b'"amount": 1, "amount": 100.50'),
    "an amount twice, one escaped": _order().replace(b'"amount": 100.50', b'"amount": 1, "\\u0061mount": 100.50'),
    "a member twice in the recipient": _order(recipient_details='{"card": "1", "card": "2"}'),
}
VALUES: dict[str, tuple[str, ...]] = {
    "user_id": (
        *("0", "-1", "1.0", "1e0", "1.5", '"1"', "true", "null", "[]", "{}", "9223372036854775808", "1e400", "NaN"),
        *("-0", "01", "0x1", "+1", "Infinity", "123456789012345678901234567890"),
    ),
    "amount": (
        *("0", "-0", "-0.01", "0.001", "1.005", "100.505", "1e400", "1e-400", "1E+3", "NaN", "Infinity", "-Infinity"),
        *("100000000000000", "99999999999999.999", "1e14", "9e13", "true", "null", '""', '"abc"', '"1e3"', '"1,5"', '"NaN"'),
        *('" 1"', '"١٢"', '"+1"', '"0x10"', '"1_000"', '"100.50\\u0000"', "[]", "{}", ".5", "5.", "00.5", "0.1e1"),
        *("0." + "0" * 60 + "1", "1" * 70, '"' + "9" * 50 + '"', "1.0000000000000000000000000000001"),
    ),
    "currency": (
        *('""', '"rub"', '"RU"', '"RUBX"', '"XXX"', '"XTS"', "null", "1", "[]", '"R\\u0000B"', '"РУБ"', '"RUB "', '" RUB"'),
        *('"ＲＵＢ"', '"BTC"', '"RUR"', '"' + "R" * 10_000 + '"', "true", "{}"),
    ),
    "recipient_details": (
        *("{}", "[]", "null", '"4111111111111111"', "1", "true", '{"card": null}', '{"card": ""}', '{"card": []}'),
        *('{"card": "\\u0000"}', '{"\\u0000": "1"}', '{"card": "\\ud800"}', '{"\\udfff": "1"}', '{"card": {}}', '[{"card": "1"}]'),
        *('{"card": NaN}', '{"card": 123456789012345678901234567890}', '{"a": ' + "[" * 300 + "]" * 300 + "}"),
        *('{"card": "", "name": null, "bank": [], "more": {}}', '{"a": ""}'),
    ),
    "comment": (
        *("null", "1", "[]", "{}", "true", '"\\u0000"', '"\\ud800"', '"a\\udc00b"', '"' + "x" * 1_001 + '"', '"\\x"', '"\t"', '"\n"'),
        *('"' + "\U0001f600" * 1_001 + '"', '"\\u12"'),
    ),
    "maker": ("1",),
    "status": ('"processed"',),
    "approvals_required": ("0",),
    "id": ("1",),
    "client": ('"other"',),
    "reference": ('"00000000-0000-0000-0000-000000000000"',),
    "__class__": ("1",),
    "": ("1",),
    "Amount": ("1",),
}  # fmt: skip
# What is refused unless it means the usual thing: an amount as a text is one, as the contract says.
MEANS_THE_SAME = {
    ("amount", "1E+3"), ("amount", "9e13"), ("amount", "0.1e1"), ("comment", '"\\u12"'),
}  # fmt: skip
STATUSES = (
    *("{}", '{"status": ""}', '{"status": null}', '{"status": "paid"}', '{"status": ["cancelled"]}', '{"status": 1}'),
    *(
        '{"status": "cancelled", "amount": 1}',
        '{"status": "cancelled", "status": "processed"}',
        '{"status": "\\u0000"}',
    ),
    *(
        '{"Status": "cancelled"}',
        "[]",
        "null",
        '"cancelled"',
        '{"status": "CANCELLED"}',
        '{"status": "cancelled "}',
        "{",
    ),
)
NEWS = (
    *(b"", b"{}", b"[]", b"null", b"\xff", b'{"type": "payout.updated"}', b'{"type": "payout.updated", "data": []}'),
    *(b'{"type": "payout.updated", "data": {"reference": 1, "status": "succeeded"}}', b"{" * 10_000, b"x" * 300_000),
    *(b'{"type": "payout.updated", "data": {"reference": "x", "status": "\\u0000"}}',),
)

REQUESTS = [
    *(
        Attack(f"POST {name}", request(b"POST", PAYOUTS, JSON, body))
        for name, body in NO_ORDERS.items()
    ),
    *(
        Attack(
            f"POST with {name!r} {text[:40]}",
            request(b"POST", PAYOUTS, JSON, _order(**{name: text})),
            either(REFUSED, 201) if (name, text) in MEANS_THE_SAME else REFUSED,
        )
        for name, texts in VALUES.items()
        for text in texts
    ),
    *(
        Attack(f"POST without {name}", request(b"POST", PAYOUTS, JSON, json.dumps({each: 1 for each in USUAL if each != name}).encode()))
        for name in USUAL
    ),
    *(
        Attack(f"PATCH {text[:40]}", request(b"PATCH", PAYOUTS + b"999999999/", JSON, text.encode()))
        for text in STATUSES
    ),
    *(
        Attack(f"a webhook {body.decode('latin-1')[:40]}", request(b"POST", b"/api/webhooks/provider/", JSON, body, begin=HOST + HTTPS))
        for body in NEWS
    ),
]  # fmt: skip
