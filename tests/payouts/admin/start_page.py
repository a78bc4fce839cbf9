"""The start page, and a payout that its days count."""

from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.test import Client

from payouts.models import Payout
from tests import recipes
from tests.payouts.observe import by_hand

START = "/admin/"


def paid_at(moment: datetime, **given: Any) -> Payout:
    payout = recipes.processed_payout(**given)
    by_hand("UPDATE payouts_payout SET processed_at = %s WHERE id = %s", moment, payout.pk)
    return payout


def cards(browser: Client) -> dict[str, dict[str, Any]]:
    cache.clear()
    return {card["title"]: card for card in browser.get(START).context["cards"]}
