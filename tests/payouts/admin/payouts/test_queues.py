"""The queues above the list of payouts."""

from typing import Any

import pytest

from payouts.models import Payout
from tests import recipes
from tests.payouts.admin.urls import LIST
from tests.payouts.many import copied
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db


def test_what_needs_attention_is_one_queue_whatever_its_status(as_group: Any) -> None:
    flagged = [recipes.processed_payout(), recipes.failed_payout(), recipes.unknown_payout()]
    recipes.processed_payout()
    for payout in flagged:
        Payout.objects.filter(pk=payout.pk).update(attention="missing", due_at=None)
    browser = as_group("Operator")

    listed = browser.get(LIST, {"attention": "any"})
    other = browser.get(LIST, {"attention": "contradicted"})
    start = browser.get("/admin/").content.decode()

    assert {payout.pk for payout in listed.context["cl"].result_list} == {payout.pk for payout in flagged}
    assert list(other.context["cl"].result_list) == []
    assert f'href="{LIST}?attention=any"' in start
    assert 'aria-current="page">Needs attention <span class="po-count">3</span>' in listed.content.decode()


def test_the_queue_of_flagged_payouts_is_read_from_its_own_index() -> None:
    copied(recipes.processed_payout(), 2_000, due_at="NULL")
    by_hand("ANALYZE payouts_payout")
    plans = [
        Payout.objects.exclude(attention="").order_by("-id")[:50].explain(),
        Payout.objects.filter(attention="missing").order_by("-id")[:50].explain(),
    ]

    assert all("payout_needs_attention" in plan for plan in plans)
