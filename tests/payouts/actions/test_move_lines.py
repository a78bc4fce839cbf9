"""Each move has its line in the log once it is committed, with who, what and which attempt; each call has its own."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from structlog.testing import capture_logs

from payouts import actions, trace
from payouts.models import ApiClient
from payouts.worker import pump
from tests import recipes
from tests.payouts.providers.double import DoubleProvider, Fault

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="payouts.actions.move_lines")


@pytest.fixture
def lines(django_capture_on_commit_callbacks: Any) -> Any:
    """What is said while it is called with, committed afterwards."""

    def said(act: Any) -> list[Any]:
        with capture_logs() as found, django_capture_on_commit_callbacks(execute=True):
            act()
        return [line for line in found if line["event"] in ("payout_moved", "provider_called")]

    return said


def test_a_payouts_life_can_be_followed_by_its_request_id(lines: Any, client: ApiClient) -> None:
    def live() -> None:
        with trace.of("order-17"):
            recipes.pending_payout(client=client)
        pump.run(provider=DoubleProvider())

    said = lines(live)

    assert [(line["event"], line.get("move") or line["call"]) for line in said] == [
        ("provider_called", "pay"),
        ("payout_moved", "submitted"),
        ("payout_moved", "claimed"),
        ("payout_moved", "succeeded"),
    ]
    assert {line["request_id"] for line in said if line["event"] == "payout_moved"} == {"order-17"}
    assert {line["client"] for line in said if line["event"] == "payout_moved"} == {client.pk}
    assert len({line["payout"] for line in said if line["event"] == "payout_moved"}) == 1
    assert {line["provider"] for line in said} == {"http"}
    assert len({line["attempt"] for line in said if line.get("move") != "submitted"}) == 1
    assert all(line["duration_ms"] >= 0 for line in said)
    assert (said[0]["verdict"], said[0]["http_status"]) == ("succeeded", 201)
    assert [(line["from_status"], line["to_status"]) for line in said[2:]] == [
        ("pending", "processing"),
        ("processing", "processed"),
    ]


def test_it_says_numbers_and_codes_and_no_names_amounts_or_recipients(lines: Any, checker: User) -> None:
    provider = DoubleProvider()
    provider.script(Fault.REFUSED)

    def live() -> None:
        payout = recipes.awaiting_payout(comment="a bonus for Ivan")
        actions.approve(payout.pk, by=checker, reason="matches the contract")
        pump.run(provider=provider)

    said = lines(live)

    assert [line.get("person") for line in said if line.get("move") == "approved"] == [checker.pk]
    assert [line["code"] for line in said if line.get("move") == "refused"] == ["recipient_blocked"]
    for secret in (*recipes.CARD.values(), recipes.ONE_APPROVAL, checker.username, "Ivan", "contract"):
        assert str(secret) not in str(said)


def test_what_is_not_committed_was_not_said(lines: Any) -> None:
    def begin() -> None:
        with transaction.atomic():
            recipes.pending_payout()
            transaction.set_rollback(True)

    assert lines(begin) == []


def test_where_nobody_listens_nothing_is_kept_for_later(
    caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    caplog.set_level(logging.WARNING, logger="payouts.actions.move_lines")

    with django_capture_on_commit_callbacks() as callbacks:
        recipes.pending_payout()

    assert [each for each in callbacks if "told" in repr(each)] == []


def test_a_line_within_a_call_names_the_payout_and_the_request(lines: Any) -> None:
    class Broken(DoubleProvider):
        def pay(self, *_given: Any, **_named: Any) -> Any:
            raise ValueError("broken")

    with trace.of("order-17"):
        payout = recipes.pending_payout()

    # capture_logs takes the processor away that merges what is bound.
    from structlog.contextvars import get_contextvars

    bound: dict[str, Any] = {}

    class Looking(Broken):
        def pay(self, *given: Any, **named: Any) -> Any:
            bound.update(get_contextvars())
            return super().pay(*given, **named)

    said = lines(lambda: pump.run(provider=Looking()))

    assert bound == {"request_id": "order-17", "payout": payout.pk, "client": payout.client_id}
    assert [line["verdict"] for line in said if line["event"] == "provider_called"] == ["error"]
