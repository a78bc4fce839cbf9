"""The page of an archived payout says what happened, as it did before, and since when it is archived."""

from collections.abc import Callable
from typing import Any

import pytest

from payouts.models import Archived, Payout
from tests.payouts.admin.text import plain
from tests.payouts.admin.urls import page
from tests.payouts.archiving import archived
from tests.payouts.observe import by_hand, unguarded
from tests.recipes import processed_payout, resolved_payout

pytestmark = pytest.mark.django_db


def test_the_page_of_an_archived_payout_has_its_history(as_group: Any) -> None:
    payout, resolved = processed_payout(), resolved_payout()
    browser = as_group("Approver")
    before = [_timeline(browser, each) for each in (payout, resolved)]
    assert "History archived" not in browser.get(page(payout)).content.decode()

    archived()

    assert [_timeline(browser, each) for each in (payout, resolved)] == before
    assert "History archived" in browser.get(page(payout)).content.decode()
    assert Archived.objects.filter(back_at=None).count() == 2


@pytest.mark.parametrize("recipe", [processed_payout, resolved_payout])
def test_the_page_says_that_an_archived_history_was_changed(recipe: Callable[[], Payout], as_group: Any) -> None:
    payout = recipe()
    archived()
    with unguarded("payouts_archived"):
        by_hand("UPDATE payouts_archived SET mac = sha256('other')")

    text = as_group("Approver").get(page(payout)).content.decode()

    assert "The archived history was changed outside the product: run the audit." in plain(text)


def _timeline(browser: Any, payout: Any) -> tuple[str, list[Any]]:
    answer = browser.get(page(payout))
    entries = answer.content.decode().partition('<ol class="po-timeline">')[2].partition("</ol>")[0]
    assert entries
    return plain(entries), answer.context["exchanges"]
