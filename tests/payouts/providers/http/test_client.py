"""What goes out is the protocol's, exactly, and nothing goes out twice."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.http.client import HttpProvider
from tests.payouts.providers.http.faults import answers, faulty, pays, response
from tests.payouts.providers.programs import TOKEN, instruction


def test_the_request_is_the_contracts(call: Callable[..., Answer]) -> None:
    attempt = instruction("100.50")
    with faulty(pays) as server:
        call(server, attempt=attempt)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/payouts HTTP/1.1"
    assert {
        f"Authorization: Bearer {TOKEN}",
        f"Idempotency-Key: {attempt.reference}",
        "X-Request-ID: trace-1",
        "Content-Type: application/json",
        "Accept: application/json",
    } <= set(lines)
    assert json.loads(body) == {
        "reference": str(attempt.reference),
        "payout": str(attempt.payout),
        "amount": "100.50",
        "currency": "RUB",
        "recipient": {"card": "0000 1111 2222 3333", "name": "Иван Петров"},
    }


@pytest.mark.parametrize(
    ("amount", "written"), [("1E+3", "1000"), ("0.00000001", "0.00000001"), ("5E-7", "0.0000005")]
)
def test_an_amount_never_goes_out_with_an_exponent(call: Callable[..., Answer], amount: str, written: str) -> None:
    with faulty(pays) as server:
        call(server, attempt=instruction(amount))

    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["amount"] == written


def test_a_recipients_numbers_go_out_exactly(call: Callable[..., Answer]) -> None:
    with faulty(pays) as server:
        call(server, attempt=instruction(recipient={"a": 2**70, "b": Decimal("1.000000000000000000001")}))

    assert b'"recipient":{"a":1180591620717411303424,"b":1.000000000000000000001}' in server.requests[0]


@pytest.mark.parametrize("request_id", ["", "a\r\nX-Evil: 1", "é", "x" * 129, "a b"])
def test_a_request_id_that_is_no_header_is_replaced(call: Callable[..., Answer], request_id: str) -> None:
    attempt = instruction(request_id=request_id)
    with faulty(pays) as server:
        call(server, attempt=attempt)

    assert f"X-Request-ID: {attempt.reference.hex}\r\n".encode() in server.requests[0]
    assert b"X-Evil" not in server.requests[0]


@pytest.mark.parametrize(
    "attempt",
    [
        instruction(Decimal("NaN")),
        instruction(Decimal("Infinity")),
        instruction("0"),
        instruction("-1.00"),
        instruction(recipient={"name": "\ud800"}),
        instruction(recipient={"what": object()}),
        instruction(recipient={"name": "x" * 70_000}),
    ],
    ids=["nan", "infinity", "zero", "negative", "surrogate", "object", "huge"],
)
def test_what_cannot_be_written_is_not_sent(call: Callable[..., Answer], attempt: Instruction) -> None:
    with faulty(pays) as server:
        answer = call(server, attempt=attempt)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "unsendable")
    assert server.requests == []


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("999999999", 86400), ("-1", None), ("soon", None)])
def test_retry_after_is_read_with_care(call: Callable[..., Answer], header: str, seconds: int | None) -> None:
    with faulty(answers(response(b"", 503, f"Retry-After: {header}\r\n"))) as server:
        answer = call(server)

    assert answer.retry_after_seconds == seconds


@pytest.mark.parametrize("token", ["", "a b", "a\r\nb", "é"])
def test_a_token_that_cannot_work_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match=r"^The provider's token must be printable ASCII"):
        HttpProvider("http://provider.test", token)


def test_no_repr_shows_the_token_or_the_recipient() -> None:
    adapter = HttpProvider("https://provider.test/base", TOKEN)

    assert TOKEN not in repr(adapter)
    assert TOKEN not in repr(adapter._target)
    assert "1111" not in repr(instruction())
