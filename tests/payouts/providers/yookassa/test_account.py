"""An account of the environment that is YooKassa's: what pays, what is heard, and what the pages say."""

from typing import Any

import pytest
from django.test import Client

from payouts.models import Payout
from payouts.providers.registry import get_provider, key_life
from payouts.providers.yookassa import KIND
from payouts.providers.yookassa.client import YooKassaProvider
from tests.payouts.observe import nothing_changes
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET, by_sbp, notification, payout
from tests.recipes import accepted_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _main(settings: Any) -> None:
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    values = {"GATEWAY_ID": GATEWAY_ID, "SECRET": SECRET, "WEBHOOK_NETWORKS": "127.0.0.1", "CARD_NUMBERS": "on"}
    settings.PROVIDER_VALUES = {"main": values}


def _told(body: bytes) -> int:
    return Client().post("/api/webhooks/main/", body, content_type="application/json").status_code


def _news(made: Payout) -> bytes:
    attempt = made.attempts.get()
    return notification("payout.succeeded", payout(by_sbp(reference=attempt.reference, payout=made.reference)))


def _is_due(made: Payout) -> bool:
    return Payout.objects.due().filter(pk=made.pk).exists()


def test_the_account_pays_with_it() -> None:
    assert isinstance(get_provider("main"), YooKassaProvider)
    assert key_life("main") == KIND.key_life


def test_its_webhook_lets_it_be_asked_and_is_answered_with_what_it_waits_for() -> None:
    made = accepted_payout()

    assert _told(_news(made)) == 200

    assert _is_due(made)


def test_a_webhook_about_something_else_is_answered_so_too() -> None:
    assert _told(b'{"type": "notification", "event": "payment.succeeded", "object": {}}') == 200


def test_a_webhook_from_elsewhere_changes_nothing(settings: Any) -> None:
    settings.PROVIDER_VALUES["main"].pop("WEBHOOK_NETWORKS")
    made = accepted_payout()
    body = _news(made)

    with nothing_changes(made):
        assert _told(body) == 401


def test_what_is_no_notification_is_400() -> None:
    assert _told(b"{}") == 400
