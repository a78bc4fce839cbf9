"""A call ends with its deadline, over TLS as well, and no answer is taken for another call's."""

import json
import os
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from payouts.providers import Answer, Verdict
from payouts.providers.http.client import HttpProvider
from tests.payouts.providers.http.behaviours import drip_body, drip_headers, hang, never_hand_shake, reset_at_once
from tests.payouts.providers.http.faults import Behaviour, Peer, faulty, payment, pays, response, success, tls_pair
from tests.payouts.providers.programs import TOKEN, instruction, soon

SHORT_SECONDS = 0.3


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
        wire = adapter._link._idle.wire
        assert wire is not None
        wire._owner = os.getpid() + 1
        adapter.pay(instruction(), deadline=soon())
        adapter.close()

    assert server.connections == 2


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
    with pytest.raises(ValueError, match="The provider's URL"):
        HttpProvider(url, TOKEN)


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
