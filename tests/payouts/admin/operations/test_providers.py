"""What the operations page says of each provider."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payouts import actions
from payouts.models import Breaker
from tests import recipes
from tests.payouts.admin.operations.acts import provider
from tests.payouts.admin.text import plain

pytestmark = pytest.mark.django_db


def test_rates_are_of_the_attempts_that_ended(as_group: Any) -> None:
    for _each in range(2):
        recipes.processed_payout()
    recipes.failed_payout()
    recipes.unknown_payout()

    row = provider(as_group("Operator"))

    assert (row["hour"].share, row["hour"].of) == ("66.6%", "of 3")
    assert (row["hour"].succeeded, row["day"].ended) == (2, 3)
    assert row["hour"].median.endswith("s")


def test_a_rate_of_nothing_is_no_number(as_group: Any) -> None:
    row = provider(as_group("Operator"))

    assert (row["hour"].share, row["hour"].of, row["hour"].median) == ("–", "no attempt ended", "–")


@pytest.mark.parametrize(
    ("state", "badge", "words"),
    [
        ({}, "Answering", "Calls go through."),
        ({"failures": 3}, "Some failures", "3 failures in a row; calls continue."),
        ({"failures": 12, "open_until": 60}, "Not answering", "12 failures in a row; no calls before"),
        ({"failures": 12, "open_until": -1}, "Not answering", "the next due payout tries it again."),
        ({"failures": 12, "open_until": 60, "probing_since": 0}, "Not answering", "one payout is testing it now."),
    ],
)
def test_the_breaker_is_told_in_words(state: dict[str, int], badge: str, words: str, as_group: Any) -> None:
    times = {name: timezone.now() + timedelta(seconds=value) for name, value in state.items() if name != "failures"}
    Breaker.objects.create(provider="http", failures=state.get("failures", 0), **times)

    row = provider(as_group("Operator"))

    assert badge in row["badge"]
    assert words in row["said"]


def test_an_account_that_the_settings_no_longer_name_says_so(as_group: Any, settings: Any) -> None:
    settings.PROVIDERS, settings.PROVIDER_URL = {"main": "http"}, ""
    recipes.pending_payout()
    settings.PROVIDERS = {"other": "http"}
    assert actions.claim(limit=1) == []

    client = as_group("Operator")
    row = provider(client, "main")
    text = plain(client.get("/admin/").content.decode())

    assert "Not in the settings" in row["badge"]
    assert row["said"] == "The settings do not name this account: what is due for it waits."
    assert "The settings do not name the account main, and payouts are due for it: 1. They wait." in text
    assert "Name it in PROVIDERS again, with its settings." in text
