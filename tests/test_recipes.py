"""Every recipe is a payout that life could have made."""

import pytest

from payouts.models import Payout
from payouts.states import Stage, Status
from tests.payouts.observe import is_clean
from tests.recipes import PAYOUTS

pytestmark = pytest.mark.django_db

STAGES = {
    "pending": Stage.READY,
    "awaiting": Stage.AWAITING_APPROVAL,
    "approved": Stage.READY,
    "held": Stage.HELD,
    "scheduled": Stage.SCHEDULED,
    "processing": Stage.PROCESSING,
    "accepted": Stage.PROCESSING,
    "returned": Stage.RETURNED,
    "processed": Stage.PROCESSED,
    "settled": Stage.PROCESSED,
    "failed": Stage.FAILED,
    "retried": Stage.READY,
    "over_limit": Stage.READY,
    "without_funds": Stage.READY,
    "unknown": Stage.UNKNOWN,
    "half_resolved": Stage.UNKNOWN,
    "resolved": Stage.PROCESSED,
    "rejected": Stage.REJECTED,
    "cancelled": Stage.CANCELLED,
    "withdrawn": Stage.CANCELLED,
}


@pytest.mark.parametrize("name", PAYOUTS)
def test_a_recipe_is_in_its_stage_and_the_audit_finds_nothing(name: str) -> None:
    payout = PAYOUTS[name]()

    assert payout.stage == STAGES[name]
    assert list(Payout.objects.in_stage(STAGES[name])) == [payout]
    assert payout.events.count() == payout.version
    assert is_clean()


def test_there_is_a_recipe_for_every_status_that_an_action_reaches() -> None:
    statuses = {make().status for make in PAYOUTS.values()}

    assert statuses == set(Status.values)
