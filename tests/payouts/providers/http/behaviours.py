"""What a provider or a network may do with a request, beside paying."""

import gzip
import json
from typing import Any

from payouts.providers.wire import BODY_LIMIT
from tests.payouts.providers.http.faults import Behaviour, Peer, payment, response, success


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
