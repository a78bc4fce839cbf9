"""An account of the environment that is PayPal's: what pays, what is heard, and what the pages say."""

from typing import Any

import pytest
from django.test import Client

from payouts.models import Payout
from payouts.providers.paypal import KIND
from payouts.providers.paypal.client import PayPalProvider
from payouts.providers.registry import get_provider, key_life
from tests.payouts.observe import nothing_changes
from tests.payouts.providers.paypal.objects import ADDRESS, ID, body, by_email, event
from tests.payouts.providers.paypal.stub import Stub
from tests.payouts.providers.paypal.test_webhook import HEADERS
from tests.payouts.sandbox.paypal import CLIENT_ID, SECRET, WEBHOOK_ID
from tests.recipes import accepted_payout, unknown_payout

pytestmark = pytest.mark.django_db

BY_EMAIL: Any = {"recipient": {"email": ADDRESS}, "currency": "USD"}


@pytest.fixture(autouse=True)
def _main(settings: Any, stub: Stub) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "paypal"}
    values = {"CLIENT_ID": CLIENT_ID, "SECRET": SECRET, "API_URL": stub.url, "WEBHOOK_ID": WEBHOOK_ID}
    settings.PROVIDER_VALUES = {"main": values}


def _told(content: bytes) -> int:
    client = Client(headers=HEADERS)
    return client.post("/api/webhooks/main/", content, content_type="application/json").status_code


def _news(made: Payout) -> bytes:
    attempt = made.attempts.get()
    return body(event(by_email(reference=attempt.reference, payout=made.reference), "SUCCEEDED", "SUCCESS"))


def _is_due(made: Payout) -> bool:
    return Payout.objects.due().filter(pk=made.pk).exists()


def test_the_account_pays_with_it() -> None:
    assert isinstance(get_provider("main"), PayPalProvider)
    assert key_life("main") == KIND.key_life


def test_its_webhook_lets_it_be_asked_and_is_answered_with_what_it_waits_for() -> None:
    made = accepted_payout(**BY_EMAIL)

    assert _told(_news(made)) == 200

    assert _is_due(made)


def test_its_webhook_tells_the_id_that_no_answer_told() -> None:
    made, known = unknown_payout(**BY_EMAIL), accepted_payout(**BY_EMAIL)
    before = known.attempts.get().provider_id

    for payout in (made, known):
        assert _told(_news(payout)) == 200

    assert made.attempts.get().provider_id == ID
    assert known.attempts.get().provider_id == before != ""


def test_a_webhook_that_it_did_not_send_changes_nothing(stub: Stub) -> None:
    stub.verification = "FAILURE"
    made = accepted_payout(**BY_EMAIL)
    content = _news(made)

    with nothing_changes(made):
        assert _told(content) == 401


def test_what_is_no_event_is_400() -> None:
    assert _told(b"{}") == 400
