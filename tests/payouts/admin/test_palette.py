"""Ctrl+K: what it finds, and that nobody else chooses its addresses."""

import pytest
from django.core.cache import cache

from tests.payouts.admin.urls import page
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db


def found(browser, term, **more):
    response = browser.get("/admin/search/", {"s": term, **more})
    assert response.status_code == 200
    return response.content.decode()


def test_pages_are_found_by_a_part_of_their_title_and_payouts_by_their_id(as_group):
    payout = pending_payout()
    browser = as_group("Approver")

    assert 'href="/admin/payouts/approvals/"' in found(browser, "APPROV")
    assert f'href="{page(payout)}"' in found(browser, f"#{payout.pk}")
    assert "Nothing matched" in found(browser, "no such page")
    assert found(browser, " ") == ""


def test_pages_that_a_person_may_not_open_are_not_found(as_group):
    assert "/admin/auth/user/" in found(as_group("Admin"), "people")
    assert "/admin/auth/user/" not in found(as_group("Operator"), "people")


def test_a_page_number_in_the_address_breaks_nothing(as_group):
    """Shown before: 500 for each of them."""
    for number in ("x", "0", "99", "9" * 5_000):
        assert "/admin/payouts/payout/" in found(as_group("Operator"), "payouts", page=number)


def test_nothing_that_was_found_is_kept_in_the_cache(as_group):
    """Shown before: for five minutes, so whoever could write to Redis chose where a result leads."""
    browser = as_group("Operator")
    found(browser, "payouts")

    assert not [key for key in cache.keys("*") if "search" in key]
