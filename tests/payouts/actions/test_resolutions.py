"""Two people say on evidence how an unknown attempt ended."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from payouts import actions
from payouts.actions import AlteredError, FourEyesError, InvalidError, NotAllowedError, PayoutError
from payouts.models import Approval, Attention, Payout
from payouts.providers import Verdict
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, last_event, nothing_changes, unguarded
from tests.recipes import PAYOUTS, unknown_payout

pytestmark = pytest.mark.django_db

PAID, NOT_PAID = Approval.Decision.PAID, Approval.Decision.NOT_PAID
type Recipe = Callable[..., Payout]


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


# What the provider contradicts


def _contradicted(payout: Payout) -> Payout:
    """The provider's report has the first attempt as paid."""
    attempt = payout.attempts.earliest("number")
    actions.reconcile(
        attempt.reference,
        actions.Reported(Verdict.SUCCEEDED, payout.amount),
        by=recipes.person.make(),
        source="march.csv, line 2",
    )
    return Payout.objects.get(pk=payout.pk)


def _say(payout: Payout, decision: Approval.Decision, *people: User) -> Payout:
    for person in people or (recipes.person.make(), recipes.person.make()):
        payout = actions.resolve(payout.pk, by=person, decision=decision, evidence="Letter of 16 January")
    return payout


@pytest.mark.parametrize("recipe", [recipes.failed_payout, recipes.retried_payout])
def test_two_people_find_that_a_contradicted_payout_was_paid(recipe: Recipe, checker: User) -> None:
    payout = _contradicted(recipe())
    before = payout.status

    first = _say(payout, PAID, checker)
    between = (first.status, first.attention, last_event(first)[0])
    payout = _say(payout, PAID, recipes.person.make())

    attempt = payout.attempts.get()
    assert between == (before, Attention.CONTRADICTED, "resolution_proposed")
    assert (payout.status, payout.attention, payout.due_at) == ("processed", "", None)
    assert (attempt.outcome, attempt.finished_at) == ("succeeded", payout.processed_at)
    assert last_event(payout)[:3] == ("resolved", before, "processed")
    assert is_clean()


def test_two_people_find_that_a_contradicted_failed_payout_was_not_paid_and_it_can_be_sent_again(
    checker: User, second_checker: User
) -> None:
    payout = _contradicted(recipes.failed_payout())

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="needs attention"):
        actions.retry(payout.pk, by=checker, reason="Again.")
    payout = _say(payout, NOT_PAID, checker, second_checker)

    assert (payout.status, payout.attention, last_event(payout)[0]) == ("failed", "", "released")
    assert is_clean()
    assert actions.retry(payout.pk, by=checker, reason="Again.").status == "pending"


def test_two_people_let_a_contradicted_payout_that_was_sent_again_go_on(checker: User, second_checker: User) -> None:
    payout = _say(_contradicted(recipes.retried_payout()), NOT_PAID, checker, second_checker)

    assert (payout.status, payout.attention) == ("pending", "")
    assert payout.due_at is not None
    assert is_clean()


@pytest.mark.parametrize("recipe", [recipes.failed_payout, recipes.retried_payout, recipes.processed_payout])
def test_nobody_alone_clears_a_contradiction(recipe: Recipe, maker: User, checker: User) -> None:
    payout = recipe(maker=maker)
    if payout.status == "processed":
        actions.hear(message_id="m", reference=payout.attempts.get().reference, reported=Verdict.REFUSED)
        payout = recipes.answered(payout, recipes.REFUSED)
    else:
        payout = _contradicted(payout)
    assert payout.attention == Attention.CONTRADICTED

    with nothing_changes(payout):
        for refused in (actions.release, actions.clear_flag, actions.cancel, actions.reject, actions.retry):
            with pytest.raises(PayoutError):
                refused(payout.pk, by=checker, reason="It is fine.")
        with pytest.raises(FourEyesError):
            actions.resolve(payout.pk, by=maker, decision=PAID, evidence="Statement")
    _say(payout, PAID, checker)
    with pytest.raises(FourEyesError, match="already"):
        _say(payout, PAID, checker)


def test_a_paid_payout_that_is_contradicted_was_paid_or_came_back(checker: User, second_checker: User) -> None:
    payout = recipes.processed_payout()
    actions.hear(message_id="m", reference=payout.attempts.get().reference, reported=Verdict.REFUSED)
    payout = recipes.answered(payout, recipes.REFUSED)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="record the return"):
        _say(payout, NOT_PAID, checker)
    payout = _say(payout, PAID, checker, second_checker)

    assert (payout.status, payout.attention, payout.due_at) == ("processed", "", None)
    assert is_clean()


def test_of_a_paid_payout_people_can_say_that_an_earlier_attempt_was_not_paid() -> None:
    payout = _contradicted(recipes.answered(recipes.retried_payout(), recipes.SUCCEEDED))

    payout = _say(payout, NOT_PAID)

    assert (payout.status, payout.attention) == ("processed", "")
    assert [attempt.outcome for attempt in payout.attempts.order_by("number")] == ["refused", "succeeded"]
    assert is_clean()


def test_what_was_said_before_a_contradiction_does_not_count_for_it_and_the_same_people_may_say_again(
    checker: User, second_checker: User
) -> None:
    payout = _say(unknown_payout(), NOT_PAID, checker, second_checker)
    payout = _contradicted(payout)

    first = _say(payout, NOT_PAID, checker)
    between = (first.status, first.attention)
    payout = _say(payout, NOT_PAID, second_checker)

    assert between == ("failed", Attention.CONTRADICTED)
    assert (payout.status, payout.attention) == ("failed", "")
    assert is_clean()


def test_an_unknown_payout_with_a_contradiction_about_an_earlier_attempt_is_asked_about_twice() -> None:
    payout = recipes.answered(recipes.retried_payout(), recipes.UNKNOWN)
    payout = _contradicted(payout)

    payout = _say(payout, NOT_PAID)
    between = (payout.status, payout.attention)
    payout = _say(payout, PAID)

    first, second = payout.attempts.order_by("number")
    assert between == ("failed", Attention.CONTRADICTED)
    assert (payout.status, payout.attention) == ("processed", "")
    assert (first.outcome, second.outcome) == ("succeeded", "refused")
    assert is_clean()


def test_the_audit_names_a_contradiction_that_one_person_cleared(checker: User, second_checker: User) -> None:
    payout = _say(_contradicted(recipes.failed_payout()), NOT_PAID, checker, second_checker)
    with unguarded("payouts_approval"):
        by_hand("DELETE FROM payouts_approval WHERE checker_id = %s", checker.pk)

    assert audit_of(payout) == {"resolved_by_two"}
