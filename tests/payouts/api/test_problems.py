"""Every error is a problem (RFC 9457), those that Django makes included."""

import logging

import pytest
from django.db import OperationalError, connection

from payouts import recipients, vault
from payouts.models import Payout
from payouts.models.sealed_sets import forget
from tests.payouts.actions.test_erasure import GARBAGE_KEY
from tests.payouts.api.conftest import EXAMPLE
from tests.payouts.observe import by_hand, reading_only

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing/", "/api/payouts/x/", "/api/payouts/-1/", "/api/payouts/1/x/"]
)
def test_an_unknown_address_is_a_problem(api, path):
    response = api("GET", path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["trace_id"] == response["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/payouts/1/"), ("DELETE", "/api/payouts/"), ("POST", "/api/payouts/1/events/")]
)
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(api, method, path):
    response = api(method, path)

    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert response["Allow"]


def test_a_crash_is_a_problem_that_tells_nothing(api, caplog):
    caplog.set_level(logging.CRITICAL)

    def crash(*args: object) -> None:
        raise RuntimeError("card 4111111111111111")

    with connection.execute_wrapper(crash):
        response = api("GET", "/api/payouts/?user_id=1")

    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert b"4111" not in response.content
    assert response.json()["trace_id"]


def test_a_database_that_is_away_is_503_with_a_time_to_come_back(api):
    def refuse(*args: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        response = api("GET", "/api/payouts/?user_id=1")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response["Content-Type"] == "application/problem+json"


def test_a_database_that_refuses_to_write_is_503_with_a_time_to_come_back(api):
    with reading_only():
        response = api("POST", "/api/payouts/", EXAMPLE)

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert not Payout.objects.exists()


def test_a_rule_that_sql_has_changed_is_a_503_until_somebody_has_looked_into_it(api):
    by_hand("UPDATE payouts_approvalband SET approvals_required = 0")
    forget()

    answer = api("POST", "/api/payouts/", EXAMPLE)

    assert answer.status_code == 503
    assert answer["Retry-After"] == "300"
    assert "changed outside the product" in answer.json()["detail"]
    assert not Payout.objects.exists()


def test_a_recipient_whose_key_sql_put_in_is_503_with_a_sentence(api):
    by_hand(GARBAGE_KEY, recipients.blind_index(vault.normal(EXAMPLE["recipient_details"])))

    response = api("POST", "/api/payouts/", EXAMPLE)

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "changed outside the product" in response.json()["detail"]
    assert not Payout.objects.exists()
