"""Where one request ends and the next begins, and what is no HTTP/1.1 at all.

What two programs read in two ways is how requests are smuggled past a proxy: refused, or the connection is closed.
"""

from tests.attacks.corpus import (
    CLOSED,
    HOST,
    HTTPS,
    JSON,
    KEY,
    PAYOUTS,
    REFUSED,
    Attack,
    answered,
    either,
    request,
)

ORDER = b'{"user_id": 123, "amount": 100.50, "currency": "RUB", "recipient_details": {"card": "0000 1111 2222 3333"}}'
REFUSED_OR_CLOSED = either(REFUSED, CLOSED)
# What follows a request whose end is unclear: were it read as one of its own, it would be a payout.
SMUGGLED = request(b"POST", PAYOUTS, JSON + b"Idempotency-Key: smuggled\r\n", ORDER)
BEGIN = HOST + HTTPS + KEY + JSON


def _post(headers: bytes, rest: bytes = b"") -> bytes:
    return b"POST " + PAYOUTS + b" HTTP/1.1\r\n" + BEGIN + headers + b"\r\n" + rest


def _chunks(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks) + end


CHUNKED = b"Transfer-Encoding: chunked\r\n"

LENGTHS = [
    Attack("two lengths that differ", _post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"12345"), REFUSED_OR_CLOSED),
    *(
        Attack(f"a length of {length.decode()[:30]!r}", _post(b"Content-Length: %s\r\n" % length, ORDER), REFUSED_OR_CLOSED)
        for length in (
            *(b"-1", b"+5", b"0x5", b"5,6", b"5 5", b"5;", b"1e2", b"", b"5.0", b"\xd9\xa5", b"NaN"),
            *(b"99999999999999999999999", b"9" * 5_000, b"1073741824", b"262145"),
        )
    ),
    Attack("a length and chunks, the length first", _post(b"Content-Length: 5\r\n" + CHUNKED, _chunks(ORDER) + SMUGGLED), either(REFUSED, CLOSED, 201, 200)),
    Attack("a length and chunks, the chunks first", _post(CHUNKED + b"Content-Length: 5\r\n", _chunks(ORDER) + SMUGGLED), either(REFUSED, CLOSED, 201, 200)),
    Attack("a body shorter than its length, and the end", _post(b"Content-Length: 400\r\n", ORDER), REFUSED_OR_CLOSED, then_ends=True),
    Attack("a body shorter than its length, and silence", _post(b"Content-Length: 400\r\n", ORDER), REFUSED_OR_CLOSED),
    Attack("one byte of a body, and silence", _post(b"Content-Length: 1000\r\n", b"{"), REFUSED_OR_CLOSED),
    Attack("no body, and silence", _post(b"Content-Length: 1000\r\n"), REFUSED_OR_CLOSED),
    Attack("no body and no key, and silence", b"POST /api/payouts/ HTTP/1.1\r\n" + HOST + HTTPS + JSON + b"Content-Length: 1000\r\n\r\n", REFUSED_OR_CLOSED),
    Attack("a POST without a length", _post(b""), REFUSED),
    Attack("a body on a GET, and silence", request(b"GET", PAYOUTS, b"Content-Length: 1000\r\n"), either(REFUSED, CLOSED, 200)),
    Attack("300 MB announced to the login", b"POST /admin/login/ HTTP/1.1\r\n" + HOST + HTTPS + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 314572800\r\n\r\n--b\r\n", REFUSED_OR_CLOSED),
    Attack("100 Continue asked for a body that is too large", _post(b"Content-Length: 99999999\r\nExpect: 100-continue\r\n"), REFUSED_OR_CLOSED),
    Attack("100 Continue asked without a key", b"POST /api/payouts/ HTTP/1.1\r\n" + HOST + HTTPS + JSON + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n", REFUSED_OR_CLOSED),
    Attack("something else expected", _post(b"Expect: a-payout\r\nContent-Length: %d\r\n" % len(ORDER), ORDER), either(REFUSED, 201, 200)),
]  # fmt: skip

TRANSFERS = [
    Attack("an order in chunks", _post(CHUNKED + b"Idempotency-Key: chunked\r\n", _chunks(ORDER[:20], ORDER[20:])), answered(201, 200, 411)),
    *(
        Attack(f"a transfer coding {coding.decode()!r}", _post(b"Transfer-Encoding: %s\r\n" % coding, _chunks(ORDER)), REFUSED_OR_CLOSED)
        for coding in (
            *(b"gzip", b"gzip, chunked", b"xchunked", b"chunked, gzip", b"chunked\x0b", b"identity", b"\x00chunked"),
            *(b"chunked, identity", b"deflate", b"cow", b'"chunked"', b"chunked;q=1"),
        )
    ),
    Attack("chunked twice", _post(CHUNKED + CHUNKED, _chunks(ORDER)), either(REFUSED, CLOSED, 201, 200)),
    Attack("a space before the coding's colon", _post(b"Transfer-Encoding : chunked\r\n", _chunks(ORDER)), REFUSED_OR_CLOSED),
    Attack("a folded coding", _post(b"Transfer-Encoding:\r\n chunked\r\n", _chunks(ORDER)), REFUSED_OR_CLOSED),
    *(
        Attack(f"a chunk's size {size.decode()[:20]!r}", _post(CHUNKED, size + b"\r\n" + ORDER + b"\r\n0\r\n\r\n"), REFUSED_OR_CLOSED)
        for size in (
            *(b"-1", b"+5", b"0x6d", b"g", b"", b" ", b"6d 6d", b"ffffffffffffffff", b"f" * 4_000, b"\xd9\xa5"),
            *(b"80000000", b"6d\x00", b"6_d", b"1.5"),
        )
    ),
    Attack("chunks without an end, and the end", _post(CHUNKED, _chunks(ORDER, end=b"")), REFUSED_OR_CLOSED, then_ends=True),
    Attack("chunks without an end, and silence", _post(CHUNKED, _chunks(ORDER, end=b"")), REFUSED_OR_CLOSED),
    Attack("a chunk that is longer than it says", _post(CHUNKED, b"5\r\n" + ORDER + b"\r\n0\r\n\r\n"), REFUSED_OR_CLOSED),
    Attack("300 KB in chunks", _post(CHUNKED, _chunks(*[b" " * 10_000] * 30)), REFUSED_OR_CLOSED),
    Attack("300,000 chunks of one byte", _post(CHUNKED, _chunks(*[b" "] * 300_000)), REFUSED_OR_CLOSED),
    Attack("an extension of 60 KB on a chunk", _post(CHUNKED, b"5;" + b"x" * 60_000 + b"\r\n12345\r\n0\r\n\r\n"), REFUSED_OR_CLOSED),
    Attack("a trailer that names the host", _post(CHUNKED, _chunks(ORDER, end=b"0\r\nHost: elsewhere\r\nAuthorization: x\r\n\r\n")), either(REFUSED, CLOSED, 201, 200)),
    Attack("10,000 trailers", _post(CHUNKED, _chunks(ORDER, end=b"0\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n")), either(REFUSED, CLOSED, 201, 200)),
    Attack("chunks ended by bare line feeds", _post(CHUNKED, b"%x\n%s\n0\n\n" % (len(ORDER), ORDER)), REFUSED_OR_CLOSED),
]  # fmt: skip

HOSTS = [
    Attack("two hosts", b"GET /api/payouts/ HTTP/1.1\r\n" + HOST + b"Host: elsewhere.example\r\n" + HTTPS + KEY + b"\r\n", answered(400)),
    Attack("the same host twice", b"GET /api/payouts/ HTTP/1.1\r\n" + HOST + HOST + HTTPS + KEY + b"\r\n", answered(400)),
    Attack("two hosts and health", b"GET /healthz/ HTTP/1.1\r\n" + HOST + b"Host: elsewhere.example\r\n\r\n", answered(400, 200)),
    Attack("no host", b"GET /api/payouts/ HTTP/1.1\r\n" + HTTPS + KEY + b"\r\n", either(REFUSED, CLOSED)),
    *(
        Attack(f"a host {host.decode('latin-1')[:40]!r}", b"GET %s HTTP/1.1\r\nHost: %s\r\n" % (path, host) + HTTPS + KEY + b"\r\n", either(REFUSED, CLOSED))
        for path in (PAYOUTS + b"?user_id=1&page_size=1", b"/admin/login/")
        for host in (
            *(b"elsewhere.example", b"", b"@", b"a@127.0.0.1", b"127.0.0.1/x"),
            *(b"127.0.0.1, elsewhere", b"127.0.0.1 elsewhere", b"[::1", b"\xff\xfe", b"x" * 5_000, b"127.0.0.1\x00x"),
            *(b"%00", b"*", b".", b"localhost\xe3\x80\x82", b"127.0.0.1#", b"127.0.0.1?x"),
        )
    ),
    Attack("an absolute address elsewhere", b"GET http://elsewhere.example/api/payouts/ HTTP/1.1\r\n" + HOST + HTTPS + KEY + b"\r\n", either(REFUSED, CLOSED, 200)),
    Attack("X-Forwarded-Host elsewhere", request(b"GET", PAYOUTS + b"?user_id=1", b"X-Forwarded-Host: elsewhere.example\r\n"), answered(200)),
]  # fmt: skip

LINES = [
    Attack("random bytes", bytes(range(256)) * 4, REFUSED_OR_CLOSED),
    Attack("a TLS hello", bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200, REFUSED_OR_CLOSED),
    Attack("an SSH banner", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", REFUSED_OR_CLOSED),
    Attack("line feeds alone", b"\n" * 5_000 + b"x\r\n\r\n", REFUSED_OR_CLOSED),
    Attack("HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 9, REFUSED_OR_CLOSED),
    Attack("an upgrade to h2c", request(b"GET", b"/healthz/", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"), either(REFUSED, CLOSED, 200)),
    Attack("an upgrade to a WebSocket", request(b"GET", b"/healthz/", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"), either(REFUSED, CLOSED, 200)),
    *(
        Attack(f"the version {version.decode()!r}", request(b"GET", PAYOUTS, version=version), REFUSED_OR_CLOSED)
        for version in (b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 x", b"HTTP/", b"HTTP/11", b"X/1.1")
    ),
    Attack("HTTP/0.9", b"GET /api/payouts/\r\n\r\n", REFUSED_OR_CLOSED),
    Attack("HTTP/1.0 without a host", b"GET /api/payouts/ HTTP/1.0\r\n" + HTTPS + KEY + b"\r\n", either(REFUSED, CLOSED, 200)),
    *(
        Attack(f"the method {method.decode('latin-1')[:20]!r}", request(method, PAYOUTS), either(REFUSED, CLOSED, 200) if method == b"get" else REFUSED_OR_CLOSED)
        for method in (
            *(b"get", b"GETX", b"TRACE", b"TRACK", b"CONNECT", b"PROPFIND", b"OPTIONS", b"PUT", b"DEBUG", b"PURGE", b""),
            *(b"G\x00T", b"GET\t", b"<script>", b"X" * 2_000, b"\xff"),
        )
    ),
    Attack("OPTIONS *", request(b"OPTIONS", b"*"), REFUSED_OR_CLOSED),
    Attack("a method told by a header", request(b"POST", PAYOUTS + b"1/", b"X-HTTP-Method-Override: DELETE\r\n", b""), REFUSED),
    Attack("an address of 100 KB", request(b"GET", b"/" + b"a" * 100_000), REFUSED_OR_CLOSED),
    Attack("a query of 1 MB", request(b"GET", PAYOUTS + b"?x=" + b"a" * 1_000_000), REFUSED_OR_CLOSED),
    Attack("a header of 1 MB", request(b"GET", PAYOUTS, b"X: " + b"a" * 1_000_000 + b"\r\n"), REFUSED_OR_CLOSED),
    Attack("10,000 headers", request(b"GET", PAYOUTS, b"X: 1\r\n" * 10_000), REFUSED_OR_CLOSED),
    Attack("half a head, and the end", b"GET /api/payouts/ HTTP/1.1\r\nHost: @HOST@\r\nX-Half: ", REFUSED_OR_CLOSED, then_ends=True),
    *(
        Attack(f"a head with {what}", b"GET /api/payouts/ HTTP/1.1\r\n" + HOST + HTTPS + KEY + line + b"\r\n", REFUSED_OR_CLOSED)
        for what, line in (
            ("a line without a colon", b"nothing\r\n"),
            ("a NUL in a value", b"X-A: a\x00b\r\n"),
            ("a NUL in a name", b"X\x00A: a\r\n"),
            ("a carriage return in a value", b"X-A: a\rHost: elsewhere\r\n"),
            ("an empty name", b": a\r\n"),
            ("a space in a name", b"X A: a\r\n"),
            ("a space before the colon", b"X-A : a\r\n"),
            ("a folded line", b"X-A: a\r\n b\r\n"),
            ("eight bits in a name", b"X-\xff: a\r\n"),
            ("a bell in a value", b"X-A: \x07\r\n"),
        )
    ),
]  # fmt: skip

REQUESTS = [*LENGTHS, *TRANSFERS, *HOSTS, *LINES]
