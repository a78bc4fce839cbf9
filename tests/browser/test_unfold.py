"""Unfold's own pieces, whose expressions Alpine's build without unsafe-eval has to read."""

import pytest
from django.contrib import admin

from payouts.models import Payout
from tests import recipes
from tests.browser import visit
from tests.browser.aside import expect
from tests.browser.conftest import Enter
from tests.payouts.admin.urls import LIST

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_list_goes_to_its_next_page(enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(Payout), "list_per_page", 1)
    for _ in range(2):
        recipes.pending_payout()
    page = enter(recipes.superuser.make())

    page.goto(LIST)
    page.locator("a[href='?p=2']").click()

    page.wait_for_url(f"**{LIST}?p=2")
    expect(page.locator("a[href='?p=1']")).to_be_visible()


def test_the_sessions_are_no_wider_than_a_phone(enter: Enter) -> None:
    person = recipes.superuser.make()
    enter(person).goto("/admin/")
    page = enter(person, language="ru", size=visit.PHONE)

    page.goto("/admin/sessions/")

    expect(page.get_by_role("row")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == visit.PHONE["width"]
