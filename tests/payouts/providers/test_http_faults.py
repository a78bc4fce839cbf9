"""The HTTP adapter against everything that a network and a provider can do."""

import gzip
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from payouts.providers import Answer, Instruction, Verdict
from payouts.providers.http.client import HttpProvider
from payouts.providers.http.wire import BODY_LIMIT
from tests.payouts.providers.faults import (
    Behaviour,
    FaultServer,
    Peer,
    answers,
    faulty,
    payment,
    pays,
    response,
    success,
    tls_pair,
)
from tests.payouts.providers.programs import TOKEN, instruction, soon

SHORT_SECONDS = 0.3


@pytest.fixture
def call() -> Iterator[Callable[..., Answer]]:
    """Make one call to a server, and close its connection in the end."""
    adapters: list[HttpProvider] = []

    def make(server: FaultServer, operation: str = "pay", *, seconds: float = 20.0, **options: Any) -> Answer:
        adapter = HttpProvider(server.url, TOKEN, tls=options.pop("tls", None))
        adapters.append(adapter)
        attempt = options.pop("attempt", None) or instruction()
        answer: Answer = getattr(adapter, operation)(attempt, deadline=soon(seconds))
        return answer

    yield make
    for adapter in adapters:
        adapter.close()


def edited(**changes: Any) -> Behaviour:
    """Answer with the payment asked for, changed."""

    def behave(peer: Peer) -> None:
        peer.send(response(json.dumps(payment(peer.request(), **changes)).encode()))

    return behave


def replaced(old: bytes, new: bytes) -> Behaviour:
    """Answer with success, with some bytes of the JSON replaced."""

    def behave(peer: Peer) -> None:
        body = json.dumps(payment(peer.request())).encode()
        assert old in body
        peer.send(response(body.replace(old, new)))

    return behave


def hang(peer: Peer) -> None:
    peer.request()
    peer.hold()


def drip_headers(peer: Peer) -> None:
    peer.request()
    peer.drip(b"HTTP/1.1 201 Created\r\n" + b"X-Filler: abcdefghijklmnopqrstuvwxyz\r\n" * 200)


def drip_body(peer: Peer) -> None:
    request = peer.request()
    head, _, body = success(request).partition(b"\r\n\r\n")
    peer.send(head + b"\r\n\r\n")
    peer.drip(body + b" " * 5000)


def never_hand_shake(peer: Peer) -> None:
    peer.hold()


def reset_at_once(peer: Peer) -> None:
    peer.reset()


def reset_after_request(peer: Peer) -> None:
    peer.request()
    peer.reset()


def close_after_request(peer: Peer) -> None:
    peer.request()


def reset_in_body(peer: Peer) -> None:
    request = peer.request()
    peer.send(success(request)[:-10])
    peer.server.over.wait(0.05)
    peer.reset()


def truncate_body(peer: Peer) -> None:
    peer.send(success(peer.request())[:-1])


def lie_about_length(peer: Peer) -> None:
    """A whole JSON object in a body that says it is longer."""
    body = json.dumps(payment(peer.request())).encode()
    peer.send(f"HTTP/1.1 201 X\r\nContent-Length: {len(body) + 5}\r\n\r\n".encode() + body)


