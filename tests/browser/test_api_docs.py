"""The page /api/docs/, used as a newcomer does: by its buttons alone."""

from typing import Any

import pytest

from payouts.clients import create_client
from payouts.models import Payout, Scope
from tests.browser.aside import expect
from tests.browser.conftest import Enter

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_filled_in_example_pays_once_however_often_it_is_sent(enter: Enter, settings: Any) -> None:
    create_client("demo", scopes=tuple(Scope.values))
    settings.DEBUG = True
    settings.API_ANONYMOUS_CLIENT = "demo"
    page = enter()
    page.goto("/api/docs/")
    call = page.locator("#operations-payouts-submit_payout")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()

    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table .response .response-col_status")).to_have_text("201")
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table .response .response-col_status")).to_have_text("200")

    payout = Payout.objects.get()
    assert payout.recipient_details == {"card": "0000 1111 2222 3333"}
    assert payout.idempotency_key
