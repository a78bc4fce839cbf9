"""What was paid by day, on the start page."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payouts import daily_totals
from payouts.admin.kit import format
from payouts.models import DailyTotal
from tests import recipes
from tests.payouts.admin.start_page import START, cards, paid_at

pytestmark = pytest.mark.django_db


def days_ago(days: int) -> datetime:
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0) - timedelta(days=days)


def test_today_is_counted_live_and_yesterday_from_its_total(as_group: Any) -> None:
    recipes.processed_payout()
    recipes.returned_payout(currency="EUR")
    DailyTotal.objects.create(on=days_ago(1).date(), currency="RUB", paid_count=1234, paid_amount=Decimal(5))

    card = cards(as_group("Operator"))["Paid today"]

    assert (card["count"], card["sums"]) == ("2", ["100.50\u00a0EUR", "100.50\u00a0RUB"])
    assert card["age"] == "since midnight UTC; yesterday: 1,234"


def test_yesterday_is_there_before_it_is_counted_and_is_not_counted_twice(as_group: Any) -> None:
    paid_at(days_ago(1) + timedelta(hours=1))
    browser = as_group("Operator")
    before = cards(browser)["Paid today"]["age"]

    daily_totals.count_days()

    assert before == cards(browser)["Paid today"]["age"] == "since midnight UTC; yesterday: 1"


def test_the_bars_and_the_table_tell_the_same(as_group: Any) -> None:
    DailyTotal.objects.create(on=days_ago(3).date(), currency="RUB", paid_count=7, paid_amount=Decimal("1500000"))
    DailyTotal.objects.create(on=days_ago(3).date(), currency="JPY", paid_count=1, paid_amount=Decimal("900"))
    DailyTotal.objects.create(on=days_ago(29).date(), currency="RUB", paid_count=3, paid_amount=Decimal("750000"))
    DailyTotal.objects.create(on=days_ago(30).date(), currency="RUB", paid_count=9, paid_amount=Decimal("9"))
    browser = as_group("Operator")

    by_number = browser.get(START).context["volume"]
    in_roubles = browser.get(START, {"volume": "RUB"}).context["volume"]

    assert [choice["label"] for choice in by_number["choices"]] == ["By number", "RUB", "JPY"]
    assert len(by_number["bars"]) == len(by_number["rows"]) == 30
    assert by_number["bars"][-4]["said"].endswith(": 8")
    assert in_roubles["bars"][-4]["said"].endswith(": 1,500,000.00\u00a0RUB")
    assert [tick["label"] for tick in in_roubles["ticks"]] == [
        "0",
        "500\u00a0K",
        "1\u00a0M",
        "1.5\u00a0M",
        "2\u00a0M",
    ]
    assert (in_roubles["bars"][-4]["height"], in_roubles["bars"][0]["height"]) == ("75.00", "37.50")
    assert in_roubles["rows"][3]["amounts"] == ["1,500,000.00\u00a0RUB", "900\u00a0JPY"]
    assert "the most on" in in_roubles["summary"]
    assert in_roubles["summary"].endswith("1,500,000.00\u00a0RUB.")


@pytest.mark.parametrize("chosen", ["XYZ", "rub", "'; DROP", "\x00", "count"])
def test_a_choice_that_there_is_not_shows_the_numbers(chosen: str, as_group: Any) -> None:
    for currency in ("RUB", "EUR"):
        DailyTotal.objects.create(on=days_ago(3).date(), currency=currency, paid_count=7, paid_amount=Decimal(1))

    answer = as_group("Operator").get(START, {"volume": chosen})

    assert answer.context["volume"]["label"] == "Payouts paid per day"


def test_days_that_are_not_counted_yet_are_not_shown_as_empty(as_group: Any) -> None:
    paid_at(days_ago(9))

    volume = as_group("Operator").get(START).context["volume"]

    assert volume["uncounted_from"] == format.day(days_ago(9).date())


def test_the_chart_has_words_for_who_cannot_see_it(as_group: Any) -> None:
    DailyTotal.objects.create(on=days_ago(3).date(), currency="RUB", paid_count=7, paid_amount=Decimal(1))

    text = as_group("Operator").get(START).content.decode()

    assert re.search(r'role="img" aria-label="Paid per day in RUB, from [^"]+; the most on [^"]+', text)
    assert "The same as a table" in text


def test_numbers_are_written_as_the_language_does(in_group: Any) -> None:
    DailyTotal.objects.create(on=days_ago(1).date(), currency="RUB", paid_count=1234, paid_amount=Decimal("1234.5"))
    browser = Client(headers={"accept-language": "ru"})
    browser.force_login(in_group("Operator"), backend="payouts.staff.authority.SealedBackend")

    volume = browser.get(START).context["volume"]

    assert volume["rows"][1]["count"] == "1\u00a0234"
    assert volume["rows"][1]["amounts"] == ["1\u00a0234,50\u00a0RUB"]
    assert all("," not in bar["height"] for bar in volume["bars"])
