"""People approve a payout or reject it."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.actions import AlteredError, FourEyesError, NotAllowedError, PayoutError
from payouts.models import Payout
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, nothing_changes, rings
from tests.recipes import TWO_APPROVALS, approved_payout, awaiting_payout, pending_payout

pytestmark = pytest.mark.django_db


def test_the_last_approval_that_is_needed_lets_it_go_and_rings(checker: User) -> None:
    payout = awaiting_payout()
    assert rings() == 0

    approved = actions.approve(payout.pk, by=checker, reason="Matches the contract.")

    payout.refresh_from_db()
    assert approved.pk == payout.pk
    assert (payout.status, payout.version, payout.approvals_given) == ("pending", 2, 1)
    assert payout.due_at is not None
    assert last_event(payout) == ("approved", "pending", "pending", "user:checker", "Matches the contract.")
    assert rings() == 1
    approval = payout.approvals.get()
    assert (approval.checker, approval.attempt, approval.decision) == (checker, None, "approve")
    assert bytes(approval.terms_hash) == payout.terms
    assert is_clean()


def test_the_first_of_two_approvals_lets_nothing_go(checker: User, second_checker: User) -> None:
    payout = awaiting_payout(amount=TWO_APPROVALS)

    actions.approve(payout.pk, by=checker)
    first = Payout.objects.get(pk=payout.pk)
    claimed_between = actions.claim(limit=10)
    actions.approve(payout.pk, by=second_checker)

    assert (first.approvals_given, first.due_at, claimed_between) == (1, None, [])
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]
    assert rings() == 1


@pytest.mark.parametrize("is_superuser", [False, True])
def test_approve_refuses_the_maker_even_as_a_superuser(is_superuser: bool) -> None:
    maker = recipes.person.make(username="maker", is_superuser=is_superuser)
    payout = awaiting_payout(maker=maker)

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.approve(payout.pk, by=maker)

    assert actions.claim(limit=10) == []


def test_approve_refuses_the_owner_of_the_client_that_submitted(maker: User) -> None:
    payout = awaiting_payout(client=recipes.client.make(owner=maker))

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.approve(payout.pk, by=maker)


def test_the_maker_stays_the_maker_when_the_client_changes_hands(maker: User, operator: User) -> None:
    owned = recipes.client.make(owner=maker)
    payout = awaiting_payout(client=owned)
    owned.owner = operator
    owned.save()

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.approve(payout.pk, by=maker)


@pytest.mark.parametrize("is_superuser", [False, True])
def test_approve_refuses_a_second_voice_of_one_person(is_superuser: bool) -> None:
    checker = recipes.person.make(is_superuser=is_superuser)
    payout = awaiting_payout(amount=TWO_APPROVALS)
    actions.approve(payout.pk, by=checker)

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.approve(payout.pk, by=checker)


def test_approve_refuses_more_voices_than_are_needed(checker: User) -> None:
    payout = approved_payout()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.approve(payout.pk, by=checker)


def test_an_approval_of_a_held_payout_counts_and_lets_nothing_go(checker: User, operator: User) -> None:
    payout = awaiting_payout()
    actions.hold(payout.pk, by=operator, reason="Wait.")

    actions.approve(payout.pk, by=checker)

    payout.refresh_from_db()
    assert (payout.approvals_given, payout.due_at, rings()) == (1, None, 0)
    assert actions.claim(limit=10) == []


def test_an_approval_stands_for_the_terms_that_the_checker_saw(checker: User) -> None:
    payout = awaiting_payout()
    by_hand("UPDATE payouts_payout SET amount = amount * 10 WHERE id = %s", payout.pk)

    with nothing_changes(payout), pytest.raises(AlteredError):
        actions.approve(payout.pk, by=checker)


def test_approve_refuses_a_recipient_that_cannot_be_read(checker: User, settings: Any) -> None:
    payout = awaiting_payout()
    settings.FIELD_ENCRYPTION_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]

    with nothing_changes(payout), pytest.raises(PayoutError):
        actions.approve(payout.pk, by=checker)


def test_reject_ends_a_pending_payout(checker: User) -> None:
    payout = pending_payout()

    actions.reject(payout.pk, by=checker, reason="  No contract.  ")

    payout.refresh_from_db()
    assert (payout.status, payout.due_at, payout.processed_at) == ("rejected", None, None)
    assert last_event(payout) == ("rejected", "pending", "rejected", "user:checker", "No contract.")
    assert actions.claim(limit=10) == []


def test_reject_refuses_the_maker(maker: User) -> None:
    payout = awaiting_payout(maker=maker)

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.reject(payout.pk, by=maker, reason="Mine.")
