"""Only a documented answer about exactly this instruction counts, and nothing of the recipient comes back with it."""

import json
from collections.abc import Callable

import pytest

from payouts.providers import Answer, Verdict
from payouts.providers.http.answers import read_pay
from tests.payouts.providers.http.behaviours import (
    bomb,
    close_after_request,
    compressed_success,
    edited,
    endless_body_without_length,
    endless_chunk_without_size,
    endless_chunks,
    endless_header,
    endless_interim_answers,
    lie_about_length,
    many_headers,
    replaced,
    reset_after_request,
    reset_in_body,
    sized,
    truncate_body,
)
from tests.payouts.providers.http.faults import Behaviour, answers, faulty, response
from tests.payouts.providers.programs import TOKEN, instruction


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (reset_after_request, "reset"),
        (close_after_request, "reset"),
        (reset_in_body, "reset"),
        (truncate_body, "reset"),
        (lie_about_length, "reset"),
        (endless_chunks, "oversized"),
        (endless_chunk_without_size, "oversized"),
        (endless_body_without_length, "oversized"),
        (endless_interim_answers, "oversized"),
        (sized(1), "oversized"),
        (endless_header, "unparsable"),
        (many_headers, "unparsable"),
        (bomb, "unparsable"),
        (compressed_success, "unparsable"),
        (answers(b"it works!\r\n\r\n"), "unparsable"),
        (answers(b'{"status": "succeeded"}\n'), "unparsable"),
        (answers(b"HTTP/1.1 abc\r\n\r\n"), "unparsable"),
        (
            answers(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n"),
            "unparsable",
        ),
        (answers(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "unparsable"),
        (answers(response(b"")), "unparsable"),
        (answers(response(b"<html>OK</html>")), "unparsable"),
        (answers(response(b"[]")), "unparsable"),
        (answers(response(b"null")), "unparsable"),
        (answers(response(b"[" * 60_000)), "unparsable"),
        (answers(response(b'{"a":' * 10_000)), "unparsable"),
        (answers(response(b'{"amount": ' + b"9" * 5000 + b"}")), "unparsable"),
        (answers(response(b'{"amount": 1e99999999999999999999999}')), "unparsable"),
        (answers(response(b'{"amount": NaN}')), "unparsable"),
        (answers(response(b"\xff\xfe{}")), "unparsable"),
        (answers(response(b"\xef\xbb\xbf{}")), "unparsable"),
        (answers(response(b"{}", 200)), "mismatch"),
        (answers(response(b"", 204)), "http_204"),
        (answers(response(b"", 302, "Location: /elsewhere\r\n")), "redirect"),
        (answers(response(b"", 307, "Location: /elsewhere\r\n")), "redirect"),
        (answers(response(b'{"code": "bad", "message": "no"}', 400)), "http_400"),
        (answers(response(b'{"code": "bad", "message": "no"}', 401)), "http_401"),
        (answers(response(b'{"code": "bad", "message": "no"}', 404)), "http_404"),
        (answers(response(b'{"code": "reuse", "message": "no"}', 409)), "http_409"),
        (answers(response(b"slow down", 429)), "rate_limited"),
        (answers(response(b'{"code": "bad", "message": "no"}', 500)), "http_500"),
        (answers(response(b"", 503)), "http_503"),
        (answers(response(b"", 999)), "http_999"),
        (answers(response(b"garbage", 422)), "unparsable"),
        (answers(response(b"{}", 422)), "unparsable"),
        (answers(response(b'{"code": 7, "message": "no"}', 422)), "unparsable"),
        (answers(response(b'{"code": " \\u0000 "}', 422)), "unparsable"),
        (answers(response(b'{"code": "a", "code": "b"}', 422)), "unparsable"),
        (answers(response(b'[{"code": "a"}]', 422)), "unparsable"),
        (answers(response(b'{"code": "idempotency_key_reuse"}', 422)), "idempotency_conflict"),
        (answers(response(b'{"code": "no", "reference": "another"}', 422)), "mismatch"),
        (edited(reference="9f1c0f3e-7f0c-4a55-8d6e-0d7a8f7b6c5d"), "mismatch"),
        (edited(amount="100.51"), "mismatch"),
        (edited(amount="1_00.50"), "mismatch"),
        (edited(amount="1.0050e2"), "mismatch"),
        (edited(amount=True), "mismatch"),
        (edited(amount=None), "mismatch"),
        (edited(amount={"value": "100.50"}), "mismatch"),
        (edited(currency="USD"), "mismatch"),
        (edited(currency="rub"), "mismatch"),
        (edited(status="rejected", amount="1.00"), "mismatch"),
        (edited(status="SUCCEEDED"), "unparsable"),
        (edited(status="success"), "unparsable"),
        (edited(status=None), "unparsable"),
        (edited(status=["succeeded"]), "unparsable"),
        (edited(id=""), "unparsable"),
        (edited(id=None), "unparsable"),
        (edited(id=17), "unparsable"),
        (edited(id="\x00\n"), "unparsable"),
        (replaced(b'"100.50"', b"100.5000000000000001"), "mismatch"),
        (replaced(b'"100.50"', b"NaN"), "unparsable"),
        (replaced(b'"100.50"', b"Infinity"), "unparsable"),
        (replaced(b'"status":', b'"status": "rejected", "status":'), "unparsable"),
        (replaced(b"}", b"} {}"), "unparsable"),
    ],
)
def test_anything_but_a_documented_answer_is_unknown(
    call: Callable[..., Answer], behaviour: Behaviour, code: str
) -> None:
    with faulty(behaviour) as server:
        answer = call(server)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, code)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        replaced(b'"100.50"', b"100.5"),
        replaced(b'"100.50"', b"100.50"),
        replaced(b'"100.50"', b"1.005e2"),
        replaced(b'"100.50"', b'"100.5"'),
        replaced(b'"100.50"', b'"0100.500"'),
        edited(fee="1.00", nested={"anything": [1, None]}),
        sized(0),
    ],
)
def test_the_exact_amount_counts_however_it_is_written(call: Callable[..., Answer], behaviour: Behaviour) -> None:
    with faulty(behaviour) as server:
        answer = call(server)

    assert (answer.verdict, answer.provider_id) == (Verdict.SUCCEEDED, "pay_1")


