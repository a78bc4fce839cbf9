"""The worker with YooKassa's adapter: what it answers becomes the payout's status, and money leaves once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.models import Payout
from payouts.providers.yookassa.client import YooKassaProvider
from payouts.sandbox.ledger import Magic
from payouts.worker import pump
from tests.payouts.observe import by_hand, is_clean, unguarded
from tests.payouts.providers.yookassa.objects import SBP
from tests.payouts.providers.yookassa.stub import Stub
from tests.recipes import make_due, pending_payout

pytestmark = pytest.mark.django_db

type Adapter = Callable[..., YooKassaProvider]


@pytest.fixture(autouse=True)
def _few_threads(settings: Any) -> None:
    settings.PROVIDER_CONCURRENCY = 2


@pytest.fixture
def run(stub: Stub, adapter: Adapter) -> Callable[[Payout], Payout]:
    """One look of the worker at a payout; gives what has become of it."""
    provider = adapter(stub.url)

    def run(payout: Payout) -> Payout:
        make_due(payout)
        pump.run(provider=provider)
        return Payout.objects.get(pk=payout.pk)

    return run


def _by_sbp(magic: Magic | None = None) -> Payout:
    amount = {"amount": magic.value} if magic else {}
    return pending_payout(recipient=SBP, **amount)


def _a_minute_later() -> None:
    with unguarded("payouts_attempt"):
        by_hand("UPDATE payouts_attempt SET created_at = created_at - interval '1 minute'")


def _methods(stub: Stub) -> list[str]:
    return [request.method for request in stub.requests]


def test_a_payout_is_paid_by_one_post(run: Callable[[Payout], Payout], stub: Stub) -> None:
    payout = run(_by_sbp())

    assert payout.status == "processed"
    assert payout.attempts.get().provider_id.startswith("po-")
    assert _methods(stub) == ["POST"]
    assert is_clean()


def test_a_canceled_payout_fails_with_its_reason_and_a_retry_asks_about_it_first(
    run: Callable[[Payout], Payout], stub: Stub, operator: User
) -> None:
    payout = run(_by_sbp(Magic.REJECTED))
    assert (payout.status, payout.failure_code) == ("failed", "recipient_not_found")
    assert payout.failure_message.startswith("No account at the bank")
    first = payout.attempts.get()

    actions.retry(payout.pk, by=operator, reason="Asked the recipient.")
    run(payout)

    assert _methods(stub) == ["POST", "GET", "POST"]
    assert stub.requests[1].target == f"/v3/payouts/{first.provider_id}"
    assert len({request.headers["idempotence-key"] for request in stub.requests if request.method == "POST"}) == 2


def test_a_payment_whose_answer_was_lost_is_found_and_not_sent_again(
    run: Callable[[Payout], Payout], stub: Stub
) -> None:
    payout = run(_by_sbp(Magic.RESET_AFTER_PAYING))
    assert payout.status == "unknown"

    payout = run(payout)

    assert payout.status == "processed"
    assert _methods(stub) == ["POST", "GET"]


def test_a_search_that_runs_behind_neither_sends_nor_settles_anything(
    run: Callable[[Payout], Payout], stub: Stub
) -> None:
    stub.hides = True
    payout = run(run(_by_sbp(Magic.RESET_AFTER_PAYING)))
    assert payout.status == "unknown"

    stub.hides = False
    payout = run(payout)

    assert payout.status == "processed"
    assert _methods(stub) == ["POST", "GET", "GET"]


def test_what_was_not_paid_is_sent_again_under_the_same_key_after_a_minute(
    run: Callable[[Payout], Payout], stub: Stub
) -> None:
    payout = run(run(_by_sbp(Magic.ERROR_BEFORE_PAYING)))
    assert (payout.status, _methods(stub)) == ("unknown", ["POST", "GET"])
    _a_minute_later()

    payout = run(payout)

    assert payout.status == "processed"
    assert _methods(stub) == ["POST", "GET", "GET", "POST"]
    first, second = (request for request in stub.requests if request.method == "POST")
    assert (first.body, first.headers["idempotence-key"]) == (second.body, second.headers["idempotence-key"])


def test_what_cannot_be_paid_is_not_sent_and_not_refused(run: Callable[[Payout], Payout], stub: Stub) -> None:
    payout = run(pending_payout(recipient={"iban": "DE89370400440532013000"}))

    assert payout.status == "unknown"
    assert stub.requests == []


def test_what_the_balance_does_not_cover_waits_and_its_next_attempt_has_another_key(
    run: Callable[[Payout], Payout], stub: Stub
) -> None:
    stub.lacks_funds = True
    payout = run(_by_sbp())
    assert (payout.status, payout.waits_for, payout.failure_code) == ("pending", "funds:refused", "")

    stub.lacks_funds = False
    payout = run(payout)

    assert payout.status == "processed"
    assert _methods(stub) == ["POST", "GET", "POST"]
    assert len({request.headers["idempotence-key"] for request in stub.requests if request.method == "POST"}) == 2
    assert is_clean()
