"""What a web server calls: the API's short chain of middlewares answers as the long one does."""

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from backoffice.local import ROOT
from payouts.clients import create_client
from tests.databases import application_url
from tests.payouts.api.conftest import EXAMPLE, Api

pytestmark = pytest.mark.django_db

HEADERS = (
    "Content-Type",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Cache-Control",
    "Content-Language",
)


@pytest.fixture(autouse=True)
def _connection_of_the_test_stays_open():
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def call(method: str, path: str, key: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
    answer: list[Any] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "HTTP_ACCEPT_LANGUAGE": "ru",
    }
    from backoffice import wsgi  # looks into the database

    response = wsgi.application(environ, lambda status, headers: answer.extend([status, dict(headers)]))
    content = b"".join(response)
    response.close()
    return int(answer[0].split()[0]), answer[1], json.loads(content)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/payouts", EXAMPLE),
        ("POST", "/api/payouts/", {"amount": "x"}),
        ("GET", "/api/payouts/999/", None),
        ("GET", "/api/nothing", None),
        ("PUT", "/api/payouts/", None),
    ],
)
def test_the_api_answers_alike_through_both_chains(method, path, body):
    _client, key = create_client("shop", scopes=["payouts:read", "payouts:write"])
    content = json.dumps(body).encode() if body else b""

    status, headers, answer = call(method, path, key, content)
    response = Api(key)(method, path, content or None, Accept_Language="ru")

    assert status == response.status_code
    assert set(answer) == set(response.json())
    assert {name: headers.get(name) for name in HEADERS} == {name: response.get(name) for name in HEADERS}
    assert headers["X-Request-ID"]
    assert bool(headers.get("Content-Length")) == bool(response.get("Content-Length"))  # two payouts, two lengths


def test_the_short_chain_is_a_part_of_the_long_one_and_leaves_it_as_it_was():
    from backoffice import wsgi

    assert set(wsgi.FOR_THE_API) < set(settings.MIDDLEWARE)
    assert "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE


@pytest.mark.parametrize("path", ["/healthz", "/readyz/"])
def test_the_pages_for_those_that_watch_answer_under_any_hosts_name(path):
    answer: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "HTTP_HOST": "10.0.0.7:8000",
        "REMOTE_ADDR": "10.0.0.8",
        "SERVER_NAME": "10.0.0.7",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }

    from backoffice import wsgi

    response = wsgi.application(environ, lambda status, headers: answer.append(status))
    response.close()

    assert answer == ["200 OK"]


@pytest.mark.parametrize(
    "setting", [{"API_ANONYMOUS_CLIENT": "demo", "DJANGO_DEBUG": "off"}, {"FIELD_ENCRYPTION_KEYS": "short"}]
)
def test_settings_that_contradict_each_other_stop_the_web_server(setting):
    command = [sys.executable, "-c", "import backoffice.wsgi"]

    done = subprocess.run(command, env=os.environ | setting, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert next(iter(setting)) in done.stderr


@pytest.mark.django_db(transaction=True)  # a cluster that does not start is noted, for good
@pytest.mark.parametrize("command", [["-c", "import backoffice.wsgi"], ["manage.py", "cluster"]])
def test_a_process_with_other_keys_than_the_database_does_not_start(command):
    setting = {"DATABASE_URL": application_url(), "EVENT_HMAC_KEYS": "another key that is long enough to pass"}

    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | setting,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "see EVENT_HMAC_KEYS" in done.stderr


def test_a_web_server_that_would_write_with_a_retired_key_closes(monkeypatch, settings):
    from backoffice import wsgi

    gate = wsgi.Gate()
    old, new = settings.EVENT_HMAC_KEYS, ["a new key that is long enough to pass"]
    before = gate.why_closed()
    settings.EVENT_HMAC_KEYS = [*new, *old]
    call_command("rotate_keys", stdout=io.StringIO())
    settings.EVENT_HMAC_KEYS = [*old, *new]

    within_the_minute = gate.why_closed()
    monkeypatch.setattr(wsgi, "CLOSED_SECONDS", 0)
    gate._looks_again_at = 0

    assert (before, within_the_minute) == ("", "")
    assert "retired key, see EVENT_HMAC_KEYS" in gate.why_closed()
    settings.EVENT_HMAC_KEYS = [*new, *old]
    assert gate.why_closed() == ""


def test_a_web_server_that_learns_too_late_that_its_keys_do_not_fit_serves_nothing(monkeypatch, settings):
    from backoffice import wsgi

    monkeypatch.setattr(wsgi, "gate", wsgi.Gate())
    settings.INDEX_KEY = "another key that is long enough to pass"
    answer: list[Any] = []

    for path in ("/api/payouts/", "/admin/", "/readyz/", "/healthz/"):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        }
        wsgi.application(environ, lambda status, headers: answer.append(status))

    assert answer == [*["503 Service Unavailable"] * 3, "200 OK"]


def test_a_closed_web_server_asks_the_database_once_for_many_requests(settings, django_assert_num_queries):
    from backoffice import wsgi

    gate = wsgi.Gate()
    settings.INDEX_KEY = "another key that is long enough to pass"
    assert "INDEX_KEY" in gate.why_closed()

    with django_assert_num_queries(0):
        assert "INDEX_KEY" in gate.why_closed()