@pytest.mark.parametrize(
    ("body", "headers", "verdict"),
    [
        (b'{"code": "blocked", "message": "no"}', "", Verdict.REFUSED),
        (b'{"code": "blocked"}', "", Verdict.REFUSED),
        (b'{"code": "blocked", "message": 5}', "Connection: close\r\n", Verdict.REFUSED),
    ],
)
def test_a_documented_refusal_is_refused(
    call: Callable[..., Answer], body: bytes, headers: str, verdict: Verdict
) -> None:
    with faulty(answers(response(body, 422, headers))) as server:
        answer = call(server)

    assert (answer.verdict, answer.code, answer.http_status) == (verdict, "blocked", 422)


@pytest.mark.parametrize(
    ("body", "verdict", "code"),
    [
        (b'{"data": []}', Verdict.ABSENT, ""),
        (b'{"data": [], "more": false}', Verdict.ABSENT, ""),
        (b'{"data": [{}, {}]}', Verdict.UNKNOWN, "several_matches"),
        (b'{"data": [{}]}', Verdict.UNKNOWN, "mismatch"),
        (b'{"data": [null]}', Verdict.UNKNOWN, "unparsable"),
        (b'{"data": null}', Verdict.UNKNOWN, "unparsable"),
        (b'{"data": {}}', Verdict.UNKNOWN, "unparsable"),
        (b'{"data": [], "data": []}', Verdict.UNKNOWN, "unparsable"),
        (b"{}", Verdict.UNKNOWN, "unparsable"),
        (b"[]", Verdict.UNKNOWN, "unparsable"),
        (b"", Verdict.UNKNOWN, "unparsable"),
    ],
)
def test_a_look_up_says_absent_only_for_an_empty_list(
    call: Callable[..., Answer], body: bytes, verdict: Verdict, code: str
) -> None:
    with faulty(answers(response(body, 200))) as server:
        answer = call(server, "look_up")

    assert (answer.verdict, answer.code) == (verdict, code)


