"""What accounts have to pay from, on the operations page, and what waits for funds, at the top of the start page."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from payouts import actions
from payouts.models import AccountBalance, Heartbeat
from payouts.providers import Answer, Verdict
from tests import recipes
from tests.payouts.admin.operations.acts import OPERATIONS
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import page
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _main(settings: Any) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    settings.PROVIDER_VALUES = {
        "main": {"GATEWAY_ID": "500001", "SECRET": "live_canary_Zk3v9LqW7dR1", "CARD_NUMBERS": "on"}
    }
    Heartbeat.objects.create(cluster="one")


def _told(amount: int, **given: Any) -> None:
    AccountBalance.objects.create(
        **{"account": "main", "currency": "RUB", "amount": amount, "at": timezone.now()} | given
    )


def test_the_balance_is_shown_with_what_is_under_way_due_and_waiting(as_group: Any) -> None:
    _told(100)
    for amount in (60, 50):
        pending_payout(amount=Decimal(amount))
    actions.claim(limit=10)

    answer = as_group("Operator").get(OPERATIONS)

    (row,) = answer.context["balances"]
    assert (row["amount"], row["under_way"], row["due"]) == ("100.00\u00a0RUB", "60.00\u00a0RUB", "50.00\u00a0RUB")
    assert (row["waiting"], row["is_short"], row["is_old"]) == ("1", True, False)
    assert "Waiting for funds" in answer.content.decode()


def test_the_start_page_shows_the_balances_too(as_group: Any) -> None:
    _told(100)
    pending_payout(amount=Decimal(60))
    cache.clear()

    answer = as_group("Approver").get("/admin/")

    (row,) = answer.context["balances"]
    assert (row["amount"], row["due"]) == ("100.00\u00a0RUB", "60.00\u00a0RUB")
    assert "po-balances" in answer.content.decode()


def test_accounts_that_tell_no_balance_have_no_such_table(as_group: Any, settings: Any) -> None:
    settings.PROVIDERS, settings.PROVIDER_URL = {}, "http://127.0.0.1:1/v1"
    _told(100)

    assert "po-balances" not in as_group("Operator").get(OPERATIONS).content.decode()


def test_what_waits_for_funds_is_an_alarm_on_the_start_page_and_a_filter_shows_it(as_group: Any) -> None:
    _told(40)
    payout, beside = pending_payout(amount=Decimal(50)), pending_payout(amount=Decimal(30))
    actions.claim(limit=10)
    browser = as_group("Operator")

    text = plain(browser.get("/admin/").content.decode())

    assert "1 payout waits for funds in the account main: 50.00 RUB. Its balance was 40.00 RUB at" in text
    listed = browser.get("/admin/payouts/payout/?waits=funds").content.decode()
    assert (page(payout) in listed, page(beside) in listed) == (True, False)


def test_a_balance_that_is_not_told_any_more_is_named(as_group: Any) -> None:
    _told(40, at=timezone.now() - timedelta(hours=1))

    text = plain(as_group("Operator").get("/admin/").content.decode())

    assert "The balance of the account main (RUB) was last told at" in text


def test_the_page_of_a_payout_says_what_it_waits_for_and_what_to_do(as_group: Any) -> None:
    browser = as_group("Operator")
    refused = plain(browser.get(page(recipes.without_funds_payout())).content.decode())
    _told(10)
    short = pending_payout()
    actions.claim(limit=10)

    held_back = plain(browser.get(page(short)).content.decode())

    assert "the provider refused it, because the account main has too little money" in refused
    assert "the balance of the account main, less what is under way, does not cover it" in held_back
    assert "Top the account up at the provider" in held_back


def test_the_fee_of_an_attempt_is_shown(as_group: Any) -> None:
    paid = recipes.answered(pending_payout(), Answer(Verdict.SUCCEEDED, fee=Decimal("12.3")))

    text = plain(as_group("Operator").get(page(paid)).content.decode())

    assert text.count("fee 12.30 RUB") == 2  # in the attempt, and among the payout's facts