def endless_chunks(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.send(b"400\r\n" + b" " * 1024 + b"\r\n")


def endless_chunk_without_size(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
    while True:
        peer.send(b" " * 65536)


def endless_body_without_length(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 201 X\r\n\r\n")
    while True:
        peer.send(b" " * 65536)


def endless_header(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 201 X\r\nX-Long: ")
    while True:
        peer.send(b"a" * 65536)


def many_headers(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 201 X\r\n" + b"X-One: 1\r\n" * 5000 + b"\r\n")


def endless_interim_answers(peer: Peer) -> None:
    peer.request()
    while True:
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def bomb(peer: Peer) -> None:
    peer.request()
    peer.send(response(gzip.compress(b" " * 10_000_000), headers="Content-Encoding: gzip\r\n"))


def compressed_success(peer: Peer) -> None:
    body = json.dumps(payment(peer.request())).encode()
    peer.send(response(gzip.compress(body), headers="Content-Encoding: gzip\r\n"))


def sized(extra: int) -> Behaviour:
    """A success that is padded to 64 KiB and `extra` bytes."""

    def behave(peer: Peer) -> None:
        body = json.dumps(payment(peer.request())).encode()
        peer.send(response(body + b" " * (BODY_LIMIT + extra - len(body))))

    return behave


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
    "framing", [b"HTTP/1.0 201 X\r\n\r\n%b", b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n%b"]
)
def test_other_framings_are_read(call: Callable[..., Answer], framing: bytes) -> None:
    def behave(peer: Peer) -> None:
        body = json.dumps(payment(peer.request())).encode()
        chunked = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:])
        peer.send(framing % (chunked if b"chunked" in framing else body))

    with faulty(behave) as server:
        answer = call(server)

    assert answer.verdict is Verdict.SUCCEEDED


@pytest.mark.parametrize("behaviour", [hang, drip_headers, drip_body])
def test_the_deadline_ends_the_call_while_the_server_holds(call: Callable[..., Answer], behaviour: Behaviour) -> None:
    with faulty(behaviour) as server:
        answer = call(server, seconds=SHORT_SECONDS)

        assert not server.over.is_set()
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", [hang, drip_headers])
def test_the_deadline_ends_a_look_up_while_the_server_holds(
    call: Callable[..., Answer], behaviour: Behaviour
) -> None:
    with faulty(behaviour) as server:
        answer = call(server, "look_up", seconds=SHORT_SECONDS)

        assert not server.over.is_set()
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")


@pytest.mark.parametrize("behaviour", [hang, drip_headers, drip_body])
def test_the_deadline_holds_over_tls(call: Callable[..., Answer], tmp_path: Path, behaviour: Behaviour) -> None:
    serving, trusting = tls_pair(tmp_path)
    with faulty(behaviour, tls=serving) as server:
        answer = call(server, seconds=SHORT_SECONDS, tls=trusting)

        assert not server.over.is_set()
    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")


def test_the_deadline_holds_for_a_handshake_that_never_comes(call: Callable[..., Answer], tmp_path: Path) -> None:
    _, trusting = tls_pair(tmp_path)
    with faulty(never_hand_shake) as server:
        adapter = HttpProvider(server.url.replace("http", "https"), TOKEN, tls=trusting)
        answer = adapter.pay(instruction(), deadline=soon(SHORT_SECONDS))

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")
    assert server.requests == []


def test_a_deadline_that_has_passed_sends_nothing(call: Callable[..., Answer]) -> None:
    with faulty(pays) as server:
        answer = call(server, seconds=-1)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")
    assert server.requests == []


def test_a_name_that_is_never_resolved_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: over.wait(20) and [])

    answer = HttpProvider("http://provider.test", TOKEN).pay(instruction(), deadline=soon(SHORT_SECONDS))
    over.set()

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "timeout")


def test_a_refused_connection_is_unreachable() -> None:
    adapter = HttpProvider("http://127.0.0.1:1", TOKEN)

    assert adapter.pay(instruction(), deadline=soon()).code == "unreachable"
    assert adapter.look_up(instruction(), deadline=soon()).code == "unreachable"


def test_a_reset_before_the_request_is_unknown(call: Callable[..., Answer]) -> None:
    with faulty(reset_at_once) as server:
        answer = call(server)

    assert answer.verdict is Verdict.UNKNOWN
    assert answer.code in {"reset", "unreachable"}


def test_a_certificate_nobody_vouches_for_sends_nothing(call: Callable[..., Answer], tmp_path: Path) -> None:
    serving, _ = tls_pair(tmp_path)
    with faulty(pays, tls=serving) as server:
        answer = call(server)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "tls")
    assert server.requests == []


def test_tls_pays_and_keeps_the_connection(tmp_path: Path) -> None:
    serving, trusting = tls_pair(tmp_path)
    with faulty(pays, tls=serving) as server:
        adapter = HttpProvider(server.url, TOKEN, tls=trusting)
        verdicts = [adapter.pay(instruction(), deadline=soon()).verdict for _ in range(5)]
        adapter.close()

    assert verdicts == [Verdict.SUCCEEDED] * 5
    assert len(server.requests) == 5
    assert server.connections <= 2  # the first answer may leave a session ticket behind it


def test_tls_cut_off_without_its_end_is_no_answer(call: Callable[..., Answer], tmp_path: Path) -> None:
    def behave(peer: Peer) -> None:
        body = json.dumps(payment(peer.request())).encode()
        peer.send(b"HTTP/1.1 201 X\r\n\r\n" + body)

    serving, trusting = tls_pair(tmp_path)
    with faulty(behave, tls=serving) as server:
        answer = call(server, tls=trusting)

    assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, "reset")


