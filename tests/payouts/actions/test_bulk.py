"""Decisions on many payouts: what is fixed, what is skipped, and that nothing is done twice."""

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from payouts import actions, rules
from payouts.actions import bulk
from payouts.actions.bulk import DecisionError
from payouts.models import Approval, BulkDecision, BulkItem, Event, EventName, Payout
from tests import recipes
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db

Verb, Result = BulkDecision.Verb, BulkItem.Result


def results(decision: BulkDecision) -> dict[int, str]:
    return dict(decision.items.values_list("payout_id", "result"))


def message(decision: BulkDecision, payout: Payout) -> str:
    return decision.items.get(payout=payout).message


def versions(*payouts: Payout) -> list[int]:
    return [Payout.objects.get(pk=payout.pk).version for payout in payouts]


def test_choosing_fixes_the_versions_and_decides_nothing(checker: User) -> None:
    payouts = [recipes.awaiting_payout() for _each in range(2)]

    decision = bulk.choose([payout.pk for payout in payouts], verb=Verb.APPROVE, by=checker)

    assert list(decision.items.values_list("payout_id", "version", "result")) == [
        (payout.pk, payout.version, "") for payout in payouts
    ]
    assert decision.decided_at is None
    assert not Approval.objects.exists()


def test_confirming_decides_on_each_with_the_reason(checker: User) -> None:
    payouts = [recipes.awaiting_payout() for _each in range(3)]
    decision = bulk.choose([payout.pk for payout in payouts], verb=Verb.APPROVE, by=checker)

    bulk.decide(decision.pk, by=checker, reason="Matches the register.")

    assert set(results(decision).values()) == {"done"}
    events = Event.objects.filter(event=EventName.APPROVED)
    assert {event.payout_id for event in events} == {payout.pk for payout in payouts}
    assert {(event.reason, event.actor) for event in events} == {("Matches the register.", "user:checker")}


@pytest.mark.parametrize(
    ("verb", "make", "event"),
    [
        (Verb.HOLD, recipes.pending_payout, EventName.HELD),
        (Verb.RELEASE, recipes.held_payout, EventName.RELEASED),
        (Verb.RETRY, recipes.failed_payout, EventName.RETRIED),
        (Verb.CANCEL, recipes.pending_payout, EventName.CANCELLED),
    ],
)
def test_every_verb_does_what_its_action_does(verb: Any, make: Any, event: Any, operator: User) -> None:
    payout = make()
    decision = bulk.choose([payout.pk], verb=verb, by=operator)

    bulk.decide(decision.pk, by=operator, reason="The morning's review.")

    last = Payout.objects.get(pk=payout.pk).events.order_by("seq").last()
    assert last is not None
    assert (last.event, last.reason) == (event, "The morning's review.")


def test_what_cannot_be_approved_is_skipped_with_the_reason(maker: User, checker: User) -> None:
    own = recipes.awaiting_payout(maker=checker)
    seconded = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    actions.approve(seconded.pk, by=checker)
    held = actions.hold(recipes.awaiting_payout().pk, by=maker, reason="Odd.")
    paid = recipes.processed_payout()
    free = recipes.pending_payout()
    chosen = [own, seconded, held, paid, free]

    decision = bulk.choose([payout.pk for payout in chosen], verb=Verb.APPROVE, by=checker)

    assert set(results(decision).values()) == {"skipped"}
    assert "You made this payout" in message(decision, own)
    assert "You have approved this payout already" in message(decision, seconded)
    assert "on hold" in message(decision, held)
    assert "Processed" in message(decision, paid)
    assert "needs no approval" in message(decision, free)


def test_what_needs_attention_is_skipped(checker: User) -> None:
    payout = recipes.processed_payout()
    actions.flag_missing(payout.pk, by=recipes.person.make(), source="march.csv")

    decision = bulk.choose([payout.pk], verb=Verb.CANCEL, by=checker)

    assert "needs attention" in message(decision, payout)


def test_a_payout_that_changed_since_fails_and_the_others_go_on(checker: User, operator: User) -> None:
    changed, same = recipes.awaiting_payout(), recipes.awaiting_payout()
    decision = bulk.choose([changed.pk, same.pk], verb=Verb.APPROVE, by=checker)
    actions.hold(changed.pk, by=operator, reason="Wait.")

    bulk.decide(decision.pk, by=checker, reason="Checked.")

    assert results(decision) == {changed.pk: "failed", same.pk: "done"}
    assert "has changed since you saw it" in message(decision, changed)
    assert not Approval.objects.filter(payout=changed).exists()


def test_confirming_twice_does_nothing_twice(checker: User) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    decision = bulk.choose([payout.pk], verb=Verb.APPROVE, by=checker)
    bulk.decide(decision.pk, by=checker, reason="Checked.")
    before = versions(payout)

    bulk.decide(decision.pk, by=checker, reason="Something else.")

    assert versions(payout) == before
    assert results(decision) == {payout.pk: "done"}
    assert BulkDecision.objects.get(pk=decision.pk).reason == "Checked."


