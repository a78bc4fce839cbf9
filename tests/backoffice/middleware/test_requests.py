"""What every request of the API gets: an ID, and headers that forbid what it never needs."""

import pytest

from payouts.clients import create_client
from payouts.models import Payout, Scope
from tests.payouts.api.conftest import EXAMPLE, Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> Api:
    _client, key = create_client("shop", scopes=tuple(Scope.values))
    return Api(key)


@pytest.mark.parametrize("taken", ["a", "A-b_c.9", "x" * 128])
def test_a_request_id_is_taken_returned_and_stored(api, taken):
    response = api("POST", "/api/payouts/", EXAMPLE, X_Request_ID=taken)

    assert response["X-Request-ID"] == taken
    assert Payout.objects.get().trace_id == taken


@pytest.mark.parametrize("refused", ["", "x" * 129, "a b", "a/b", "ключ", "a\n"])
def test_another_request_id_is_replaced(api, refused):
    response = api("GET", "/api/payouts/", X_Request_ID=refused)

    assert len(response["X-Request-ID"]) == 32
    assert int(response["X-Request-ID"], 16)


def test_answers_forbid_what_an_api_never_needs(api):
    response = api("GET", "/api/payouts/")

    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
