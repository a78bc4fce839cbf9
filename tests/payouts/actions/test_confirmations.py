"""A payout that was flagged as altered and is not goes on, when two people say so and its seal shows it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.actions import FourEyesError, InvalidError, NotAllowedError, VersionError
from payouts.actions.confirmations import confirm_unchanged
from payouts.models import Attention, Confirmation, Payout
from tests.payouts.observe import audit_of, by_hand, is_clean, last_event, nothing_changes, rings
from tests.recipes import accepted_payout, awaiting_payout, failed_payout, pending_payout, unknown_payout

pytestmark = pytest.mark.django_db

WHY = "The worker of 14 January had an old key; its log."


def flag(payout: Payout) -> Payout:
    """As a worker did that had other keys."""
    by_hand(
        "UPDATE payouts_payout SET attention = 'altered', due_at = NULL, lease_token = NULL WHERE id = %s", payout.pk
    )
    return Payout.objects.get(pk=payout.pk)


@pytest.mark.parametrize("recipe", [pending_payout, unknown_payout, accepted_payout, failed_payout])
def test_two_people_let_it_go_on_and_what_was_sent_is_looked_up_first(
    recipe: Callable[..., Payout], checker: User, second_checker: User
) -> None:
    payout = flag(recipe())
    was_rung = rings()

    first = confirm_unchanged(payout.pk, by=checker, evidence=WHY)
    claimed_between = actions.claim(limit=10)
    second = confirm_unchanged(payout.pk, by=second_checker, evidence="I have read the log as well.")

    assert (first.attention, claimed_between) == (Attention.ALTERED, [])
    assert (second.attention, second.status) == (Attention.NONE, payout.status)
    assert last_event(second)[:3] == ("confirmed", payout.status, payout.status)
    assert second.events.last().facts == {"first": "user:checker", "first_person": checker.pk, "evidence": WHY}
    assert rings() == was_rung + 1
    assert is_clean()
    (assignment,) = actions.claim(limit=10)
    assert assignment.is_first_call == (recipe == pending_payout)
    assert is_clean()


def test_what_waits_for_people_waits_on(checker: User, second_checker: User) -> None:
    payout = flag(awaiting_payout())

    for person in (checker, second_checker):
        confirm_unchanged(payout.pk, by=person, evidence=WHY)

    assert actions.claim(limit=10) == []
    assert is_clean()


def test_one_person_is_not_two(checker: User) -> None:
    payout = flag(pending_payout())
    confirm_unchanged(payout.pk, by=checker, evidence=WHY)

    with nothing_changes(payout), pytest.raises(FourEyesError, match="another person must agree"):
        confirm_unchanged(payout.pk, by=checker, evidence=WHY)


def test_whoever_made_it_confirms_nothing(maker: User) -> None:
    payout = flag(awaiting_payout(maker=maker))

    with nothing_changes(payout), pytest.raises(FourEyesError):
        confirm_unchanged(payout.pk, by=maker, evidence=WHY)


@pytest.mark.parametrize(
    "change",
    ["user_id = 9", "comment = 'x'", "approvals_required = 0", "event_head = 'x'", "seal = 'x'", "maker_id = NULL"],
)
def test_what_was_really_changed_is_never_confirmed(change: str, maker: User, checker: User) -> None:
    payout = flag(awaiting_payout(maker=maker))
    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="Its seal does not fit"):
        confirm_unchanged(payout.pk, by=checker, evidence=WHY)


@pytest.mark.parametrize("change", ["amount = amount * 2", "recipient = 'gAAAA'"])
def test_what_the_audit_finds_besides_is_no_flag_too_many(change: str, checker: User) -> None:
    payout = flag(pending_payout())
    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="The audit finds more"):
        confirm_unchanged(payout.pk, by=checker, evidence=WHY)


def test_a_voice_that_sql_gave_lets_nothing_go(checker: User, second_checker: User) -> None:
    payout = flag(pending_payout())
    by_hand(
        "INSERT INTO payouts_confirmation (payout_id, version, said_by_id, said_at, evidence, mac)"
        " VALUES (%s, 1, %s, now(), 'forged', 'x')",
        *(payout.pk, checker.pk),
    )

    confirm_unchanged(payout.pk, by=second_checker, evidence=WHY)

    payout.refresh_from_db()
    assert (payout.attention, payout.version) == (Attention.ALTERED, 1)
    assert confirm_unchanged(payout.pk, by=checker, evidence=WHY).attention == Attention.NONE
    assert is_clean()


def test_it_takes_evidence_and_the_version_that_was_seen(checker: User) -> None:
    payout = flag(pending_payout())

    with pytest.raises(InvalidError):
        confirm_unchanged(payout.pk, by=checker, evidence=" ")
    with pytest.raises(VersionError):
        confirm_unchanged(payout.pk, by=checker, evidence=WHY, version=7)

    assert not Confirmation.objects.exists()


def test_the_audit_names_a_confirmation_without_a_first_person() -> None:
    payout = pending_payout()
    by_hand(
        "INSERT INTO payouts_event"
        " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
        " VALUES (%s, 2, 'confirmed', 'pending', 'pending', now(), 'user:one', '', '', '{}', 'x')",
        payout.pk,
    )

    assert "confirmed_by_two" in audit_of(payout)
