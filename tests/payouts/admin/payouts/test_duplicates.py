"""A possible duplicate names the payout that it repeats, on its page and in its dialogs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from payouts import actions
from payouts.admin.payouts.duplicates import review_flags
from payouts.models import ApiClient, Payout
from tests import recipes
from tests.payouts.admin.urls import LIST, dialog, page

pytestmark = pytest.mark.django_db


def submitted(client: ApiClient, amount: str = "5.00") -> Payout:
    return actions.submit(
        user_id=7, amount=Decimal(amount), currency="RUB", recipient={"phone": "+79123456789"}, client=client
    )


def test_the_page_and_the_dialogs_name_the_payout_that_was_repeated(as_group: Any) -> None:
    client = recipes.client.make()
    first = submitted(client)
    submitted(client, "6.00")
    again = submitted(client)
    browser = as_group("Approver")

    texts = [browser.get(address).content.decode() for address in (page(again), dialog(again, "approve"))]

    assert all(f"Possible duplicate of #{first.pk} (under 1 min earlier)" in text for text in texts)
    assert "To review" not in texts[1]


def test_the_list_says_only_that_it_may_be_one(as_group: Any) -> None:
    client = recipes.client.make()
    submitted(client)
    submitted(client)

    text = as_group("Approver").get(LIST).content.decode()

    assert 'title="Possible duplicate"' in text
    assert "Possible duplicate of" not in text


def test_the_newest_one_within_ten_minutes_is_named_and_how_long_before_it_came() -> None:
    client = recipes.client.make()
    old, earlier, again = submitted(client), submitted(client), submitted(client)
    _moved(old, minutes=9)
    _moved(earlier, minutes=2)
    again.refresh_from_db()

    assert review_flags(again) == [f"Possible duplicate of #{earlier.pk} (2 min earlier)"]
    _moved(earlier, minutes=9)
    _moved(old, minutes=9)
    assert review_flags(again) == ["Possible duplicate"]


def _moved(payout: Payout, *, minutes: int) -> None:
    Payout.objects.filter(pk=payout.pk).update(created_at=F("created_at") - timedelta(minutes=minutes))