@pytest.mark.parametrize("status", [201, 202, 204, 301, 400, 401, 404, 410, 422, 429, 500, 503])
def test_a_look_up_with_another_status_is_never_absent_and_never_refused(
    call: Callable[..., Answer], status: int
) -> None:
    body = b"" if status == 204 else b'{"data": [], "code": "not_found", "message": "no"}'
    with faulty(answers(response(body, status))) as server:
        answer = call(server, "look_up")

    assert answer.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("succeeded", Verdict.SUCCEEDED), ("pending", Verdict.PENDING), ("rejected", Verdict.REFUSED)],
)
@pytest.mark.parametrize(
    ("changes", "matches"),
    [({}, True), ({"reference": "x"}, False), ({"amount": "100.49"}, False), ({"currency": "EUR"}, False)],
)
def test_a_look_up_believes_only_a_match(
    call: Callable[..., Answer], status: str, verdict: Verdict, changes: dict[str, str], matches: bool
) -> None:
    attempt = instruction()
    found = {
        "id": "pay_1",
        "reference": str(attempt.reference),
        "amount": "100.50",
        "currency": "RUB",
        "status": status,
    }
    with faulty(answers(response(json.dumps({"data": [found | changes]}).encode(), 200))) as server:
        answer = call(server, "look_up", attempt=attempt)

    assert answer.verdict is (verdict if matches else Verdict.UNKNOWN)
    assert (answer.code == "mismatch") is not matches


def test_a_refusals_words_are_cleaned_and_capped(call: Callable[..., Answer]) -> None:
    body = json.dumps({"code": "c\x00\u202e" + "o" * 100, "message": "no\r\nway\ud800 " * 200}).encode()
    with faulty(answers(response(body, 422))) as server:
        answer = call(server)

    assert answer.verdict is Verdict.REFUSED
    assert answer.code == "c" + "o" * 63
    assert len(answer.message) == 255
    assert answer.message.startswith("no way no way")


@pytest.mark.parametrize("status", [201, 422, 500, 200])
@pytest.mark.parametrize(
    "card", ["0000 1111 2222 3333", "0000111122223333", "0000-1111-2222-3333", "0000.1111\u00a02222 3333"]
)
def test_nothing_of_the_recipient_or_the_token_comes_back(
    call: Callable[..., Answer], status: int, card: str
) -> None:
    words = f"card {card} of ИВАН ПЕТРОВ, token {TOKEN}, other card 4111-1111 1111.1111"
    bodies = [
        json.dumps({"code": card, "message": words, "recipient": {"name": "Иван Петров", "card": card}}),
        f"<html>{words}</html>",
        json.dumps({"id": card, "reference": words, "amount": words, "currency": card, "status": words}),
        json.dumps(words),
    ]
    for body in bodies:
        with faulty(answers(response(body.encode(), status))) as server:
            answer = call(server)

        shown = repr(answer)
        digits = "".join(char for char in shown.partition("excerpt")[0] if char.isdigit())
        assert card not in shown
        assert "0000111122223333" not in digits
        assert "4111" not in shown
        assert "ПЕТРОВ" not in shown.upper()
        assert TOKEN not in shown


def test_a_providers_id_that_is_the_card_is_masked(call: Callable[..., Answer]) -> None:
    with faulty(edited(id="0000111122223333")) as server:
        answer = call(server)

    assert (answer.verdict, answer.provider_id) == (Verdict.SUCCEEDED, "*" * 16)


def test_a_providers_id_of_many_digits_is_kept(call: Callable[..., Answer]) -> None:
    with faulty(edited(id="20260114000000123456")) as server:
        answer = call(server)

    assert answer.provider_id == "20260114000000123456"


@pytest.mark.parametrize("name", ["Idem", "idempotency", "Potency Conflict", "Ivan"])
def test_a_recipients_name_in_a_code_makes_no_refusal_of_a_conflict(name: str) -> None:
    sent = instruction(recipient={"card": "0000 1111 2222 3333", "name": name})

    answer = read_pay(sent, 422, b'{"code": "idempotency_conflict", "message": "no"}')

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "idempotency_conflict")


def test_a_recipients_name_in_a_refusals_code_is_masked_for_storage() -> None:
    answer = read_pay(instruction(recipient={"name": "Idem"}), 422, b'{"code": "idem_blocked", "message": "no"}')

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "****_blocked")
