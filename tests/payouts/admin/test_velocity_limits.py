"""Velocity limits in the back office: their use, what waits for them, and sending one payout over one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.models import Proposal, VelocityLimit
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import dialog

pytestmark = pytest.mark.django_db

LIMITS = "/admin/payouts/velocitylimit/"
WHY = {"proposal_reason": "The sale."}


@pytest.fixture(autouse=True)
def _two_people(settings: Any) -> None:
    settings.DUAL_CONTROL = True


def test_a_payout_that_waits_says_for_which_limit_and_the_start_page_is_red(as_group: Any) -> None:
    payout = recipes.over_limit_payout()
    browser = as_group("Auditor")

    page = plain(browser.get(f"/admin/payouts/payout/{payout.pk}/change/").content.decode())
    start = plain(browser.get("/admin/").content.decode())
    operations = plain(browser.get("/admin/operations/").content.decode())
    waiting = browser.get("/admin/payouts/payout/?waits=limit").context["cl"].result_list
    others = browser.get("/admin/payouts/payout/?waits=lost").context["cl"].result_list

    assert "It waits, because it is over the velocity limit: " in page
    assert "1 payout waits for a velocity limit" in start
    assert "1 payout waits for a velocity limit" in operations
    assert [each.pk for each in waiting] == [payout.pk]
    assert list(others) == []


def test_two_people_send_a_payout_over_the_limit(in_group: Callable[[str], User]) -> None:
    payout = recipes.over_limit_payout()
    proposer, second = in_group("Approver"), in_group("Approver")

    as_user(proposer).post(
        dialog(payout, "let_go").replace("let_go", "let-go"), {"version": 0, "reason": "The sale."}
    )
    proposal = Proposal.objects.get()
    shown = plain(as_user(second).get(f"/admin/payouts/payout/{payout.pk}/change/").content.decode())
    alone = as_user(proposer).post(f"/admin/payouts/proposal/{proposal.pk}/confirm/", {"version": 0})
    as_user(second).post(f"/admin/payouts/proposal/{proposal.pk}/confirm/", {"version": 0})

    proposal.refresh_from_db()
    assert "has proposed a change of this" in shown
    assert "another person must confirm it" in plain(alone.content.decode())
    assert (proposal.subject, proposal.decision, proposal.decided_by) == ("let_go", "confirmed", second)


def test_the_maker_is_not_offered_to_send_it_over_the_limit(in_group: Callable[[str], User]) -> None:
    admin = in_group("Admin")
    payout = recipes.over_limit_payout(maker=admin)

    text = as_user(admin).get(f"/admin/payouts/payout/{payout.pk}/change/").content.decode()

    assert f"/admin/payouts/payout/{payout.pk}/let-go/" not in text


def test_a_limit_is_lowered_by_one_person_at_once_and_raised_by_two(in_group: Callable[[str], User]) -> None:
    limit = VelocityLimit.objects.get(scope="all", currency="RUB", window="day")
    browser = as_user(in_group("Admin"))
    fields = {"scope": "all", "currency": "RUB", "window": "day", "count": ""}

    browser.post(f"{LIMITS}{limit.pk}/change/", fields | {"amount": "900000"} | WHY)
    lowered = VelocityLimit.objects.get(pk=limit.pk).amount
    browser.post(f"{LIMITS}{limit.pk}/change/", fields | {"amount": "5000000"} | WHY)

    assert lowered == 900_000
    assert VelocityLimit.objects.get(pk=limit.pk).amount == 900_000
    assert [each.after["amount"] for each in Proposal.objects.all()] == ["5000000"]


def test_the_operations_page_shows_use_against_limit(as_group: Any) -> None:
    VelocityLimit.objects.create(scope="all", currency="RUB", window="minute", amount=1)
    recipes.pending_payout()
    assert actions.claim(limit=10) == []

    (row, *_others) = as_group("Admin").get("/admin/operations/").context["limits"]["rows"]

    assert row["waiting"] == "1"
    assert row["used"]
