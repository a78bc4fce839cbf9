"""The worker with PayPal's adapter: what it answers becomes the payout's status, and money leaves once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.models import Payout
from payouts.providers.paypal.client import PayPalProvider
from payouts.sandbox.ledger import Magic
from payouts.worker import pump
from tests.payouts.observe import is_clean
from tests.payouts.providers.paypal.objects import ADDRESS
from tests.payouts.providers.paypal.stub import GRANT, Stub
from tests.payouts.sandbox.paypal import PAYOUTS
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db

type Adapter = Callable[..., PayPalProvider]
type Run = Callable[[Payout], Payout]

POST = f"POST {PAYOUTS}"
GET = f"GET {PAYOUTS}/BATCH0?page_size=2"


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 2


@pytest.fixture
def run(stub: Stub, adapter: Adapter) -> Run:
    """One look of the worker at a payout; gives what has become of it."""
    provider = adapter(stub.url)

    def run(payout: Payout) -> Payout:
        make_due(payout)
        pump.run(provider=provider)
        return Payout.objects.get(pk=payout.pk)

    return run


def _by_email() -> Payout:
    return pending_payout(recipient={"email": ADDRESS}, currency="USD")


def _calls(stub: Stub) -> list[str]:
    return [call for call in stub.calls if call != f"POST {GRANT}"]


def test_a_payout_is_accepted_by_one_post_and_processed_when_it_is_looked_up(run: Run, stub: Stub) -> None:
    payout = run(_by_email())
    assert payout.status == "processing"
    assert payout.attempts.get().provider_id == "BATCH0"

    payout = run(payout)

    assert payout.status == "processed"
    assert _calls(stub) == [POST, GET]
    assert is_clean()


def test_a_refused_item_fails_the_payout_with_its_reason(run: Run, stub: Stub) -> None:
    stub.meets = Magic.REJECTED

    payout = run(run(_by_email()))

    assert (payout.status, payout.failure_code) == ("failed", "RECEIVER_ACCOUNT_LOCKED")
    assert payout.failure_message.startswith("The recipient's PayPal account")
    assert _calls(stub) == [POST, GET]


def test_a_payment_whose_answer_was_lost_is_found_by_the_same_key(run: Run, stub: Stub) -> None:
    stub.meets = Magic.RESET_AFTER_PAYING
    payout = run(_by_email())
    assert payout.status == "unknown"

    payout = run(run(payout))

    assert payout.status == "processed"
    assert _calls(stub) == [POST, POST, GET]
    assert stub.made == 1
    assert is_clean()


def test_a_key_that_was_used_without_an_id_is_for_a_person(run: Run, stub: Stub) -> None:
    stub.meets = Magic.RESET_AFTER_PAYING
    stub.links_duplicates = False

    payout = run(run(run(_by_email())))

    assert payout.status == "unknown"
    assert payout.attempts.get().last_code == "idempotency_conflict"
    assert _calls(stub) == [POST, POST, POST]
    assert stub.made == 1


def test_what_was_refused_when_it_was_sent_is_paid_by_a_retry(run: Run, stub: Stub, operator: User) -> None:
    stub.meets = Magic.REFUSED
    payout = run(_by_email())
    assert (payout.status, payout.failure_code) == ("failed", "VALIDATION_ERROR")

    stub.meets = None
    actions.retry(payout.pk, by=operator, reason="The recipient has an account now.")
    payout = run(run(payout))

    assert payout.status == "processed"
    assert _calls(stub) == [POST, POST, GET]
    sent = [
        request.content["sender_batch_header"]["sender_batch_id"]
        for request in stub.requests
        if request.target == PAYOUTS
    ]
    assert len(set(sent)) == 2


def test_what_cannot_be_paid_is_not_sent_and_not_refused(run: Run, stub: Stub) -> None:
    payout = run(pending_payout(recipient={"iban": "DE89370400440532013000"}))

    assert payout.status == "unknown"
    assert stub.requests == []
