"""Two people say on evidence how an unknown attempt ended."""

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.actions import AlteredError, FourEyesError, InvalidError, NotAllowedError, PayoutError
from payouts.models import Approval, Payout
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, last_event, nothing_changes
from tests.recipes import PAYOUTS, unknown_payout

pytestmark = pytest.mark.django_db


def test_two_people_with_evidence_end_an_unknown_outcome_as_paid(checker: User, second_checker: User) -> None:
    payout = unknown_payout()

    first = actions.resolve(payout.pk, by=checker, decision=Approval.Decision.PAID, evidence="Statement, line 7")
    proposed = (first.status, last_event(first), first.attempts.get().outcome)
    actions.resolve(payout.pk, by=second_checker, decision=Approval.Decision.PAID, evidence="Letter of 15 January")

    payout.refresh_from_db()
    attempt = payout.attempts.get()
    assert proposed == (
        "unknown",
        ("resolution_proposed", "unknown", "unknown", "user:checker", "Statement, line 7"),
        "open",
    )
    assert (payout.status, payout.due_at, payout.attention) == ("processed", None, "")
    assert payout.processed_at is not None
    assert (attempt.outcome, attempt.finished_at) == ("succeeded", payout.processed_at)
    assert last_event(payout)[:4] == ("resolved", "unknown", "processed", "user:second checker")
    assert payout.approvals_given == 0
    assert actions.claim(limit=10) == []
    assert is_clean()


def test_two_people_with_evidence_end_an_unknown_outcome_as_not_paid(checker: User, second_checker: User) -> None:
    payout = unknown_payout()

    for person in (checker, second_checker):
        actions.resolve(payout.pk, by=person, decision=Approval.Decision.NOT_PAID, evidence="Not on the statement")

    payout.refresh_from_db()
    assert (payout.status, payout.failure_code, payout.due_at) == ("failed", "resolved_by_hand", None)
    assert (payout.attempts.get().outcome, payout.processed_at) == ("refused", None)
    assert is_clean()
    actions.retry(payout.pk, by=checker, reason="Send it again.")
    assert recipes.claimed(payout).attempt.number == 2


def test_voices_that_differ_leave_it_unknown_until_two_agree(checker: User, second_checker: User) -> None:
    payout = unknown_payout()

    actions.resolve(payout.pk, by=checker, decision=Approval.Decision.PAID, evidence="Statement")
    actions.resolve(payout.pk, by=second_checker, decision=Approval.Decision.NOT_PAID, evidence="Letter")
    between = Payout.objects.get(pk=payout.pk)
    actions.resolve(payout.pk, by=recipes.person.make(), decision=Approval.Decision.NOT_PAID, evidence="Call")

    payout.refresh_from_db()
    assert (between.status, payout.status) == ("unknown", "failed")
    assert is_clean()


@pytest.mark.parametrize("decision", [Approval.Decision.PAID, Approval.Decision.NOT_PAID])
@pytest.mark.parametrize("is_superuser", [False, True])
def test_resolve_refuses_a_second_voice_of_one_person(decision: Approval.Decision, is_superuser: bool) -> None:
    checker = recipes.person.make(is_superuser=is_superuser)
    payout = unknown_payout()
    actions.resolve(payout.pk, by=checker, decision=Approval.Decision.PAID, evidence="Statement")

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.resolve(payout.pk, by=checker, decision=decision, evidence="Letter")


def test_resolve_refuses_the_maker(maker: User) -> None:
    payout = unknown_payout(maker=maker)

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.resolve(payout.pk, by=maker, decision=Approval.Decision.PAID, evidence="Statement")


@pytest.mark.parametrize("evidence", ["", "   \n"])
def test_resolve_refuses_a_voice_without_evidence(evidence: str, checker: User) -> None:
    payout = unknown_payout()

    with nothing_changes(payout), pytest.raises(InvalidError) as refusal:
        actions.resolve(payout.pk, by=checker, decision=Approval.Decision.PAID, evidence=evidence)

    assert list(refusal.value.errors) == ["evidence"]


def test_resolve_refuses_evidence_that_is_too_long(checker: User) -> None:
    payout = unknown_payout()

    with nothing_changes(payout), pytest.raises(InvalidError):
        actions.resolve(payout.pk, by=checker, decision=Approval.Decision.PAID, evidence="x" * 1_001)


def test_a_voice_on_an_earlier_attempt_is_none_on_this_one(checker: User, second_checker: User) -> None:
    payout = unknown_payout()
    for person in (checker, second_checker):
        actions.resolve(payout.pk, by=person, decision=Approval.Decision.NOT_PAID, evidence="Statement")
    actions.retry(payout.pk, by=checker, reason="Again.")
    again = recipes.answered(payout, recipes.UNKNOWN)

    actions.resolve(again.pk, by=checker, decision=Approval.Decision.PAID, evidence="Statement")

    again.refresh_from_db()
    assert again.status == "unknown"


def test_resolve_refuses_while_the_provider_is_being_asked(checker: User) -> None:
    payout = unknown_payout()
    assignment = recipes.claimed(payout)

    with nothing_changes(payout), pytest.raises(PayoutError):
        actions.resolve(payout.pk, by=checker, decision=Approval.Decision.NOT_PAID, evidence="Statement")

    assert actions.record_outcomes([(assignment, recipes.UNKNOWN)]) == 1
    actions.resolve(payout.pk, by=checker, decision=Approval.Decision.NOT_PAID, evidence="Statement")


def test_nothing_is_sent_again_once_a_person_has_said_how_it_ended(checker: User) -> None:
    payout = unknown_payout()

    actions.resolve(payout.pk, by=checker, decision=Approval.Decision.NOT_PAID, evidence="Statement")

    assert recipes.claimed(payout).may_post is False


def test_a_voice_put_in_by_sql_is_no_second_person(checker: User, second_checker: User) -> None:
    payout = unknown_payout()
    by_hand(
        "INSERT INTO payouts_approval"
        " (payout_id, attempt_id, checker_id, decision, number, terms_hash, evidence, at, mac) "
        "SELECT payout_id, id, %s, 'not_paid', 1, 'x', 'forged', now(), 'x'"
        " FROM payouts_attempt WHERE payout_id = %s",
        second_checker.pk,
        payout.pk,
    )

    with nothing_changes(payout), pytest.raises(AlteredError):
        actions.resolve(payout.pk, by=checker, decision=Approval.Decision.NOT_PAID, evidence="Statement")


def test_an_answer_that_comes_before_the_second_voice_decides(checker: User, second_checker: User) -> None:
    payout = unknown_payout()
    actions.resolve(payout.pk, by=checker, decision=Approval.Decision.NOT_PAID, evidence="Statement")
    recipes.answered(payout, recipes.SUCCEEDED)

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.resolve(payout.pk, by=second_checker, decision=Approval.Decision.NOT_PAID, evidence="Statement")

    payout.refresh_from_db()
    assert payout.status == "processed"
    assert is_clean()


@pytest.mark.parametrize("recipe", ["processing", "accepted"])
def test_resolve_refuses_what_is_still_on_its_way(recipe: str, checker: User) -> None:
    payout = PAYOUTS[recipe]()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.resolve(payout.pk, by=checker, decision=Approval.Decision.PAID, evidence="Statement")
