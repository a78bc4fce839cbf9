"""Never more than there is: what the account's balance does not cover waits, and goes when money comes."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from payouts import actions
from payouts.actions import funds, waits
from payouts.models import AccountBalance, Attempt, Payout, VelocityLimit, VelocityUse
from payouts.providers import Answer, Balance, Verdict, registry
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, rings
from tests.recipes import LACKS_FUNDS, PENDING, REFUSED, SUCCEEDED, UNKNOWN, answered, make_due, pending_payout

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _main(settings: Any) -> None:
    """Payouts go to an account that tells its balance."""
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}
    settings.PROVIDER_VALUES = {
        "main": {"GATEWAY_ID": "500001", "SECRET": "live_canary_Zk3v9LqW7dR1", "CARD_NUMBERS": "on"}
    }


def _told(amount: int | str, *, currency: str = "RUB") -> None:
    funds.note("main", [Balance(currency, Decimal(amount))], asked_at=timezone.now())


def _of(*amounts: int) -> list[Payout]:
    return [pending_payout(amount=Decimal(amount)) for amount in amounts]


def _taken(limit: int = 10) -> list[int]:
    return [each.payout_id for each in actions.claim(limit=limit)]


def _room() -> Decimal:
    balance = AccountBalance.objects.get(account="main", currency="RUB")
    return balance.amount - balance.committed


def _waiting() -> dict[int, str]:
    return dict(Payout.objects.exclude(waits_for="").values_list("pk", "waits_for"))


def _states() -> list[str]:
    return list(Payout.objects.order_by("pk").values_list("status", flat=True))


def _end(answer: Answer) -> None:
    """Record this answer to everything that is due and may be claimed now."""
    while assignments := actions.claim(limit=100):
        actions.record_outcomes([(each, answer) for each in assignments])


def test_what_the_balance_does_not_cover_waits_and_a_smaller_one_behind_it_goes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _told(100)
    first, large, small = _of(60, 50, 40)

    taken = _taken()

    large.refresh_from_db()
    assert taken == [first.pk, small.pk]
    assert (large.status, large.version, large.waits_for, large.attention) == ("pending", 1, "funds:balance", "")
    assert large.waits_since is not None
    assert large.due_at is not None
    assert timedelta(0) < large.due_at - large.waits_since <= waits.LONGEST_FOR_ROOM
    assert not large.attempts.exists()
    assert _room() == 0
    assert "waits_for_funds" in caplog.text
    assert is_clean()


def test_of_110_percent_approved_no_more_than_100_leave_nothing_fails_and_the_rest_goes_when_money_comes() -> None:
    _told(1000)
    _of(*[100] * 11)

    _end(SUCCEEDED)

    assert sorted(_states()) == ["pending"] + ["processed"] * 10
    _told(0)
    _end(SUCCEEDED)
    assert sorted(_states()) == ["pending"] + ["processed"] * 10
    before = rings()
    _told(100)
    assert rings() > before
    _end(SUCCEEDED)
    assert _states() == ["processed"] * 11
    assert Attempt.objects.count() == 11
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_never_take_more_than_there_is() -> None:
    _told(1000)
    _of(*[90] * 24)
    barrier = threading.Barrier(6)
    taken: list[int] = []

    def claim() -> None:
        barrier.wait()
        for _each in range(4):
            taken.extend(_taken(limit=2))
        connection.close()

    workers = [threading.Thread(target=claim) for _each in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(taken) == len(set(taken)) == 11
    assert _room() == 10
    assert len(_waiting()) == 13


def test_the_oldest_go_first_when_money_comes() -> None:
    _told(0)
    oldest, middle, youngest = _of(60, 60, 60)
    _taken()
    for days, payout in enumerate((youngest, middle, oldest), start=1):
        by_hand(
            "UPDATE payouts_payout SET waits_since = now() - %s * interval '1 day' WHERE id = %s", days, payout.pk
        )

    _told(120)

    assert _taken() == [oldest.pk, middle.pk]
    assert _waiting() == {youngest.pk: "funds:balance"}


def test_a_balance_counts_what_it_may_not_have_taken_off() -> None:
    unknown, accepted, paid, refused = _of(1, 2, 4, 8)
    for payout, answer in ((unknown, UNKNOWN), (accepted, PENDING), (paid, SUCCEEDED), (refused, REFUSED)):
        answered(payout, answer)

    funds.note("main", [Balance("RUB", Decimal(100))], asked_at=timezone.now() - timedelta(minutes=1))
    assert _room() == 100 - 1 - 2 - 4

    _told(100)
    assert _room() == 100 - 1  # what it had accepted, or had paid, is off the balance by now


def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    _told(100)

    funds.note("main", [Balance("RUB", Decimal(900))], asked_at=timezone.now() - timedelta(minutes=5))

    assert _room() == 100


def test_a_balance_that_is_told_no_more_holds_nothing_back() -> None:
    _told(0)
    (payout,) = _of(50)
    assert _taken() == []
    make_due(payout)

    funds.note("main", [], asked_at=timezone.now())

    assert _taken() == [payout.pk]


def test_a_balance_that_is_old_holds_nothing_back() -> None:
    _told(0)
    (payout,) = _of(50)
    by_hand("UPDATE payouts_accountbalance SET at = now() - interval '16 minutes'")

    assert _taken() == [payout.pk]


def test_another_currency_and_an_account_that_tells_none_are_not_held_back(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pays_anything = replace(registry.KINDS["yookassa"], recipients=None, recipients_of=None)
    monkeypatch.setitem(registry.KINDS, "yookassa", pays_anything)
    _told(0)
    foreign = pending_payout(amount=Decimal(5), currency="USD")
    assert _taken() == [foreign.pk]

    settings.PROVIDERS, settings.PROVIDER_URL = {}, "http://127.0.0.1:1/v1"
    AccountBalance.objects.create(account="http", currency="RUB", amount=0, at=timezone.now())
    (payout,) = _of(50)
    assert _taken() == [payout.pk]


def test_what_waits_for_funds_uses_no_velocity_limit_and_the_other_way_round() -> None:
    VelocityLimit.objects.all().delete()
    VelocityLimit.objects.create(scope="all", currency="RUB", window="hour", amount=150)
    _told(200)
    covered, short, over = _of(100, 120, 60)

    assert _taken() == [covered.pk]

    assert _waiting() == {short.pk: "funds:balance", over.pk: "velocity:all:hour"}
    assert VelocityUse.objects.get().amount == 100
    assert _room() == 100


def test_after_a_refusal_for_want_of_funds_no_more_of_that_size_is_tried() -> None:
    _told(1000)
    first, second, small = _of(500, 500, 300)

    payout = answered(first, LACKS_FUNDS)

    assert (payout.status, payout.waits_for) == ("pending", "funds:refused")
    assert _taken() == [small.pk]
    assert _waiting() == {first.pk: "funds:refused", second.pk: "funds:balance"}


def test_a_refused_one_is_tried_again_with_a_new_key_when_the_balance_rises() -> None:
    _told(1000)
    (payout,) = _of(500)
    answered(payout, LACKS_FUNDS)
    _told(1000)
    assert _taken() == []  # it did not suffice before

    _told(1500)
    (again,) = actions.claim(limit=10)

    first, second = payout.attempts.order_by("number")
    assert (again.attempt.reference, again.earlier) == (second.reference, (first,))
    assert (first.outcome, second.outcome) == ("refused", "open")
    actions.record_outcomes([(again, SUCCEEDED)])
    payout.refresh_from_db()
    assert payout.status == "processed"
    assert is_clean()


def test_a_balance_that_rises_with_each_refusal_lets_it_be_tried_later_and_later() -> None:
    """The provider takes the money off, refuses for its fee, and gives it back."""
    (payout,) = _of(500)
    tried = 0
    for _poll in range(20):
        _told(500)
        for assignment in actions.claim(limit=10):
            tried += 1
            _told(0)
            actions.record_outcomes([(assignment, LACKS_FUNDS)])

    payout.refresh_from_db()
    assert (tried, payout.waits_for) == (2, "funds:refused")
    assert payout.due_at is not None
    assert payout.waits_since is not None
    assert timedelta(seconds=59) < payout.due_at - payout.waits_since <= timedelta(minutes=1)


@pytest.mark.parametrize(("number", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (5, 240), (9, 240)])
def test_a_refused_one_is_tried_again_after_a_pause_that_grows(number: int, minutes: int) -> None:
    assert funds.pause(Attempt(number=number)) == timedelta(minutes=minutes)


def test_an_account_that_tells_nothing_tries_again_after_the_pause() -> None:
    (payout,) = _of(500)
    answered(payout, LACKS_FUNDS)
    assert _taken() == []
    make_due(payout)

    assert _taken() == [payout.pk]


def test_what_waits_for_funds_can_be_cancelled_held_and_released(operator: User) -> None:
    cancelled, held = (recipes.without_funds_payout() for _each in range(2))

    actions.cancel(cancelled.pk, by=operator, reason="Paid in another way.")
    actions.hold(held.pk, by=operator, reason="Wait for the contract.")
    held = Payout.objects.get(pk=held.pk)
    assert (held.due_at, held.waits_for) == (None, "")
    actions.release(held.pk, by=operator, reason="It is here.")

    assert _taken() == [held.pk]
    cancelled.refresh_from_db()
    assert cancelled.status == "cancelled"
    assert is_clean()


def test_news_that_a_payment_refused_for_want_of_funds_was_made_stops_it_and_calls_people() -> None:
    payout = recipes.without_funds_payout()
    first = payout.attempts.get()

    actions.hear(message_id="m-1", reference=first.reference, reported=Verdict.SUCCEEDED, provider=first.provider)

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.due_at) == ("pending", "contradicted", None)
    assert last_event(payout)[0] == "flagged"


def test_the_overview_tells_balance_under_way_due_and_waiting() -> None:
    _told(100)
    _of(60, 50, 40)
    _taken()

    (found,) = funds.overview()

    assert (found.balance.amount, found.under_way, found.due) == (100, 100, 50)
    assert found.waiting is not None
    assert (found.waiting.count, found.waiting.amount) == (1, 50)
