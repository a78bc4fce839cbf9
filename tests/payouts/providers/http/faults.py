"""A server on a raw socket that misbehaves exactly as told, and a certificate authority for it."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Peer:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, server: "FaultServer") -> None:
        self.sock = sock
        self.server = server

    def request(self) -> bytes:
        """Read one request and note it; empty when the caller has closed."""
        received = b""
        while b"\r\n\r\n" not in received:
            block = self.sock.recv(65536)
            if not block:
                return b""
            received += block
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.sock.recv(65536)
        whole = head + b"\r\n\r\n" + body
        self.server.requests.append(whole)
        return whole

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.sock.close()

    def hold(self) -> None:
        """Stay silent until the test is over."""
        self.server.over.wait(60)

    def drip(self, data: bytes) -> None:
        """Send a byte every now and then, each well before any timeout of a single read."""
        for index in range(len(data)):
            if self.server.over.wait(0.02):
                return
            self.send(data[index : index + 1])


type Behaviour = Callable[[Peer], None]


class FaultServer:
    """Listens on 127.0.0.1; each connection meets the next behaviour, the last one again and again."""

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self._behaviours = behaviours
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(20)
        for sock in self._peers:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for sock in self._peers:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(sock)
            behaviour = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, behaviour))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, behaviour: Behaviour) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._peers.append(sock)
            behaviour(Peer(sock, self))
        except OSError:
            pass
        finally:
            sock.close()


@contextmanager
def faulty(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[FaultServer]:
    server = FaultServer(*behaviours, tls=tls)
    try:
        yield server
    finally:
        server.stop()


def response(body: bytes, status: int = 201, headers: str = "") -> bytes:
    """An ordinary answer with a Content-Length."""
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def payment(request: bytes, **changes: Any) -> dict[str, Any]:
    """The payment that a POST asks for, as a provider would answer it."""
    order = json.loads(request.partition(b"\r\n\r\n")[2])
    echoed = {name: order[name] for name in ("reference", "amount", "currency")}
    return {"id": "pay_1", **echoed, "status": "succeeded"} | changes


def success(request: bytes) -> bytes:
    return response(json.dumps(payment(request)).encode())


def pays(peer: Peer) -> None:
    """Answer every POST of the connection with success."""
    while request := peer.request():
        peer.send(success(request))


def answers(data: bytes) -> Behaviour:
    """Answer every request of the connection with the same bytes."""

    def behave(peer: Peer) -> None:
        while peer.request():
            peer.send(data)

    return behave


def tls_pair(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for a server at 127.0.0.1 with a certificate of its own, and for a caller who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + public)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    caller = ssl.create_default_context(cadata=public.decode())
    return server, caller