def test_calls_of_a_thread_share_a_connection() -> None:
    with faulty(pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        verdicts = [adapter.pay(instruction(), deadline=soon()).verdict for _ in range(20)]
        adapter.close()

    assert verdicts == [Verdict.SUCCEEDED] * 20
    assert (server.connections, len(server.requests)) == (1, 20)


def test_threads_never_share_a_connection() -> None:
    with faulty(pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        attempts = [instruction(Decimal(cents) / 100) for cents in range(1, 401)]
        with ThreadPoolExecutor(32) as threads:
            found = list(threads.map(lambda each: adapter.pay(each, deadline=soon()), attempts))

    assert {answer.verdict for answer in found} == {Verdict.SUCCEEDED}
    assert len(server.requests) == 400
    assert server.connections <= 32


def test_a_connection_closed_while_idle_is_replaced_without_a_second_post() -> None:
    closed = threading.Event()

    def pay_once_and_close(peer: Peer) -> None:
        peer.send(success(peer.request()))
        peer.sock.shutdown(2)
        closed.set()

    with faulty(pay_once_and_close, pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        first = adapter.pay(instruction(), deadline=soon())
        closed.wait(20)
        second = adapter.pay(instruction(), deadline=soon())
        adapter.close()

    assert (first.verdict, second.verdict) == (Verdict.SUCCEEDED, Verdict.SUCCEEDED)
    assert (server.connections, len(server.requests)) == (2, 2)


def test_a_connection_that_dies_under_a_second_post_is_unknown_and_not_tried_again() -> None:
    def pay_once_then_close_on_the_next(peer: Peer) -> None:
        peer.send(success(peer.request()))
        peer.request()
        peer.reset()

    with faulty(pay_once_then_close_on_the_next, pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        first = adapter.pay(instruction(), deadline=soon())
        second = adapter.pay(instruction(), deadline=soon())
        adapter.close()

    assert first.verdict is Verdict.SUCCEEDED
    assert (second.verdict, second.code) == (Verdict.UNKNOWN, "reset")
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("together", [True, False])
def test_an_answer_nobody_asked_for_is_never_taken_for_the_next_call(together: bool) -> None:
    sent = threading.Event()
    stray = response(b'{"code": "blocked", "message": "for somebody else"}', 422)

    def answer_twice(peer: Peer) -> None:
        answer = success(peer.request())
        if together:
            peer.send(answer + stray)
        else:
            peer.send(answer)
            peer.send(stray)
        sent.set()
        pays(peer)

    with faulty(answer_twice, pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        first = adapter.pay(instruction(), deadline=soon())
        sent.wait(20)
        second = adapter.pay(instruction(), deadline=soon())
        adapter.close()

    assert (first.verdict, second.verdict) == (Verdict.SUCCEEDED, Verdict.SUCCEEDED)
    assert server.connections == 2


def test_a_call_after_a_timeout_does_not_get_the_late_answer() -> None:
    released = threading.Event()

    def answer_late(peer: Peer) -> None:
        request = peer.request()
        released.wait(20)
        peer.send(success(request))

    with faulty(answer_late, pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        first = adapter.pay(instruction(), deadline=soon(SHORT_SECONDS))
        released.set()
        second = adapter.pay(instruction(), deadline=soon())
        adapter.close()

    assert (first.code, second.verdict) == ("timeout", Verdict.SUCCEEDED)


def test_a_forked_process_does_not_use_its_parents_connection() -> None:
    with faulty(pays) as server:
        adapter = HttpProvider(server.url, TOKEN)
        adapter.pay(instruction(), deadline=soon())
        wire = adapter._idle.wire
        assert wire is not None
        wire._owner = os.getpid() + 1
        adapter.pay(instruction(), deadline=soon())
        adapter.close()

    assert server.connections == 2


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


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("999999999", 86400), ("-1", None), ("soon", None)])
def test_retry_after_is_read_with_care(call: Callable[..., Answer], header: str, seconds: int | None) -> None:
    with faulty(answers(response(b"", 503, f"Retry-After: {header}\r\n"))) as server:
        answer = call(server)

    assert answer.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "url",
    [
        "",
        "provider.test",
        "ftp://provider.test",
        "http://",
        "http://user:secret@provider.test",
        "http://provider.test:0",
        "http://provider.test:99999",
        "http://provider.test/?a=b",
        "http://provider.test/a b",
        "http://provi\r\nder.test/x y",
        "http://[::1",
        "http://a b",
    ],
)
def test_a_url_that_cannot_work_is_refused_at_construction(url: str) -> None:
    with pytest.raises(ValueError, match="PROVIDER_URL"):
        HttpProvider(url, TOKEN)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nb", "é"])
def test_a_token_that_cannot_work_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match=r"^PROVIDER_TOKEN must be printable ASCII"):
        HttpProvider("http://provider.test", token)


def test_no_repr_shows_the_token_or_the_recipient() -> None:
    adapter = HttpProvider("https://provider.test/base", TOKEN)

    assert TOKEN not in repr(adapter)
    assert TOKEN not in repr(adapter._target)
    assert "1111" not in repr(instruction())


def test_the_default_context_verifies_certificates() -> None:
    context = HttpProvider("https://provider.test", TOKEN)._target.tls

    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_proxy_of_the_environment_is_not_used(
    call: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with faulty(pays) as server:
        answer = call(server)

    assert answer.verdict is Verdict.SUCCEEDED
