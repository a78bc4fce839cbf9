"""The queues of the figures, in SQL by partial index, are the stages of the pages: one rule, held in both places."""

import pytest

from payouts import actions
from payouts.figures.standing import all_waits
from payouts.figures.waiting import queues
from payouts.models import Attention, Payout
from payouts.states import Stage
from tests import recipes

pytestmark = pytest.mark.django_db


def test_a_queue_has_the_payouts_of_its_stage() -> None:
    made = {name: make() for name, make in recipes.PAYOUTS.items()}
    actions.hold(recipes.awaiting_payout().pk, by=recipes.person.make(), reason="The card looks odd.")
    actions.flag_missing(made["settled"].pk, by=recipes.person.make(), source="march.csv")

    found = {name: queue.count for name, queue in queues(all_waits()).items()}

    expected = {
        "approval": Payout.objects.in_stage(Stage.AWAITING_APPROVAL).count(),
        "held": Payout.objects.in_stage(Stage.HELD).exclude(held_at=None).count(),
        "attention": Payout.objects.exclude(attention=Attention.NONE).count(),
        "processing": Payout.objects.in_stage(Stage.PROCESSING).count(),
        "unknown": Payout.objects.in_stage(Stage.UNKNOWN).count(),
    }
    assert {name: found[name] for name in expected} == expected
    assert min(expected.values()) > 0
