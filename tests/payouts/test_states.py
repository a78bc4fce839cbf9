"""The transition table against literals, so that a wrong edge added to it fails here."""

from itertools import product

import pytest

from payouts.models import EventName, is_legal
from payouts.states import FINAL, OPEN, PAID, TRANSITIONS, WITHDRAWABLE, Status, allowed_from, allows

EDGES = {
    ("pending", "processing"),
    ("pending", "processed"),
    ("pending", "rejected"),
    ("pending", "cancelled"),
    ("processing", "pending"),
    ("processing", "processed"),
    ("processing", "failed"),
    ("processing", "unknown"),
    ("unknown", "pending"),
    ("unknown", "processed"),
    ("unknown", "failed"),
    ("failed", "pending"),
    ("failed", "processed"),
    ("processed", "returned"),
}
STATUSES = ("pending", "processing", "processed", "failed", "unknown", "rejected", "cancelled", "returned")


def test_the_statuses_are_these_eight() -> None:
    assert set(Status.values) == set(STATUSES)
    assert set(TRANSITIONS) == set(Status)


@pytest.mark.parametrize(("from_status", "to_status"), list(product(STATUSES, STATUSES)))
def test_a_move_is_allowed_when_it_is_an_edge_and_never_otherwise(from_status: str, to_status: str) -> None:
    assert allows(from_status, to_status) == ((from_status, to_status) in EDGES)


@pytest.mark.parametrize("status", STATUSES)
def test_allowed_from_lists_the_edges_in_order(status: str) -> None:
    assert allowed_from(status) == sorted(target for source, target in EDGES if source == status)


def test_the_named_sets_are_these() -> None:
    assert {"rejected", "cancelled", "returned"} == FINAL
    assert {"pending", "processing", "unknown", "failed"} == OPEN
    assert {"processed", "returned"} == PAID
    assert {"pending", "cancelled", "rejected"} == WITHDRAWABLE


def test_money_that_may_have_left_leads_back_to_a_new_attempt_only_through_failed_or_for_want_of_funds() -> None:
    assert {source for source, target in EDGES if target == "pending"} == {"failed", "processing", "unknown"}
    for source in ("processing", "unknown"):
        assert [event for event in EventName if is_legal(event, source, "pending")] == ["lacked_funds"]
    assert {source for source, target in EDGES if target == "failed"} == {"processing", "unknown"}
