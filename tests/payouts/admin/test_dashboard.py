"""The start page: what waits for whom, how old it is against its norm."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from payouts import actions
from payouts.admin import dashboard
from payouts.admin.payouts import depths
from payouts.models import Payout
from payouts.states import Stage
from tests import recipes
from tests.payouts.admin.conftest import as_user
from tests.payouts.admin.start_page import START, cards, paid_at
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db


def made_ago(payout: Payout, **ago: float) -> Payout:
    by_hand("UPDATE payouts_payout SET created_at = %s WHERE id = %s", timezone.now() - timedelta(**ago), payout.pk)
    return payout


def test_what_waits_for_me_is_others_payouts_that_i_have_not_approved(in_group: Any) -> None:
    me = in_group("Approver")
    recipes.awaiting_payout()
    recipes.awaiting_payout(client=None, maker=me)
    recipes.awaiting_payout(currency="EUR", amount=Decimal("2000.00"))
    approved, taken_back = (recipes.awaiting_payout(amount=recipes.TWO_APPROVALS) for _each in range(2))
    for payout in (approved, taken_back):
        actions.approve(payout.pk, by=me, reason="Matches the contract.")
    actions.withdraw_approval(taken_back.pk, by=me, reason="The wrong one.")
    actions.hold(recipes.awaiting_payout().pk, by=me, reason="Odd.")

    card = cards(as_user(me))["Waiting for me"]

    assert card["count"] == "3"
    assert card["note"] == "of 5 awaiting approval"
    assert card["sums"] == ["2,250,000.00\u00a0RUB", "2,000.00\u00a0EUR"]


def test_the_page_begins_with_the_next_thing_to_do(as_group: Any) -> None:
    made_ago(recipes.awaiting_payout(), hours=31)

    approver, operator = (as_group(name).get(START).context["lead"] for name in ("Approver", "Operator"))

    assert approver == {
        "said": "1 payout waits for your approval, for 31 h.",
        "url": "/admin/payouts/approvals/",
    }
    assert operator == {"said": "Nothing needs attention.", "url": ""}


@pytest.mark.parametrize("group", ["Operator", "Auditor"])
def test_who_may_not_approve_sees_what_awaits_the_approval_of_others(group: str, as_group: Any) -> None:
    recipes.awaiting_payout()

    found = cards(as_group(group))

    assert "Waiting for me" not in found
    assert found["Awaiting approval"]["count"] == "1"


def test_each_card_leads_to_the_list_of_what_it_counts(as_group: Any) -> None:
    browser = as_group("Operator")
    recipes.awaiting_payout()
    recipes.held_payout()
    recipes.unknown_payout()
    recipes.failed_payout()
    flagged = recipes.processed_payout()
    actions.flag_missing(flagged.pk, by=recipes.person.make(), source="march.csv:2")
    recipes.processed_payout()

    for title, card in cards(browser).items():
        listed = browser.get(card["url"]).context["cl"].result_count
        assert (title, card["count"]) == (title, str(listed))


def test_a_queue_says_whether_its_oldest_has_waited_too_long(as_group: Any) -> None:
    made_ago(recipes.awaiting_payout(), hours=5)
    made_ago(recipes.held_payout(), hours=5)

    found = cards(as_group("Operator"))

    assert found["Awaiting approval"]["age"] == "oldest: 5 h, overdue (target 4 h)"
    assert found["Awaiting approval"]["age_tone"] == "red"
    assert found["On hold"]["age"] == "oldest: 5 h, on time (target 24 h)"
    assert found["Failed"]["age"] == "nothing is waiting"


def test_a_queue_beyond_the_limit_says_so_and_sums_up_its_oldest(
    as_group: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "LIMIT", 2)
    monkeypatch.setattr(depths, "LIMIT", 2)
    for number in range(3):
        made_ago(recipes.held_payout(amount=Decimal(10**number)), hours=number)
    recipes.failed_payout()
    recipes.failed_payout()

    found = cards(as_group("Operator"))

    assert (found["On hold"]["count"], found["On hold"]["sums"]) == ("2+", ["110.00\u00a0RUB"])
    assert found["On hold"]["note"] == "sums of the oldest 2 only"
    assert (found["Failed"]["count"], found["Failed"]["note"]) == ("2", "")


def test_many_currencies_are_cut_and_counted(as_group: Any) -> None:
    for currency in ("RUB", "EUR", "USD", "GBP", "CHF", "SEK"):
        recipes.held_payout(currency=currency)

    sums = cards(as_group("Operator"))["On hold"]["sums"]

    assert len(sums) == depths.CURRENCIES_SHOWN + 1
    assert sums[-1] == "and 2 more currencies"


def test_what_waits_for_people_is_told_by_age_each_payout_once(as_group: Any) -> None:
    made_ago(recipes.awaiting_payout(), minutes=59)
    made_ago(recipes.held_payout(), minutes=61)
    made_ago(recipes.unknown_payout(), hours=5)
    flagged = made_ago(recipes.failed_payout(), days=3)
    by_hand("UPDATE payouts_payout SET attention = 'contradicted' WHERE id = %s", flagged.pk)
    paid = made_ago(recipes.processed_payout(), days=30)
    actions_free = made_ago(recipes.scheduled_payout(), days=2)
    by_hand("UPDATE payouts_payout SET attention = 'missing' WHERE id = %s", paid.pk)

    rows = as_group("Operator").get(START).context["ages"]["rows"]

    said = [(str(row["label"]), row["count"], [part["label"] for part in row["parts"]]) for row in rows]
    assert said == [
        ("under 1 h", "1", ["Awaiting approval"]),
        ("1 to 4 h", "1", ["On hold"]),
        ("4 to 24 h", "1", ["Outcome unknown"]),
        ("over 24 h", "2", ["Failed", "Paid or under way, needs attention"]),
    ]
    assert actions_free.stage == Stage.SCHEDULED


def test_figures_are_counted_once_in_a_while(as_group: Any) -> None:
    browser = as_group("Operator")
    recipes.held_payout()
    first = cards(browser)["On hold"]["count"]
    recipes.held_payout()

    between = {card["title"]: card for card in browser.get(START).context["cards"]}["On hold"]["count"]

    assert (first, between, cards(browser)["On hold"]["count"]) == ("1", "1", "2")


def test_what_waits_for_one_person_is_not_shown_to_another(in_group: Any) -> None:
    first, second = in_group("Approver"), in_group("Approver")
    recipes.awaiting_payout(client=None, maker=first)

    counts = [
        {card["title"]: card for card in as_user(person).get(START).context["cards"]}["Waiting for me"]["count"]
        for person in (first, second)
    ]

    assert counts == ["0", "1"]


def test_the_page_works_while_the_cache_is_down(as_group: Any, settings: Any) -> None:
    recipes.awaiting_payout()
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 0.2},
        }
    }

    assert as_group("Approver").get(START).status_code == 200


def test_the_page_costs_the_same_queries_for_few_and_for_many(as_group: Any, django_assert_num_queries: Any) -> None:
    browser = as_group("Approver")
    recipes.failed_payout()
    recipes.awaiting_payout()
    recipes.processed_payout()
    browser.get(START)
    cache.clear()

    with django_assert_num_queries(61, exact=False) as first:
        browser.get(START)
    for _each in range(5):
        recipes.awaiting_payout(maker=recipes.person.make(), client=None)
        recipes.failed_payout(client=recipes.client.make())
        paid_at(timezone.now() - timedelta(hours=1))
    cache.clear()
    with django_assert_num_queries(len(first)):
        browser.get(START)
