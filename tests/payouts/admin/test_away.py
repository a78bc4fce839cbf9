"""A database that does not answer is a page that says so, never a crash."""

import pytest
from django.contrib.auth.models import User
from django.db import DataError, InterfaceError, OperationalError, connection
from django.test import Client

from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST, dialog, page
from tests.payouts.observe import reading_only
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db


def refusing(error: Exception):
    def refuse(*args: object) -> None:
        raise error

    return connection.execute_wrapper(refuse)


@pytest.mark.parametrize("error", [OperationalError("connection refused"), InterfaceError("closed")])
@pytest.mark.parametrize("path", ["/admin/", LIST, "/admin/login/?next=/admin/", "/admin/payouts/heartbeat/"])
def test_every_page_says_that_the_database_is_away_and_when_to_come_back(admin_client, path, error):
    with refusing(error):
        response = admin_client.get(path)

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "Not available now" in response.content.decode()
    assert "frame-ancestors" in response["Content-Security-Policy"]


def test_the_page_is_in_the_persons_language(admin_client):
    with refusing(OperationalError("connection refused")):
        response = admin_client.get(LIST, headers={"accept-language": "ru"})

    assert '<html lang="ru">' in response.content.decode()
    assert "База данных не отвечает" in response.content.decode()


def test_what_a_person_was_doing_is_not_done(admin_user: User):
    payout = pending_payout()
    browser = as_user(admin_user)

    with refusing(OperationalError("connection refused")):
        response = browser.post(dialog(payout, "cancel"), {"version": 1, "reason": "A mistake."})

    payout.refresh_from_db()
    assert (response.status_code, payout.status, payout.version) == (503, "pending", 1)
    assert browser.get(page(payout)).status_code == 200


def test_what_a_person_does_while_the_database_refuses_to_write_is_a_page_that_says_so(admin_user: User):
    payout = pending_payout()
    browser = as_user(admin_user)

    with reading_only():
        response = browser.post(dialog(payout, "cancel"), {"version": 1, "reason": "A mistake."})

    payout.refresh_from_db()
    assert (response.status_code, payout.status, payout.version) == (503, "pending", 1)


def test_another_error_is_still_a_crash(admin_client: Client):
    admin_client.raise_request_exception = False

    with refusing(DataError("card 4111111111111111")):
        response = admin_client.get(LIST)

    assert response.status_code == 500
    assert b"4111" not in response.content