def test_one_that_was_broken_off_goes_on_where_it_stopped(checker: User) -> None:
    first, second = recipes.awaiting_payout(), recipes.awaiting_payout()
    decision = bulk.choose([first.pk, second.pk], verb=Verb.APPROVE, by=checker)
    bulk.decide(decision.pk, by=checker, reason="Checked.")
    # As after a crash between the two: the second was neither decided nor recorded.
    third = recipes.awaiting_payout()
    decision.items.filter(payout=second).update(payout=third, version=third.version, result="")

    bulk.decide(decision.pk, by=checker, reason="")

    assert results(decision) == {first.pk: "done", third.pk: "done"}
    assert Event.objects.get(payout=third, event=EventName.APPROVED).reason == "Checked."


def test_an_unexpected_error_is_the_items_own(checker: User, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = recipes.awaiting_payout(), recipes.awaiting_payout()
    decision = bulk.choose([broken.pk, sound.pk], verb=Verb.APPROVE, by=checker)
    by_hand(
        "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF NEW.payout_id = {broken.pk} THEN RAISE 'broken'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER break_it BEFORE INSERT ON payouts_approval FOR EACH ROW EXECUTE FUNCTION break_it()"
    )

    bulk.decide(decision.pk, by=checker, reason="Checked.")

    assert results(decision) == {broken.pk: "failed", sound.pk: "done"}
    assert "See the log." in message(decision, broken)
    assert "bulk_item_failed" in caplog.text
    assert versions(broken) == [broken.version]


def test_only_the_person_who_chose_may_confirm(checker: User, second_checker: User) -> None:
    payout = recipes.awaiting_payout()
    decision = bulk.choose([payout.pk], verb=Verb.APPROVE, by=checker)

    with pytest.raises(DecisionError, match="does not exist, or is not yours"):
        bulk.decide(decision.pk, by=second_checker, reason="Checked.")

    assert versions(payout) == [payout.version]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001, "a\x00b"])
def test_without_a_proper_reason_nothing_is_decided(reason: str, checker: User) -> None:
    payout = recipes.awaiting_payout()
    decision = bulk.choose([payout.pk], verb=Verb.APPROVE, by=checker)

    with pytest.raises(DecisionError, match="Give a"):
        bulk.decide(decision.pk, by=checker, reason=reason)

    assert versions(payout) == [payout.version]
    assert BulkDecision.objects.get(pk=decision.pk).decided_at is None


def test_after_half_an_hour_it_can_no_longer_be_confirmed(checker: User) -> None:
    payout = recipes.awaiting_payout()
    decision = bulk.choose([payout.pk], verb=Verb.APPROVE, by=checker)
    BulkDecision.objects.filter(pk=decision.pk).update(created_at=timezone.now() - timedelta(minutes=31))

    with pytest.raises(DecisionError, match="Half an hour"):
        bulk.decide(decision.pk, by=checker, reason="Checked.")

    assert versions(payout) == [payout.version]


def test_no_payout_and_too_many_are_refused(checker: User) -> None:
    with pytest.raises(DecisionError, match="at least one"):
        bulk.choose([], verb=Verb.APPROVE, by=checker)
    with pytest.raises(DecisionError, match="At most 200"):
        bulk.choose(range(1, 202), verb=Verb.APPROVE, by=checker)

    assert not BulkDecision.objects.exists()


def test_the_failed_are_chosen_again_as_they_are_now(checker: User, operator: User) -> None:
    payout, other = recipes.awaiting_payout(), recipes.awaiting_payout()
    decision = bulk.choose([payout.pk, other.pk], verb=Verb.APPROVE, by=checker)
    actions.schedule(payout.pk, by=operator, scheduled_for=None)
    bulk.decide(decision.pk, by=checker, reason="Checked.")

    anew = bulk.again(decision, by=checker)
    bulk.decide(anew.pk, by=checker, reason="Looked at it again.")

    assert results(anew) == {payout.pk: "done"}


@pytest.mark.django_db(transaction=True)
def test_two_confirmations_at_once_decide_once(checker: User) -> None:
    payouts = [recipes.awaiting_payout(amount=recipes.TWO_APPROVALS) for _each in range(4)]
    decision = bulk.choose([payout.pk for payout in payouts], verb=Verb.APPROVE, by=checker)

    def confirm() -> None:
        bulk.decide(decision.pk, by=checker, reason="Checked.")
        connections.close_all()

    threads = [Thread(target=confirm) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(results(decision).values()) == {"done"}
    assert versions(*payouts) == [payout.version + 1 for payout in payouts]


def test_an_approval_that_was_taken_back_does_not_count(checker: User) -> None:
    payout = recipes.awaiting_payout(amount=recipes.TWO_APPROVALS)
    actions.approve(payout.pk, by=checker)
    assert rules.standing(payout, checker).has_approved
    assert Payout.objects.filter(rules.has_approved(checker)).exists()

    actions.withdraw_approval(payout.pk, by=checker)

    assert not rules.standing(payout, checker).has_approved
    assert not Payout.objects.filter(rules.has_approved(checker)).exists()
    decision = bulk.choose([payout.pk], verb=Verb.APPROVE, by=checker)
    assert results(decision) == {payout.pk: ""}
