"""An account whose provider takes it for something else than the settings do is an alarm, whoever was answered so."""

from typing import Any

import pytest

from payouts import tasks
from payouts.actions import wrong_accounts
from payouts.models import WrongAccount
from payouts.providers import TEST_MISMATCH, Answer, Verdict
from payouts.providers.yookassa.reasons import SAYS_TEST
from payouts.worker import pump
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SBP, SECRET
from tests.payouts.providers.yookassa.stub import Stub, running
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db

WRONG = Answer(Verdict.UNKNOWN, code=TEST_MISMATCH, message=SAYS_TEST)


@pytest.fixture
def stub(settings: Any) -> Any:
    """A test gateway, for an account that is live."""
    settings.PROVIDER_URL, settings.PROVIDERS, settings.PROVIDER_CONCURRENCY = "", {"main": "yookassa"}, 2
    with running() as stub:
        stub.is_test, stub.balance = True, "1000.00"
        settings.PROVIDER_VALUES = {"main": {"GATEWAY_ID": GATEWAY_ID, "SECRET": SECRET, "API_URL": stub.url}}
        yield stub


def test_a_balance_of_the_other_kind_of_money_is_one(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    tasks.ask_for_balances()

    found = WrongAccount.objects.get()
    assert (found.account, found.code, found.message) == ("main", TEST_MISMATCH, SAYS_TEST)
    assert "wrong_account" in caplog.text


def test_a_payout_of_the_other_kind_of_money_is_one(stub: Stub) -> None:
    payout = pending_payout(recipient=SBP)

    pump.run()

    payout.refresh_from_db()
    assert (payout.status, WrongAccount.objects.get().account) == ("unknown", "main")


def test_the_account_that_said_it_is_named() -> None:
    wrong_accounts.note([("main", Answer(Verdict.UNKNOWN, code=TEST_MISMATCH, message=SAYS_TEST))])
    wrong_accounts.note([("main", WRONG), ("eu", Answer(Verdict.SUCCEEDED)), ("us", Answer(Verdict.UNKNOWN))])

    assert [each.account for each in wrong_accounts.seen()] == ["main"]
