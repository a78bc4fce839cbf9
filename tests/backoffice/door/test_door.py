"""What is refused at the door, unread where it can be, and what enters whole."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.backoffice.door import application
from tests.backoffice.door.application import PART, PARTS
from tests.backoffice.door.conftest import BEGUN, read, request, serving
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

LARGE = 262_145


def seen(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_a_request_enters_as_wsgi_says(web):
    given = request(
        "POST", "/%D0%B0%2Fb/?a=%D0%B0&b=1", "X-A: 1", "X-A: 2", "Cookie: a=1", "Cookie: b=2", "X_B: 3", body=b"{}"
    )

    entered = seen(web.ask(given))

    environ = entered["environ"]
    assert entered["body"] == "{}"
    assert environ["PATH_INFO"] == "/а/b/".encode().decode("latin-1")
    assert environ["QUERY_STRING"] == "a=%D0%B0&b=1"
    assert (environ["CONTENT_LENGTH"], environ["REQUEST_METHOD"]) == ("2", "POST")
    assert (environ["HTTP_X_A"], environ["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert "HTTP_X_B" not in environ


def test_a_body_as_long_as_it_may_be_enters(web):
    assert len(seen(web.ask(request("POST", "/api/payouts/", body=b"x" * (LARGE - 1))))["body"]) == LARGE - 1


REFUSED = {
    "two hosts": (400, request("GET", "/api/payouts/", "Host: a", "Host: b")),
    "another host in the address": (400, request("GET", "http://b/api/payouts/", "Host: a")),
    "a body where there is none": (400, request("GET", "/api/payouts/", body=b"{}")),
    "a NUL in the query": (400, request("GET", "/api/payouts/?user_id=%00")),
    "a NUL in the address": (400, request("GET", "/api/%00/")),
    "an address that is no text": (400, request("GET", "/api/%ff/")),
    "many parameters": (400, request("GET", f"/api/payouts/?{'a=1&' * 5000}")),
    "a key that is not ASCII": (
        400,
        request("POST", "/api/payouts/", "Idempotency-Key: ключ".encode().decode("latin-1")),
    ),
    "a length over the limit": (413, request("POST", "/api/payouts/", f"Content-Length: {50 * LARGE}")),
    "a long body": (413, request("POST", "/api/payouts/", body=b"x" * LARGE)),
    "a body without its length": (
        411,
        request("POST", "/api/payouts/", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    ),
    "a coding that nobody knows": (
        411,
        request("POST", "/api/payouts/", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_enter_is_refused_with_a_problem(web, name):
    status, given = REFUSED[name]

    answer = web.ask(given)

    problem = json.loads(answer.content)
    assert answer.status == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == problem["trace_id"]
    assert problem["detail"]
    assert f'"request_id":"{problem["trace_id"]}"' in web.log.read_text()


def test_a_refusal_is_in_the_callers_language_and_plain_text_for_people(web):
    russian = web.ask(request("GET", "/api/payouts/", "Host: a", "Host: b", "Accept-Language: ru"))
    page = web.ask(request("GET", "/admin/", "Host: a", "Host: b"))

    assert (russian.headers["content-language"], json.loads(russian.content)["title"]) == ("ru", "Неверные данные")
    assert page.headers["content-type"].startswith("text/plain")
    assert page.content == b"The request must name one host, once.\n"


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_body_shorter_than_its_length_is_refused(web, length):
    answer = web.ask(request("POST", "/api/payouts/", f"Content-Length: {length}") + b"{}", ends=True)

    assert (answer.status, json.loads(answer.content)["status"]) == (400, 400)


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_body_that_comes_too_slowly_is_refused_and_the_connection_closed(web, length):
    head = request("POST", "/api/payouts/", f"Content-Length: {length}").replace(b"Connection: close\r\n", b"")
    with web.connect() as connection:
        began_at = time.monotonic()
        connection.sendall(head + b"1")

        answer = read(connection, began_at)

    assert answer.status == json.loads(answer.content)["status"] == 408


def test_a_hundred_slow_bodies_take_no_thread_from_anybody(web):
    with ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(web.connect())
            connection.sendall(request("POST", "/api/payouts/", "Content-Length: 1000") + b"{")

        assert web.ask(request("GET", "/healthz/")).content == b'{"status": "ok"}'
        assert seen(web.ask(request("POST", "/", body=b"{}")))["body"] == "{}"


def test_the_bodies_of_one_network_leave_room_for_those_of_others(web):
    part, length = b"x" * 200_000, "Content-Length: 262144"
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(web.connect())
            connection.sendall(request("POST", "/api/payouts/", length) + part)
        time.sleep(0.3)

        assert web.ask(request("POST", "/", body=part)).status == 429
        assert web.ask(request("POST", "/", body=part), source="127.0.0.2").status == 200


def test_health_answers_while_every_thread_is_busy(web):
    keys = [f"Authorization: Bearer {number}" for number in range(4)]
    with ThreadPoolExecutor() as pool:
        stuck = [pool.submit(web.ask, request("GET", "/stuck/", f"X-Forwarded-For: {key}")) for key in keys]
        time.sleep(0.3)
        health = web.ask(request("GET", "/healthz/"))
        statuses = [each.result().status for each in stuck]

    assert (health.status, health.content) == (200, b'{"status": "ok"}')
    assert 200 in statuses


def test_one_caller_gets_a_quarter_of_the_threads_and_the_others_the_rest(web):
    mine = request("GET", "/api/anything/", "Authorization: Bearer mine")
    stuck = mine.replace(b"/api/anything/", b"/stuck/")
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(web.ask, stuck) for _ in range(8)]
        time.sleep(0.3)
        other = web.ask(request("GET", "/api/anything/", "Authorization: Bearer another"))
        statuses = sorted(each.result().status for each in waiting)

    assert other.status == 200
    assert statuses == [200, *[429] * 7]


def test_a_stranger_who_is_somebody_else_each_time_leaves_half_of_the_threads(web):
    names = [f"Cookie: {settings.SESSION_COOKIE_NAME}=made-up-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        stuck = [pool.submit(web.ask, request("GET", "/stuck/", name)) for name in names]
        time.sleep(0.3)
        other = web.ask(request("GET", "/api/anything/"), source="127.0.0.2")
        statuses = sorted(each.result().status for each in stuck)

    assert other.status == 200
    assert statuses == [200, 200, *[429] * 6]


def test_passwords_tried_from_everywhere_leave_the_other_threads_alone(web):
    with ThreadPoolExecutor(8) as pool:
        tried = [
            pool.submit(web.ask, request("POST", "/admin/login/", body=b"password=x"), source=f"127.0.0.{number}")
            for number in range(2, 8)
        ]
        time.sleep(0.3)
        other = web.ask(request("GET", "/admin/"))
        statuses = sorted(each.result().status for each in tried)

    assert other.status == 200
    assert statuses == [200, *[429] * 5]


def test_a_download_comes_whole_in_parts(web):
    for path in ("/download/", "/unknown-length/"):
        answer = web.ask(request("GET", path))

        assert (answer.status, len(answer.content)) == (200, len(PART) * PARTS)


def test_a_file_comes_whole_whoever_does_not_read_it(web):
    whole = Path(application.__file__).read_bytes()
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(web.connect()).sendall(request("GET", "/file/"))

        answer = web.ask(request("GET", "/file/"))

    assert (answer.status, answer.headers["content-length"]) == (200, str(len(whole)))
    assert answer.content == whole


@pytest.mark.parametrize("path", ["/breaks/", "/exits/"])
def test_an_application_that_breaks_is_a_500_and_costs_no_thread(web, path):
    assert [web.ask(request("GET", path)).status for _ in range(5)] == [500] * 5
    assert seen(web.ask(request("GET", "/")))


def test_requests_in_hand_are_answered_before_the_server_ends(tmp_path):
    with serving(tmp_path) as web, ThreadPoolExecutor() as pool:
        waiting = pool.submit(web.ask, request("GET", "/waits/"))
        wait_until((tmp_path / BEGUN).exists)
        web.process.terminate()

        assert waiting.result().status == 200
        assert web.process.wait(30) == 0
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", web.port), timeout=1):
        pass
