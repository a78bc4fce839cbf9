"""Unsigned news of payments that we do not know: the provider is asked before people are told."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from payouts import actions, tasks
from payouts.actions import pauses, unsigned_news
from payouts.models import UnknownPayment, UnsignedNews, WrongAccount
from payouts.providers import Verdict, registry
from tests import recipes
from tests.payouts.observe import queued
from tests.payouts.providers.programs import soon
from tests.payouts.providers.yookassa.objects import GATEWAY_ID, SECRET, by_sbp, payout
from tests.payouts.providers.yookassa.stub import Stub, running
from tests.recipes import pending_payout

pytestmark = pytest.mark.django_db

REFERENCE = UUID("0b8f3c52-6f0e-4d2a-8a51-7a0de1c2a9f3")


@pytest.fixture
def stub(settings: Any) -> Any:
    settings.PROVIDER_URL, settings.PROVIDERS = "", {"main": "yookassa"}
    with running() as stub:
        settings.PROVIDER_VALUES = {"main": {"GATEWAY_ID": GATEWAY_ID, "SECRET": SECRET, "API_URL": stub.url}}
        yield stub


def _made(reference: UUID = REFERENCE, amount: str = "100.50") -> str:
    """A payout that the gateway has and we do not; its id."""
    answer = registry.get_provider("main").pay(by_sbp(amount, reference=reference), deadline=soon())
    return answer.provider_id


def _hear(provider_id: str, reported: Verdict = Verdict.SUCCEEDED, reference: UUID = REFERENCE) -> None:
    actions.hear(
        provider="main",
        message_id=uuid4().hex,
        reference=reference,
        reported=reported,
        amount=Decimal("7.00"),
        currency="RUB",
        provider_id=provider_id,
    )


def _an_hour_later() -> None:
    UnsignedNews.objects.update(ask_at=timezone.now() - timedelta(hours=1))


def test_people_are_told_what_the_provider_says_and_not_what_the_webhook_said(stub: Stub) -> None:
    provider_id = _made(reference := uuid4())
    _hear(provider_id)

    tasks.ask_about_news()

    told = UnknownPayment.objects.get()
    assert (told.provider, told.reference, told.provider_id) == ("main", reference, provider_id)
    assert (told.amount, told.currency, told.reported) == (Decimal("100.50"), "RUB", "succeeded")
    assert not UnsignedNews.objects.exists()


def test_a_payment_that_is_made_up_alarms_nobody(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    _hear(f"po-{uuid4()}")

    tasks.ask_about_news()

    assert (UnknownPayment.objects.count(), UnsignedNews.objects.count()) == (0, 0)
    assert "unsigned_news_untrue" in caplog.text


def test_a_payment_of_ours_under_another_reference_than_was_said_alarms_nobody(stub: Stub) -> None:
    payout = pending_payout(recipient={"phone": "+7 900 000-00-00", "bank_id": "100000000111"})
    (assignment,) = actions.claim(limit=1)
    assert assignment.payout_id == payout.pk
    _hear(_made(assignment.attempt.reference))

    tasks.ask_about_news()

    assert (UnknownPayment.objects.count(), UnsignedNews.objects.count()) == (0, 0)


def test_it_is_asked_again_while_nobody_answers_and_told_in_the_end(stub: Stub) -> None:
    _hear("po-27ced252-0025-5000-9000-0a682a8bab8f")
    stub.lists["/v3/payouts/po-27ced252-0025-5000-9000-0a682a8bab8f"] = {}

    tasks.ask_about_news()
    tasks.ask_about_news()
    assert (len(stub.requests), UnsignedNews.objects.get().asked, UnknownPayment.objects.count()) == (1, 1, 0)

    UnsignedNews.objects.update(heard_at=timezone.now() - timedelta(days=4))
    _an_hour_later()
    tasks.ask_about_news()

    told = UnknownPayment.objects.get()
    assert (told.reference, told.amount) == (REFERENCE, Decimal("7.00"))
    assert not UnsignedNews.objects.exists()


def test_what_was_refused_is_not_asked_about(stub: Stub) -> None:
    _hear(f"po-{uuid4()}", Verdict.REFUSED)

    assert not UnsignedNews.objects.exists()


def test_one_payment_is_kept_once_and_rings_once(stub: Stub) -> None:
    before = len(queued(unsigned_news.TASK))

    for _time in range(3):
        _hear("po-27ced252-0025-5000-9000-0a682a8bab8f")

    assert (UnsignedNews.objects.count(), len(queued(unsigned_news.TASK)) - before) == (1, 1)


def test_no_more_is_kept_than_can_be_asked(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsigned_news, "KEPT", 2)

    for _time in range(3):
        _hear(f"po-{uuid4()}")

    assert UnsignedNews.objects.count() == 2


def test_a_paused_account_is_not_called(stub: Stub) -> None:
    _hear(f"po-{uuid4()}")
    pauses.pause("main", by=recipes.person.make(), reason="Wrong accounts.")

    tasks.ask_about_news()

    assert stub.requests == []
    assert UnsignedNews.objects.count() == 1


def test_the_sweep_rings_for_what_was_not_asked(stub: Stub) -> None:
    _hear(f"po-{uuid4()}")
    before = len(queued(unsigned_news.TASK))

    tasks.sweep()

    assert len(queued(unsigned_news.TASK)) == before + 1


def test_money_of_the_other_kind_is_an_alarm_of_the_account(stub: Stub) -> None:
    provider_id = _made()
    stub.lists[f"/v3/payouts/{provider_id}"] = payout(by_sbp(), id=provider_id, test=True)
    _hear(provider_id)

    tasks.ask_about_news()

    assert WrongAccount.objects.get().account == "main"
    assert UnsignedNews.objects.count() == 1
