"""What staff are told of a new payout, what asks for one approval more, and approvals that are taken back in time."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db.models import F, Sum
from django.utils import timezone

from payouts import actions, vault
from payouts.actions import FourEyesError, InvalidError, NotAllowedError, submitted
from payouts.clients import create_key
from payouts.models import ApiClient, Approval, Event, Payout, PayoutLimit, ReviewFlag, SubmittedSum
from payouts.states import Stage
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, nothing_changes, rings
from tests.payouts.test_recipients import SPELLINGS
from tests.recipes import (
    REFUSED,
    TWO_APPROVALS,
    answered,
    approved_payout,
    awaiting_payout,
    cancelled_payout,
    failed_payout,
    pending_payout,
    processed_payout,
    processing_payout,
    returned_payout,
    unknown_payout,
)

pytestmark = pytest.mark.django_db

LIMIT = Decimal("1000.00")


def facts(payout: Payout) -> dict[str, Any]:
    return dict(Event.objects.get(payout=payout, seq=1).facts)


def came_in(payout: Payout, *, minutes_ago: float) -> None:
    """Let it be older than it is; the seal does not matter to who comes later."""
    by_hand(
        "UPDATE payouts_payout SET created_at = now() - %s * interval '1 minute' WHERE id = %s",
        minutes_ago,
        payout.pk,
    )


# Possible duplicates


def test_the_same_content_without_a_key_asks_for_an_approval(client: ApiClient) -> None:
    first, second = pending_payout(client=client), pending_payout(client=client)

    assert (first.review_flags, first.approvals_required) == ([], 0)
    assert (second.review_flags, second.approvals_required) == (["possible_duplicate"], 1)
    assert second.stage == Stage.AWAITING_APPROVAL
    assert facts(second) == {
        "approvals_required": 1,
        "review_flags": ["possible_duplicate"],
        "asked_by": ["possible_duplicate"],
    }
    assert rings() == 1
    assert is_clean()


@pytest.mark.parametrize(
    "other",
    [
        {"user_id": 124},
        {"amount": Decimal("100.51")},
        {"currency": "USD"},
        {"recipient": {"card": "4012 8888 8888 1881", "name": "Иван Петров"}},
        {"idempotency_key": "order-8"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_or_has_a_key_is_no_duplicate(other: dict[str, Any], client: ApiClient) -> None:
    pending_payout(client=client)

    payout = pending_payout(client=client, **other)

    assert payout.review_flags == []


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_of_the_card_is_a_duplicate_and_uses_the_recipients_limit(
    spelling: dict[str, Any], client: ApiClient
) -> None:
    PayoutLimit.objects.create(currency="RUB", recipient_amount=Decimal("200.00"))
    pending_payout(client=client)

    payout = pending_payout(client=client, recipient=spelling)

    assert {"possible_duplicate", "above_recipient_limit"} <= set(payout.review_flags)
    assert payout.recipient_details == vault.normal(spelling)


def test_the_same_content_of_another_client_is_no_duplicate(client: ApiClient, stranger: ApiClient) -> None:
    pending_payout(client=client)

    assert pending_payout(client=stranger).review_flags == []


def test_a_duplicate_comes_within_ten_minutes(client: ApiClient) -> None:
    first = pending_payout(client=client)
    came_in(first, minutes_ago=10.1)
    second = pending_payout(client=client)
    came_in(second, minutes_ago=9.9)

    third = pending_payout(client=client)

    assert (second.review_flags, third.review_flags) == ([], ["possible_duplicate"])


def test_what_was_cancelled_has_no_duplicate(client: ApiClient) -> None:
    cancelled_payout(client=client)

    assert pending_payout(client=client).review_flags == []


def test_the_same_payout_entered_by_hand_twice_is_a_duplicate(maker: User) -> None:
    first = pending_payout(client=None, maker=maker)
    second = pending_payout(client=None, maker=maker)

    assert (first.approvals_required, second.approvals_required) == (1, 2)
    assert second.review_flags == ["possible_duplicate"]


# Rules


def test_a_flag_that_only_notes_asks_for_nothing(client: ApiClient) -> None:
    recipes.set_rules("note", ReviewFlag.POSSIBLE_DUPLICATE)
    pending_payout(client=client)

    payout = pending_payout(client=client)

    assert (payout.review_flags, payout.approvals_required) == (["possible_duplicate"], 0)
    assert facts(payout) == {"approvals_required": 0, "review_flags": ["possible_duplicate"]}


def test_however_many_flags_ask_it_is_one_approval_more(client: ApiClient) -> None:
    recipes.set_rules("ask")
    given = {"client": client, "recipient": {"card": "0000 1111 2222 3333"}}
    pending_payout(**given)

    payout = pending_payout(**given)

    assert payout.review_flags == ["card_checksum", "possible_duplicate"]
    assert payout.approvals_required == 1


def test_the_contracts_example_flows_with_a_note(client: ApiClient) -> None:
    payout = pending_payout(client=client, recipient={"card": "0000 1111 2222 3333"})

    assert (payout.review_flags, payout.approvals_required, rings()) == (["card_checksum"], 0, 1)


def test_an_iban_that_fails_its_checksum_is_noted(client: ApiClient) -> None:
    good = pending_payout(client=client, recipient={"iban": "DE89 3704 0044 0532 0130 00"})
    bad = pending_payout(client=client, recipient={"account": {"IBAN": "DE00370400440532013000"}})

    assert (good.review_flags, bad.review_flags) == ([], ["iban_checksum"])


# Limits


def test_above_the_recipients_limit_it_asks_for_an_approval(client: ApiClient) -> None:
    since = timezone.now() - timedelta(hours=1)
    PayoutLimit.objects.create(currency="RUB", recipient_amount=LIMIT, counts_from=since)
    failed_payout(client=client, amount=Decimal("700.00"), user_id=2)
    pending_payout(client=client, amount=Decimal("600.00"))
    elsewhere = pending_payout(client=client, amount=Decimal("900.00"), recipient={"card": "4012 8888 8888 1881"})

    within = pending_payout(client=client, amount=Decimal("400.00"))
    above = pending_payout(client=client, amount=Decimal("0.01"))

    assert (elsewhere.review_flags, within.review_flags) == ([], [])
    assert (above.review_flags, above.approvals_required) == (["above_recipient_limit"], 1)


def test_what_was_paid_to_a_recipient_counts_towards_the_limit(client: ApiClient) -> None:
    since = timezone.now() - timedelta(hours=1)
    PayoutLimit.objects.create(currency="RUB", recipient_amount=LIMIT, counts_from=since)
    for make in (processed_payout, returned_payout, unknown_payout):
        make(client=client, amount=Decimal("300.00"), idempotency_key=make.__name__)

    within = pending_payout(client=client, amount=Decimal("100.00"), idempotency_key="within")
    above = pending_payout(client=client, amount=Decimal("0.01"), idempotency_key="above")

    assert (within.review_flags, above.review_flags) == ([], ["above_recipient_limit"])


@pytest.mark.parametrize("limit", ["recipient_amount", "day_amount"])
def test_a_limit_counts_the_last_24_hours_and_the_hour_that_they_begin_in(limit: str, client: ApiClient) -> None:
    PayoutLimit.objects.create(currency="RUB", **{limit: LIMIT})
    pending_payout(client=client, amount=LIMIT)

    hours_ago(24)
    above = pending_payout(client=client, amount=Decimal("0.01"), idempotency_key="above")
    actions.cancel(above.pk, by=client)
    SubmittedSum.objects.filter(amount__lt=LIMIT).delete()
    hours_ago(1)

    assert above.review_flags == [f"above_{limit.removesuffix('_amount')}_limit"]
    assert pending_payout(client=client, amount=LIMIT, idempotency_key="later").review_flags == []


def hours_ago(hours: int) -> None:
    """Let what was submitted have come in so many hours earlier."""
    SubmittedSum.objects.update(hour=F("hour") - timedelta(hours=hours))


def test_above_the_days_limit_it_asks_for_an_approval(client: ApiClient, stranger: ApiClient) -> None:
    PayoutLimit.objects.create(currency="RUB", day_amount=LIMIT)

    within = pending_payout(client=client, amount=Decimal("1000.00"))
    dollars = pending_payout(client=client, amount=Decimal("5.00"), currency="USD")
    above = pending_payout(client=stranger, amount=Decimal("0.01"), recipient={"card": "4012 8888 8888 1881"})

    assert (within.review_flags, dollars.review_flags) == ([], [])
    assert (above.review_flags, above.approvals_required) == (["above_day_limit"], 1)
    assert used() == {"currency": (2, Decimal("1000.01"))}


def used() -> dict[str, tuple[int, Decimal]]:
    """The count and the sum that stand for each kind; one recipient and one currency."""
    kinds = SubmittedSum.objects.order_by("kind").values_list("kind").annotate(Sum("count"), Sum("amount"))
    return {kind: (count, amount) for kind, count, amount in kinds}


def test_a_repeated_key_uses_nothing_of_a_limit(client: ApiClient) -> None:
    PayoutLimit.objects.create(currency="RUB", day_amount=LIMIT)
    for _each in range(2):
        pending_payout(client=client, amount=Decimal("600.00"), idempotency_key="order-7")

    assert used() == {"currency": (1, Decimal("600.00"))}


def test_what_comes_to_nothing_is_taken_off_the_sums_and_what_is_sent_again_is_added(
    client: ApiClient, checker: User, operator: User
) -> None:
    PayoutLimit.objects.create(
        currency="RUB", recipient_amount=LIMIT, day_amount=LIMIT, counts_from=timezone.now() - timedelta(hours=1)
    )
    payouts = [pending_payout(client=client, idempotency_key=f"order-{number}") for number in range(4)]
    both = {"currency", "recipient"}

    actions.cancel(payouts[0].pk, by=client)
    actions.reject(payouts[1].pk, by=checker, reason="No contract.")
    answered(payouts[2], REFUSED)
    assert used() == dict.fromkeys(both, (1, Decimal("100.50")))

    actions.retry(payouts[2].pk, by=operator, reason="The account is open again.")
    assert used() == dict.fromkeys(both, (2, Decimal("201.00")))
    assert is_clean()


def test_what_was_made_before_the_limit_was_set_is_not_taken_off_it(client: ApiClient) -> None:
    early = pending_payout(client=client)
    PayoutLimit.objects.create(currency="RUB", recipient_amount=LIMIT, day_amount=LIMIT)
    pending_payout(client=client, idempotency_key="late")

    actions.cancel(early.pk, by=client)

    assert used() == dict.fromkeys(("currency", "recipient"), (1, Decimal("100.50")))


def test_a_limit_that_is_set_beside_another_counts_from_then_on() -> None:
    limit = PayoutLimit.objects.create(
        currency="RUB", day_amount=LIMIT, counts_from=timezone.now() - timedelta(days=1)
    )
    before = limit.counts_from

    limit.day_amount = LIMIT * 2
    limit.save()
    assert limit.counts_from == before
    limit.recipient_amount = LIMIT
    limit.save()

    assert PayoutLimit.objects.get().counts_from > before + timedelta(hours=23)


def test_without_a_limit_nothing_is_added_up(client: ApiClient) -> None:
    actions.cancel(pending_payout(client=client).pk, by=client)

    assert not SubmittedSum.objects.exists()


def test_the_parts_of_past_hours_are_merged_and_old_hours_go(client: ApiClient) -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for hour in (now, now - timedelta(hours=1), now - timedelta(hours=28)):
        for amount in (5, -2, 4):
            SubmittedSum.objects.create(
                kind="currency", key=b"", currency="RUB", hour=hour, count=1, amount=Decimal(amount)
            )

    submitted.tidy()

    parts = SubmittedSum.objects.order_by("hour", "pk").values_list("hour", "count", "amount")
    assert list(parts) == [
        (now - timedelta(hours=1), 3, Decimal(7)),
        *((now, 1, Decimal(amount)) for amount in (5, -2, 4)),
    ]


# By hand


@pytest.mark.parametrize(("amount", "required"), [("1.00", 1), ("250000.00", 1), ("2000000.00", 2)])
def test_what_a_person_makes_needs_another_person_whatever_the_band(amount: str, required: int, maker: User) -> None:
    payout = pending_payout(client=None, maker=maker, amount=Decimal(amount))

    assert (payout.maker, payout.client, payout.approvals_required) == (maker, None, required)
    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.approve(payout.pk, by=maker)


def test_a_form_that_is_sent_twice_makes_one_payout(maker: User) -> None:
    reference = uuid4()
    first = pending_payout(client=None, maker=maker, reference=reference)

    with nothing_changes(first):
        again = pending_payout(client=None, maker=maker, reference=reference)

    assert (again.pk, again.is_replay, first.is_replay) == (first.pk, True, False)


def test_a_form_that_is_sent_twice_with_other_content_is_refused(maker: User) -> None:
    reference = uuid4()
    first = pending_payout(client=None, maker=maker, reference=reference)

    with nothing_changes(first), pytest.raises(InvalidError):
        pending_payout(client=None, maker=maker, reference=reference, amount=Decimal("200.00"))


def test_who_made_a_key_of_the_client_does_not_approve_its_payouts(checker: User, second_checker: User) -> None:
    client = recipes.client.make()
    create_key(client, scopes=["payouts:write"], by=checker)
    payout = awaiting_payout(client=client)

    with nothing_changes(payout), pytest.raises(FourEyesError, match="handled a key"):
        actions.approve(payout.pk, by=checker)

    assert actions.approve(payout.pk, by=second_checker).is_approved


# Approvals taken back, and the release delay


def test_with_a_release_delay_the_last_approval_waits(settings: Any, checker: User) -> None:
    settings.RELEASE_DELAY_SECONDS = 60
    payout = awaiting_payout()

    payout = actions.approve(payout.pk, by=checker)

    assert payout.release_at == payout.updated_at + timedelta(seconds=60)
    assert payout.due_at == payout.release_at
    assert payout.stage == Stage.SCHEDULED
    assert list(Payout.objects.in_stage(Stage.SCHEDULED)) == [payout]
    assert list(Payout.objects.in_stage(Stage.READY)) == []
    assert actions.claim(limit=10) == []
    assert is_clean()


def test_the_later_of_its_own_time_and_the_delay_counts(settings: Any, checker: User) -> None:
    settings.RELEASE_DELAY_SECONDS = 60
    later = timezone.now() + timedelta(days=1)

    payout = actions.approve(awaiting_payout(scheduled_for=later).pk, by=checker)

    assert payout.due_at == later


def test_an_approval_that_is_taken_back_stops_the_payout(settings: Any, checker: User) -> None:
    settings.RELEASE_DELAY_SECONDS = 60
    payout = actions.approve(awaiting_payout().pk, by=checker)

    payout = actions.withdraw_approval(payout.pk, by=checker, reason="The wrong row.")

    assert (payout.approvals_given, payout.due_at, payout.release_at) == (0, None, None)
    assert payout.stage == Stage.AWAITING_APPROVAL
    assert last_event(payout) == ("approval_withdrawn", "pending", "pending", "user:checker", "The wrong row.")
    assert [voice.decision for voice in payout.approvals.order_by("number")] == ["approve", "withdraw"]
    assert is_clean()


def test_who_took_it_back_may_approve_again(checker: User) -> None:
    payout = awaiting_payout()
    for _each in range(2):
        actions.approve(payout.pk, by=checker)
        actions.withdraw_approval(payout.pk, by=checker)

    payout = actions.approve(payout.pk, by=checker)

    assert (payout.approvals_given, payout.stage) == (1, Stage.READY)
    assert is_clean()
    assert len(actions.claim(limit=10)) == 1


def test_nobody_changes_their_mind_for_ever(checker: User) -> None:
    payout = awaiting_payout()
    for _each in range(4):
        actions.approve(payout.pk, by=checker)
        actions.withdraw_approval(payout.pk, by=checker)

    with nothing_changes(payout), pytest.raises(FourEyesError, match="too many times"):
        actions.approve(payout.pk, by=checker)


def test_the_approval_of_another_is_not_taken_back(checker: User, second_checker: User) -> None:
    payout = awaiting_payout(amount=TWO_APPROVALS)
    actions.approve(payout.pk, by=checker)
    actions.approve(payout.pk, by=second_checker)

    payout = actions.withdraw_approval(payout.pk, by=checker)

    assert payout.approvals_given == 1
    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.withdraw_approval(payout.pk, by=checker)


@pytest.mark.parametrize("make", [processing_payout, failed_payout, cancelled_payout])
def test_what_is_no_longer_pending_cannot_be_taken_back(make: Callable[..., Payout], checker: User) -> None:
    payout = make()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.withdraw_approval(payout.pk, by=checker)


def test_a_stale_approval_beside_a_withdrawal_pays_nothing() -> None:
    """Somebody with SQL raises the count again: the worker looks at the voices themselves."""
    payout = approved_payout()
    approver = Approval.objects.get().checker
    actions.withdraw_approval(payout.pk, by=approver)
    payout.refresh_from_db()
    payout.approvals_given, payout.due_at = 1, timezone.now()
    payout.seal = payout.expected_seal()
    payout.save()

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert payout.attention == "approvals_missing"


def test_the_refusal_says_who_was_quicker(checker: User, second_checker: User) -> None:
    payout = actions.approve(awaiting_payout().pk, by=checker)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="already approved by checker"):
        actions.approve(payout.pk, by=second_checker)


# Asking the provider at once


def test_the_provider_is_asked_at_once(operator: User) -> None:
    payout = unknown_payout()

    payout = actions.ask_now(payout.pk, by=operator, reason="The recipient calls.")

    assert last_event(payout) == ("asked", "unknown", "unknown", "user:operator", "The recipient calls.")
    assert payout.due_at == payout.updated_at
    assert rings() == 2
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_what_is_being_asked_just_now_is_not_asked_again(operator: User) -> None:
    payout = processing_payout()

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="just now"):
        actions.ask_now(payout.pk, by=operator)


@pytest.mark.parametrize("make", [pending_payout, failed_payout, cancelled_payout])
def test_there_is_nothing_to_ask_about_what_was_not_sent(make: Callable[..., Payout], operator: User) -> None:
    payout = make()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.ask_now(payout.pk, by=operator)
