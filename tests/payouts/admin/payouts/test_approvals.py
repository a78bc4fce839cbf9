"""The approvals queue: whose turn it is, why not mine, and what nobody can approve."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from payouts import actions
from payouts.models import Payout
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.urls import LIST, dialog, page

pytestmark = pytest.mark.django_db

QUEUE = "/admin/payouts/approvals/"


@pytest.fixture
def approver(in_group: Any) -> User:
    found: User = in_group("Approver")
    return found


@pytest.fixture
def browser(approver: User) -> Client:
    return as_user(approver)


def rows(browser: Client, **query: Any) -> list[int]:
    answer = browser.get(QUEUE, query)
    assert answer.status_code == 200
    return [int(row["number"]) for row in answer.context["rows"]]


def test_each_payout_stands_in_the_tab_of_whose_turn_it_is(browser: Client, approver: User) -> None:
    free = recipes.awaiting_payout()
    own = recipes.awaiting_payout(maker=approver)
    seconded = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    actions.approve(seconded.pk, by=approver)
    held = recipes.held_payout()
    recipes.pending_payout()

    assert rows(browser) == [free.pk]
    assert rows(browser, tab="others") == [own.pk, seconded.pk]
    assert rows(browser, tab="held") == [held.pk]


def test_an_approval_taken_back_waits_for_the_same_person_again(browser: Client, approver: User) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    actions.approve(payout.pk, by=approver)
    actions.withdraw_approval(payout.pk, by=approver)

    assert rows(browser) == [payout.pk]


def test_the_oldest_come_first_a_page_at_a_time(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.admin.payouts.approvals.ROWS_PER_PAGE", 2)
    made = [recipes.awaiting_payout().pk for _each in range(3)]

    assert rows(browser) == made[:2]
    assert f"after={made[1]}" in browser.get(QUEUE).content.decode()
    assert rows(browser, tab="mine", after=made[1]) == made[2:]
    assert rows(browser, after="nonsense") == made[:2]


def test_ones_own_are_shown_with_the_reason_and_without_the_button(browser: Client, approver: User) -> None:
    own = recipes.awaiting_payout(maker=approver)

    text = browser.get(QUEUE, {"tab": "others"}).content.decode()

    assert "You made this payout, so another person must decide on it." in text
    assert dialog(own, "approve") not in text


def test_what_one_has_approved_says_that_another_is_needed(browser: Client, approver: User) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    actions.approve(payout.pk, by=approver)

    text = browser.get(QUEUE, {"tab": "others"}).content.decode()

    assert "You have approved this payout already: another person must approve it too." in text
    assert "1/2" in text


def test_what_nobody_can_approve_is_called_blocked(browser: Client, in_group: Any) -> None:
    recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)

    before = browser.get(QUEUE).content.decode()
    in_group("Approver")

    assert "Blocked: 2 more approvals are needed, and only 1 person can approve." in before
    assert "Blocked" not in browser.get(QUEUE).content.decode()


def test_who_may_not_approve_sees_the_queue_without_buttons(as_group: Any) -> None:
    payout = recipes.awaiting_payout()
    auditor = as_group("Auditor")

    text = auditor.get(QUEUE).content.decode()

    assert rows(auditor) == [payout.pk]
    assert "Your account may not approve payouts." in text
    assert dialog(payout, "approve") not in text
    assert 'name="chosen"' not in text


def test_who_may_not_see_payouts_may_not_see_the_queue() -> None:
    assert as_user(recipes.person.make()).get(QUEUE).status_code == 403
    assert Client().get(QUEUE).status_code == 302


def test_an_empty_tab_says_what_it_is_for(browser: Client) -> None:
    assert "Nothing waits for your approval" in browser.get(QUEUE).content.decode()
    assert "Nothing waits for approval" in browser.get(LIST, {"stage": "awaiting_approval"}).content.decode()


def test_the_queue_costs_the_same_queries_for_one_row_and_for_many(
    browser: Client, django_assert_num_queries: Any
) -> None:
    recipes.awaiting_payout()
    browser.get(QUEUE)

    with django_assert_num_queries(13):
        browser.get(QUEUE)
    for _each in range(8):
        recipes.awaiting_payout(maker=recipes.person.make(), client=recipes.client.make())
    browser.get(QUEUE)  # the menu keeps its counts for seconds only
    with django_assert_num_queries(13):
        browser.get(QUEUE)


def test_the_navigation_counts_what_waits_for_this_person(browser: Client, approver: User) -> None:
    cache.clear()
    for _each in range(3):
        recipes.awaiting_payout()
    recipes.awaiting_payout(maker=approver)

    text = browser.get(LIST).content.decode()

    sidebar = text[text.index('id="nav-sidebar-apps"') :]
    assert sidebar.split("sidebar-badge")[1].split(">")[1].split("<")[0].strip() == "3"


def test_who_decides_in_the_queue_stays_in_the_queue(browser: Client) -> None:
    payout = recipes.awaiting_payout()
    opened_on = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{QUEUE}?tab=mine"}

    answer = browser.post(
        dialog(payout, "approve"), {"version": payout.version, "reason": "Fine."}, headers=opened_on
    )

    assert answer.headers["HX-Redirect"] == f"{QUEUE}?tab=mine"
    assert Payout.objects.get(pk=payout.pk).is_approved


def test_another_address_does_not_lead_the_decision_astray(browser: Client) -> None:
    payout = recipes.awaiting_payout()
    opened_on = {"HX-Request": "true", "HX-Current-URL": "https://elsewhere.example/admin/"}

    answer = browser.post(
        dialog(payout, "approve"), {"version": payout.version, "reason": "Fine."}, headers=opened_on
    )

    assert answer.headers["HX-Redirect"] == page(payout)
