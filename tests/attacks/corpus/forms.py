"""Forms and files, sent by somebody who is not logged in."""

from urllib.parse import quote

from tests.attacks.corpus import CLOSED, HOST, HTTPS, REFUSED, Attack, either, request

ANONYMOUS = HOST + HTTPS
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
# A cookie and the field of one secret: Django's protection against forged forms lets them through.
SECRET = b"a" * 32
COOKIES = b"Cookie: csrftoken=%s; __Host-csrftoken=%s\r\nOrigin: https://@HOST@\r\n" % (SECRET, SECRET)
SHOWN_AGAIN = either(REFUSED, 200, 302)


def _login(**fields: str) -> bytes:
    given = {"csrfmiddlewaretoken": SECRET.decode(), "username": "operator", "password": "wrong", "next": "/admin/"}
    text = "&".join(
        f"{name}={quote(value, safe='%', errors='surrogatepass')}" for name, value in (given | fields).items()
    )
    return request(b"POST", b"/admin/login/", FORM + COOKIES, text.encode(), begin=ANONYMOUS)


def _upload(path: bytes, *parts: bytes, boundary: bytes = b"bound", end: bytes = b"--\r\n") -> bytes:
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--" + boundary + end
    kind = b"Content-Type: multipart/form-data; boundary=%s\r\n" % boundary
    return request(b"POST", path, kind + COOKIES, body, begin=ANONYMOUS)


def _file(content: bytes, name: bytes = b"a.csv") -> bytes:
    return b'Content-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s' % (name, content)


TOKEN = b'Content-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n' + SECRET
UPLOADS = (b"/admin/login/", b"/admin/payouts/batch/add/", b"/admin/payouts/providerreport/add/", b"/i18n/setlang/")

REQUESTS = [
    *(
        Attack(f"a log-in with {name} {value[:30]!r}", _login(**{name: value}), SHOWN_AGAIN)
        for name in ("username", "password", "next")
        for value in (
            *("", "%00", "' OR 1=1--", "<script>alert(1)</script>", "x" * 5_000, "x" * 200_000, "%ff", "%ed%a0%80"),
            *("operator%0d%0aX: 1", "\u202eoperator", "//elsewhere.example/", "javascript:alert(1)", "{{7*7}}", "ОПЕРАТОР"),
        )
    ),
    Attack("a log-in without a token", request(b"POST", b"/admin/login/", FORM, b"username=a&password=b", begin=ANONYMOUS)),
    Attack("a log-in with 5,000 fields", request(b"POST", b"/admin/login/", FORM + COOKIES, b"a=1&" * 5_000, begin=ANONYMOUS)),
    Attack("a log-in of 3 MB", request(b"POST", b"/admin/login/", FORM + COOKIES, b"a=" + b"x" * 3_000_000, begin=ANONYMOUS), either(REFUSED, CLOSED)),
    Attack("a log-in as JSON", request(b"POST", b"/admin/login/", b"Content-Type: application/json\r\n" + COOKIES, b"{}", begin=ANONYMOUS)),
    Attack("a log-in from elsewhere", request(b"POST", b"/admin/login/", FORM + COOKIES.replace(b"https://@HOST@", b"https://elsewhere.example"), b"csrfmiddlewaretoken=" + SECRET, begin=ANONYMOUS)),
    Attack("a log-in by GET", request(b"GET", b"/admin/login/?username=operator&password=wrong", begin=ANONYMOUS), either((200,))),
    *(
        Attack(f"to {path.decode()}: {what}", raw, either(REFUSED, CLOSED, 302))
        for path in UPLOADS
        for what, raw in (
            ("a file of 1 MB", _upload(path, TOKEN, _file(b"x" * 1_000_000))),
            ("a file of 30 MB", _upload(path, TOKEN, _file(b"x" * 30_000_000))),
            ("300 files", _upload(path, TOKEN, *[_file(b"x")] * 300)),
            ("a name that climbs", _upload(path, TOKEN, _file(b"x", b"../../../etc/cron.d/x"))),
            ("a name with a NUL", _upload(path, TOKEN, _file(b"x", b"a\x00.csv"))),
            ("a name of 100 KB", _upload(path, TOKEN, _file(b"x", b"a" * 100_000))),
            ("no end", _upload(path, TOKEN, _file(b"x"), end=b"")),
            ("no boundary in the body", request(b"POST", path, b"Content-Type: multipart/form-data; boundary=b\r\n" + COOKIES, b"x" * 1_000, begin=ANONYMOUS)),
            ("no boundary", request(b"POST", path, b"Content-Type: multipart/form-data\r\n" + COOKIES, b"x", begin=ANONYMOUS)),
            ("an encoding of its own", _upload(path, TOKEN, b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!')),
        )
    ),
    *(
        Attack(f"a language {value!r}", request(b"POST", b"/i18n/setlang/", FORM + COOKIES, b"csrfmiddlewaretoken=%s&%s" % (SECRET, value), begin=ANONYMOUS), either(REFUSED, 302, 204))
        for value in (b"language=%00", b"language=xx", b"language=ru&next=//elsewhere.example/", b"language=ru&next=https://elsewhere.example/", b"next=javascript:alert(1)", b"language=../../en")
    ),
    *(
        Attack(f"a POST to {path.decode()}", request(b"POST", path, FORM + COOKIES, b"csrfmiddlewaretoken=" + SECRET, begin=ANONYMOUS), either(REFUSED, 302))
        for path in (
            *(b"/admin/", b"/admin/logout/", b"/admin/second-factor/", b"/admin/second-factor/set-up/", b"/admin/second-factor/mine/"),
            *(b"/admin/password_change/", b"/admin/payouts/payout/1/approve/", b"/admin/payouts/payout/add/", b"/admin/search/"),
            *(b"/healthz/", b"/readyz/", b"/api/schema/", b"/api/docs/"),
        )
    ),
]  # fmt: skip
