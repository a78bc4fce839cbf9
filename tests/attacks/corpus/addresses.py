"""Paths and queries: encodings, climbing, injection, and more of them than anybody needs."""

from tests.attacks.corpus import CLOSED, HOST, HTTPS, PAYOUTS, REFUSED, Attack, answered, either, request

# A page of a back office leads to its login, and the start page to the back office.
LED_AWAY = (301, 302)

PATHS = [
    *(
        Attack(f"GET {path.decode('latin-1')[:60]}", request(b"GET", path), either(REFUSED, CLOSED))
        for path in (
            *(b"/api/payouts/%00/", b"/api/payouts/1%00/", b"/api/payouts/%0d%0aX:1/", b"/api/payouts/1%2f/"),
            *(b"/api/payouts/../payouts/1/", b"/api/%2e%2e/api/payouts/1/", b"/api//payouts/", b"//api/payouts/"),
            *(b"/api/payouts/1;x=1/", b"/api/payouts/0/", b"/api/payouts/-1/", b"/api/payouts/1e3/", b"/api/payouts/+1/"),
            *(b"/api/payouts/9223372036854775807/", b"/api/payouts/9223372036854775808/", b"/api/payouts/" + b"9" * 4_300 + b"/"),
            *(b"/api/payouts/\xd9\xa1/", b"/api/payouts/%d9%a1/", b"/api/payouts/%c0%af/", b"/api/payouts/%ff/"),
            *(b"/api/payouts/%ed%a0%80/", b"/api/payouts/%u0031/", b"/api/payouts/%/", b"/api/payouts/%zz/"),
            *(b"/api/payouts/1'--/", b"/api/payouts/1%20OR%201=1/", b"/api/payouts/{{7*7}}/", b"/api/payouts/${7*7}/"),
            *(b"/api/payouts/<script>alert(1)</script>/", b"/api/schema/../../etc/passwd", b"/api/docs/..;/"),
            *(b"/static/../backoffice/settings.py", b"/static/%2e%2e/%2e%2e/etc/passwd", b"/static/..%5c..%5cetc"),
            *(b"/static/%00", b"/static//etc/passwd", b"/static/payouts/", b"/.env", b"/.git/config", b"/var/run.env"),
            *(b"/api/webhooks/%00/", b"/api/webhooks/nobody/", b"/api/" + b"a/" * 2_000, b"/\\", b"/api\\payouts/"),
            *(b"/server-status", b"/wp-login.php", b"/console", b"/__debug__/", b"/manage.py", b"/api/v1/"),
            *(b"/admin.php", b"/actuator/env", b"/debug/pprof/", b"/api/payouts/1/events/../../2/"),
        )
    ),
    *(
        Attack(f"GET {path.decode()[:60]} without a login", request(b"GET", path, begin=HOST + HTTPS), either(REFUSED, *LED_AWAY))
        for path in (
            *(b"/admin/payouts/payout/", b"/admin/payouts/payout/1/change/", b"/admin/payouts/payout/%00/change/"),
            *(b"/admin/auth/user/1/password/", b"/admin/payouts/export/1/download/", b"/admin/nothing/"),
            *(b"/admin/payouts/payout/1%0a/change/", b"/admin/payouts/payout/" + b"9" * 500 + b"/change/"),
            *(b"/admin/..;/admin/payouts/payout/", b"/admin/%2e%2e/", b"/admin/r/1/1/", b"/admin/payouts/batch/1/errors.csv"),
        )
    ),
]  # fmt: skip

HOSTILE = (
    *(
        "",
        "0",
        "-1",
        "1e3",
        "1.5",
        "NaN",
        "true",
        "null",
        "[]",
        "1,2",
        "%00",
        "%0",
        "%",
        "%ff",
        "%ed%a0%80",
        "%0d%0a",
    ),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "9" * 4_300,
        "9" * 20_000,
        "%D9%A1%D9%A2",
        "+1",
        "%2B1",
        " 1",
        "0x10",
    ),
    *("1'", "1%20OR%201=1", "1;DROP%20TABLE%20payouts_payout", "1)%20UNION%20SELECT%20*%20FROM%20auth_user--"),
    *("pg_sleep(10)", "{{7*7}}", "${7*7}", "%3Cscript%3E", "%E2%80%AE", "../../etc/passwd", "1&user_id=2", "_"),
)
MAY_PASS = either(REFUSED, 200)

QUERIES = [
    *(
        Attack(f"?{name}={value[:40]}", request(b"GET", PAYOUTS + f"?user_id=1&{name}={value}".encode()), MAY_PASS)
        for name in ("user_id", "page", "page_size", "status", "created_from", "created_to")
        for value in HOSTILE
    ),
    *(
        Attack(f"?created_from={value}", request(b"GET", PAYOUTS + f"?user_id=1&created_from={value}".encode()), MAY_PASS)
        for value in (
            *("0000-00-00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59", "2026-02-30", "10000-01-01"),
            *("1e400", "-1e400", "99999999999999", "-99999999999999", "2026-01-01T25:00:00Z", "2026-01-01T00:00:60Z"),
            *("infinity", "-infinity", "now", "epoch", "2026-01-01T00:00:00%2B99:99"),
        )
    ),
    Attack("a NUL in a name", request(b"GET", PAYOUTS + b"?%00=1&user_id=1"), MAY_PASS),
    Attack("a NUL in a value that is not read", request(b"GET", PAYOUTS + b"?user_id=1&next=%00"), MAY_PASS),
    Attack("3,000 parameters", request(b"GET", PAYOUTS + b"?" + b"&".join(b"a%d=1" % each for each in range(3_000))), REFUSED),
    Attack("3,000 times one parameter", request(b"GET", PAYOUTS + b"?" + b"user_id=1&" * 3_000), REFUSED),
    Attack("3,000 empty parameters", request(b"GET", PAYOUTS + b"?" + b"&" * 3_000), MAY_PASS),
    Attack("a page beyond the last, with a filter", request(b"GET", PAYOUTS + b"?user_id=1&page=1000000000"), answered(404)),
    Attack("a query on a page of the back office", request(b"GET", b"/admin/login/?next=//elsewhere.example/", begin=HOST + HTTPS), answered(200)),
    Attack("3,000 parameters for the login", request(b"GET", b"/admin/login/?" + b"a=1&" * 3_000, begin=HOST + HTTPS), REFUSED),
    Attack("a NUL for the login", request(b"GET", b"/admin/login/?next=%00", begin=HOST + HTTPS), either(REFUSED, 200)),
]  # fmt: skip

REQUESTS = [*PATHS, *QUERIES]
