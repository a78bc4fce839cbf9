"""The bench's clients: keep-alive connections that each send the next request when the last is answered.

    python -m tests.bench.load < order.json

The order names `port`, `connections`, `seconds`, `template` (of a whole request, with `%(low)d` and the like) and
`choices` (for each name of the template, the first and the last number it may take). Prints one JSON object. Raw
sockets and one thread, because the clients share the machine with what they measure.
"""

import json
import random
import selectors
import socket
import sys
import time

WARM_UP_SECONDS = 0.3


class Client:
    """One connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int:
        """The status once the answer is whole, else 0."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("the server closed a connection")
        self.received += part
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return 0
        lowered = head.lower()
        place = lowered.find(b"content-length:")
        if place >= 0:
            is_whole = len(body) >= int(lowered[place + 15 :].split(b"\r\n", 1)[0])
        else:  # in chunks
            is_whole = body.endswith(b"\r\n0\r\n\r\n")
        if not is_whole:
            return 0
        return int(head[9:12])


def run(order: dict) -> dict:
    """Count the answers that come in the measured seconds, after a warm-up."""
    template, choices = order["template"], order["choices"]

    def next_request() -> bytes:
        return (template % {name: random.randint(*ends) for name, ends in choices.items()}).encode()

    selector = selectors.DefaultSelector()
    for _ in range(order["connections"]):
        client = Client(order["port"])
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(next_request())
    statuses: dict[int, int] = {}
    milliseconds: list[float] = []
    began_at = time.perf_counter() + WARM_UP_SECONDS
    ends_at = began_at + order["seconds"]
    under_way, refusal = order["connections"], ""
    while under_way:
        for key, _ in selector.select(30):
            client = key.data
            status = client.receive()
            if not status:
                continue
            now = time.perf_counter()
            statuses[status] = statuses.get(status, 0) + 1
            if status >= 300:
                refusal = client.received[-500:].decode(errors="replace")
            if began_at <= now < ends_at:
                milliseconds.append((now - client.sent_at) * 1000)
            if now < ends_at:
                client.send(next_request())
            else:
                selector.unregister(client.socket)
                client.socket.close()
                under_way -= 1
    milliseconds.sort()
    return {
        "per_second": len(milliseconds) / order["seconds"],
        "p50_ms": milliseconds[len(milliseconds) // 2],
        "p95_ms": milliseconds[len(milliseconds) * 95 // 100],
        "answers": sum(statuses.values()),
        "statuses": statuses,
        "refusal": refusal,
    }


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
