"""A long body is read from somebody who may upload it, and from nobody else."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client

from backoffice.door import uploads

PAGE = "/admin/payouts/batch/add/"


@pytest.fixture(autouse=True)
def _connection_of_the_test_stays_open(monkeypatch):
    monkeypatch.setattr(uploads, "close_old_connections", lambda: None)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def environ(path: str, session: str | None) -> dict[str, str]:
    cookie = {"HTTP_COOKIE": f"other=1; {settings.SESSION_COOKIE_NAME}={session}"} if session else {}
    return {"PATH_INFO": path, **cookie}


@pytest.fixture
def session(db: None) -> str:
    browser = Client()
    browser.force_login(User.objects.create_superuser("uploader"))
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def test_a_file_of_somebody_who_may_upload_is_read(session):
    assert uploads.may_upload(environ(PAGE, session))


@pytest.mark.django_db
@pytest.mark.parametrize("given", [None, "", "x" * 32])
def test_a_file_of_somebody_who_is_not_logged_in_is_not_read(given):
    assert not uploads.may_upload(environ(PAGE, given))


def test_a_file_is_not_read_where_none_is_taken(session):
    assert not uploads.may_upload(environ("/admin/login/", session))


@pytest.mark.django_db
def test_a_file_of_somebody_who_may_upload_nothing_is_not_read():
    browser = Client()
    browser.force_login(User.objects.create_user("nobody", is_staff=True))

    assert not uploads.may_upload(environ(PAGE, browser.cookies[settings.SESSION_COOKIE_NAME].value))
