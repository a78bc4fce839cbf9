"""What a call of the API passes by, and a page does not."""

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import recipes

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    """Somebody who is logged in, and whose browser sends the session wherever it goes."""
    client = Client()
    client.force_login(recipes.person.make(is_staff=True))
    return client


@pytest.mark.parametrize(("path", "is_asked"), [("/api/payouts/", False), ("/admin/", True)])
def test_a_call_of_the_api_asks_for_no_session(path: str, is_asked: bool, browser: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(path)

    asked = [query["sql"] for query in queries if "session" in query["sql"]]
    assert bool(asked) is is_asked
    assert hasattr(answer.wsgi_request, "user") is is_asked


def test_a_call_of_the_api_is_answered_as_its_key_says_whoever_is_logged_in(browser: Client) -> None:
    answer = browser.get("/api/payouts/")

    assert answer.status_code == 401
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert settings.SESSION_COOKIE_NAME not in answer.cookies
