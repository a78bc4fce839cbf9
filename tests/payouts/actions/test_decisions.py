"""What people and clients decide about a payout, and what they are refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from payouts import actions, vault
from payouts.actions import (
    AlteredError,
    FourEyesError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    PayoutError,
    VersionError,
)
from payouts.actions.verbs import VERBS
from payouts.models import ApiClient, Approval, Attention, Payout
from payouts.models.clients import note_handler
from payouts.providers import Verdict
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, last_event, nothing_changes, rings, unguarded
from tests.recipes import (
    CARD,
    ONE_APPROVAL,
    PAYOUTS,
    TWO_APPROVALS,
    approved_payout,
    awaiting_payout,
    failed_payout,
    held_payout,
    pending_payout,
    processed_payout,
    scheduled_payout,
    unknown_payout,
    withdrawn_payout,
)

pytestmark = pytest.mark.django_db

type Decision = Callable[[Payout, User], object]

DECISIONS: dict[str, Decision] = {
    "approve": lambda payout, by: actions.approve(payout.pk, by=by, reason="why"),
    "reject": lambda payout, by: actions.reject(payout.pk, by=by, reason="why"),
    "hold": lambda payout, by: actions.hold(payout.pk, by=by, reason="why"),
    "release": lambda payout, by: actions.release(payout.pk, by=by, reason="why"),
    "schedule": lambda payout, by: actions.schedule(payout.pk, by=by, scheduled_for=None, reason="why"),
    "cancel": lambda payout, by: actions.cancel(payout.pk, by=by, reason="why"),
    "settle": lambda payout, by: actions.settle(payout.pk, by=by, reason="why"),
    "retry": lambda payout, by: actions.retry(payout.pk, by=by, reason="why"),
    "resolve": lambda payout, by: actions.resolve(payout.pk, by=by, decision=Approval.Decision.PAID, evidence="why"),
}
PENDING = {"pending", "awaiting", "approved", "held", "scheduled", "retried", "over_limit", "without_funds"}
# The recipes that each decision takes; every other one refuses it. Literals, so that a rule that slips shows.
TAKEN = {
    "approve": {"awaiting"},
    "reject": PENDING,
    "hold": PENDING - {"held"},
    "release": {"held"},
    "schedule": PENDING,
    "cancel": PENDING,
    "settle": PENDING - {"awaiting", "held"},
    "retry": {"failed"},
    "resolve": {"unknown", "half_resolved"},
}


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("recipe", PAYOUTS)
def test_a_decision_is_taken_in_its_states_and_refused_without_a_trace_in_all_others(
    recipe: str, decision: str, checker: User
) -> None:
    payout = PAYOUTS[recipe]()

    if recipe in TAKEN[decision]:
        DECISIONS[decision](payout, checker)
    else:
        with nothing_changes(payout), pytest.raises(NotAllowedError) as refusal:
            DECISIONS[decision](payout, checker)
        assert refusal.value.status == payout.status
        assert str(refusal.value)

    assert is_clean()


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_on_a_version_that_is_gone_is_refused(decision: str, checker: User) -> None:
    (recipe,) = sorted(TAKEN[decision] - {"half_resolved"})[:1]
    payout = PAYOUTS[recipe]()
    given: dict[str, Any] = {"by": checker, "version": payout.version - 1}
    given |= {"scheduled_for": None} if decision == "schedule" else {}
    given |= {"reason": "why"} if decision != "resolve" else {"decision": Approval.Decision.PAID, "evidence": "why"}

    with nothing_changes(payout), pytest.raises(VersionError):
        getattr(actions, decision)(payout.pk, **given)

    getattr(actions, decision)(payout.pk, **given | {"version": payout.version})
    assert Payout.objects.get(pk=payout.pk).version == payout.version + 1


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_payout_that_is_not_there_is_not_found(decision: str, checker: User) -> None:
    with pytest.raises(NotFoundError):
        DECISIONS[decision](Payout(pk=987_654_321), checker)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'failed', due_at = NULL",
        "approvals_required = 0",
        "approvals_given = 5",
        "maker_id = NULL",
        "client_id = NULL",
        "user_id = 9",
        "version = version + 1",
        "provider = 'other'",
        "terms_hash = 'x'",
        "event_head = 'x'",
        "seal = 'x'",
    ],
)
def test_nothing_may_be_done_with_an_altered_row(change: str, checker: User, maker: User) -> None:
    payout = awaiting_payout(maker=maker, client=recipes.client.make())
    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)

    for decide in DECISIONS.values():
        with nothing_changes(payout), pytest.raises(AlteredError):
            decide(payout, checker)


@pytest.mark.parametrize("decision", ["approve", "settle"])
@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "currency = 'USD'",
        "recipient = (SELECT recipient FROM payouts_payout WHERE user_id = 7)",
    ],
)
def test_altered_terms_are_neither_approved_nor_settled(decision: str, change: str, checker: User) -> None:
    pending_payout(user_id=7, recipient={"card": "5555 5555 5555 4444"})
    payout = awaiting_payout() if decision == "approve" else pending_payout()
    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)

    with nothing_changes(payout), pytest.raises((AlteredError, NotAllowedError)):
        DECISIONS[decision](payout, checker)


@pytest.mark.parametrize("decision", ["approve", "reject", "hold", "cancel", "retry", "settle"])
def test_a_reason_that_is_too_long_is_refused(decision: str, checker: User) -> None:
    (recipe,) = sorted(TAKEN[decision])[:1]
    payout = PAYOUTS[recipe]()

    with nothing_changes(payout), pytest.raises(InvalidError):
        getattr(actions, decision)(payout.pk, by=checker, reason="x" * 1_001)


@pytest.mark.parametrize("decision", ["approve", "reject", "hold", "cancel", "retry", "settle"])
def test_a_reason_that_cannot_be_stored_is_refused(decision: str, checker: User) -> None:
    (recipe,) = sorted(TAKEN[decision])[:1]
    payout = PAYOUTS[recipe]()

    with nothing_changes(payout), pytest.raises(InvalidError):
        getattr(actions, decision)(payout.pk, by=checker, reason="a\u0000b")


# Hold, release, schedule


def test_a_held_payout_is_not_claimed_until_it_is_released(operator: User) -> None:
    payout = pending_payout()
    rung = rings()

    actions.hold(payout.pk, by=operator, reason="The card looks odd.")

    held = Payout.objects.get(pk=payout.pk)
    assert (held.status, held.held_by, held.due_at) == ("pending", operator, None)
    assert held.held_at is not None
    assert last_event(held) == ("held", "pending", "pending", "user:operator", "The card looks odd.")
    assert actions.claim(limit=10) == []
    assert rings() == rung

    actions.release(payout.pk, by=operator, reason="It is fine.")

    released = Payout.objects.get(pk=payout.pk)
    assert (released.held_at, released.held_by) == (None, None)
    assert released.due_at is not None
    assert last_event(released)[0] == "released"
    assert rings() == rung + 1
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_release_lets_nothing_go_that_still_waits_for_approval(operator: User) -> None:
    payout = held_payout(amount=ONE_APPROVAL)

    actions.release(payout.pk, by=operator)

    payout.refresh_from_db()
    assert (payout.due_at, rings()) == (None, 0)


@pytest.mark.parametrize("closeness", ["maker", "owner", "handler of its keys"])
def test_who_could_have_made_it_does_not_release_what_a_checker_holds(closeness: str, checker: User) -> None:
    """Shown before: a checker's hold was undone by the maker alone."""
    close = recipes.person.make()
    if closeness == "maker":
        payout = awaiting_payout(maker=close, client=None)
    elif closeness == "owner":
        payout = pending_payout(maker=close)
    else:
        payout = pending_payout()
        note_handler(payout.client_id, close.pk)
    actions.hold(payout.pk, by=checker, reason="The card looks odd.")

    with nothing_changes(payout), pytest.raises(FourEyesError):
        actions.release(payout.pk, by=close, reason="It is fine.")

    actions.release(payout.pk, by=recipes.person.make(), reason="It is fine.")


def test_who_holds_their_own_payout_may_release_it(maker: User) -> None:
    payout = awaiting_payout(maker=maker, client=None)
    actions.hold(payout.pk, by=maker, reason="I will look again.")

    actions.release(payout.pk, by=maker, reason="It is fine.")

    assert Payout.objects.get(pk=payout.pk).held_at is None


def _made_unreadable(payout: Payout) -> str:
    """For long enough to be flagged by the next claim. Returns what the recipient was."""
    readable = payout.recipient
    change = "recipient = 'gAAAA', unreadable_since = now() - interval '1 hour'"
    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)
    return readable


def test_release_lets_a_flagged_payout_try_again(operator: User) -> None:
    payout = pending_payout()
    readable = _made_unreadable(payout)
    actions.claim(limit=10)
    flagged = Payout.objects.get(pk=payout.pk)
    by_hand("UPDATE payouts_payout SET recipient = %s WHERE id = %s", readable, payout.pk)

    actions.release(payout.pk, by=operator, reason="The row is put right.")

    assert (flagged.attention, flagged.stage) == (Attention.UNREADABLE, "held")
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]
    assert is_clean()


def test_release_has_a_flagged_unknown_payout_looked_up_again_and_never_paid_anew(
    operator: User,
) -> None:
    payout = unknown_payout()
    readable = _made_unreadable(payout)
    recipes.make_due(payout)
    actions.claim(limit=10)
    flagged = Payout.objects.get(pk=payout.pk)
    by_hand("UPDATE payouts_payout SET recipient = %s WHERE id = %s", readable, payout.pk)
    rung = rings()

    actions.release(payout.pk, by=operator, reason="The row is put right.")

    assert (flagged.status, flagged.attention, flagged.due_at) == ("unknown", Attention.UNREADABLE, None)
    assert last_event(Payout.objects.get(pk=payout.pk))[:3] == ("released", "unknown", "unknown")
    assert rings() == rung + 1
    (assignment,) = actions.claim(limit=10)
    assert (assignment.payout_id, assignment.is_first_call) == (payout.pk, False)
    assert payout.attempts.count() == 1
    assert is_clean()


def test_a_scheduled_payout_is_claimed_at_its_time_and_not_before(operator: User) -> None:
    payout = pending_payout()
    later = timezone.now() + timedelta(seconds=0.3)

    actions.schedule(payout.pk, by=operator, scheduled_for=later, reason="At the end of the month.")

    scheduled = Payout.objects.get(pk=payout.pk)
    assert scheduled.due_at == scheduled.scheduled_for == later
    assert scheduled.events.latest("seq").facts == {"scheduled_for": later.isoformat()}
    assert actions.claim(limit=10) == []
    while timezone.now() < later:
        pass
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]
    assert is_clean()


def test_a_payout_that_is_scheduled_no_more_is_due_at_once(operator: User) -> None:
    payout = scheduled_payout()
    rung = rings()

    actions.schedule(payout.pk, by=operator, scheduled_for=None)

    assert rings() == rung + 1
    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


def test_a_time_is_kept_while_approvals_are_outstanding(checker: User) -> None:
    payout = scheduled_payout(amount=ONE_APPROVAL)
    assert payout.due_at is None

    approved = actions.approve(payout.pk, by=checker)

    assert approved.due_at == payout.scheduled_for
    assert actions.claim(limit=10) == []


# Cancel, withdraw


def test_cancel_ends_a_pending_payout(client: ApiClient) -> None:
    payout = pending_payout(client=client)

    actions.cancel(payout.pk, by=client)

    payout.refresh_from_db()
    assert (payout.status, payout.due_at, payout.withdrawn_at) == ("cancelled", None, None)
    assert last_event(payout) == ("cancelled", "pending", "cancelled", "client:shop", "")
    assert actions.claim(limit=10) == []


def test_withdraw_cancels_a_pending_payout_and_takes_it_out_of_the_api(client: ApiClient) -> None:
    payout = pending_payout(client=client)

    actions.withdraw(payout.pk, by=client)

    payout.refresh_from_db()
    assert (payout.status, payout.due_at) == ("cancelled", None)
    assert payout.withdrawn_at is not None
    assert last_event(payout) == ("withdrawn", "pending", "cancelled", "client:shop", "")
    assert not Payout.objects.in_api().exists()
    assert Payout.objects.exists()
    assert is_clean()


@pytest.mark.parametrize("recipe", ["cancelled", "rejected"])
def test_withdraw_leaves_the_status_of_a_closed_payout(recipe: str, client: ApiClient) -> None:
    payout = PAYOUTS[recipe](client=client)

    actions.withdraw(payout.pk, by=client)

    payout.refresh_from_db()
    assert (payout.status, last_event(payout)[:3]) == (recipe, ("withdrawn", recipe, recipe))


@pytest.mark.parametrize("recipe", ["processing", "accepted", "processed", "settled", "failed", "unknown"])
def test_withdraw_refuses_what_may_have_been_paid(recipe: str, client: ApiClient) -> None:
    payout = PAYOUTS[recipe](client=client)

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.withdraw(payout.pk, by=client)


CLIENTS_ACTIONS: dict[str, Callable[[int, ApiClient], object]] = {
    "cancel": lambda payout_id, by: actions.cancel(payout_id, by=by),
    "settle": lambda payout_id, by: actions.settle(payout_id, by=by),
    "withdraw": lambda payout_id, by: actions.withdraw(payout_id, by=by),
    "reveal": lambda payout_id, by: actions.reveal(payout_id, by=by, reason="why"),
}


@pytest.mark.parametrize("action", CLIENTS_ACTIONS)
def test_a_client_finds_its_own_payouts_only(action: str, client: ApiClient, stranger: ApiClient) -> None:
    payout = pending_payout(client=client)

    with nothing_changes(payout), pytest.raises(NotFoundError):
        CLIENTS_ACTIONS[action](payout.pk, stranger)


@pytest.mark.parametrize("action", CLIENTS_ACTIONS)
def test_a_client_finds_no_withdrawn_payout(action: str, client: ApiClient) -> None:
    payout = withdrawn_payout(client=client)

    with nothing_changes(payout), pytest.raises(NotFoundError):
        CLIENTS_ACTIONS[action](payout.pk, client)


def test_a_client_schedules_its_own_payouts_only(client: ApiClient, stranger: ApiClient) -> None:
    payout = pending_payout(client=client)

    with nothing_changes(payout), pytest.raises(NotFoundError):
        actions.schedule(payout.pk, by=stranger, scheduled_for=None)


# Settle


def test_settle_records_that_it_was_paid_by_hand(operator: User) -> None:
    payout = approved_payout()

    actions.settle(payout.pk, by=operator, reason="Paid in cash.")

    payout.refresh_from_db()
    assert (payout.status, payout.due_at) == ("processed", None)
    assert payout.processed_at == payout.updated_at
    assert last_event(payout) == ("settled", "pending", "processed", "user:operator", "Paid in cash.")
    assert actions.claim(limit=10) == []
    assert is_clean()


def test_settle_refuses_while_approvals_are_outstanding(operator: User, checker: User) -> None:
    payout = awaiting_payout(amount=TWO_APPROVALS)
    actions.approve(payout.pk, by=checker)

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.settle(payout.pk, by=operator)


def test_settle_waits_for_the_release_delay(settings: Any, operator: User, checker: User) -> None:
    settings.RELEASE_DELAY_SECONDS = 60
    payout = actions.approve(awaiting_payout().pk, by=checker)

    with nothing_changes(payout), pytest.raises(NotAllowedError, match="can still be withdrawn"):
        actions.settle(payout.pk, by=operator)
    Payout.objects.filter(pk=payout.pk).update(release_at=Now())
    payout.refresh_from_db()
    payout.seal = payout.expected_seal()
    payout.save()

    assert actions.settle(payout.pk, by=operator).status == "processed"


def test_settle_refuses_a_held_payout(operator: User) -> None:
    payout = held_payout()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.settle(payout.pk, by=operator)


def test_settle_refuses_terms_that_are_not_what_was_submitted(operator: User) -> None:
    payout = pending_payout()
    by_hand("UPDATE payouts_payout SET amount = 1 WHERE id = %s", payout.pk)

    with nothing_changes(payout), pytest.raises(PayoutError):
        actions.settle(payout.pk, by=operator)


@pytest.mark.parametrize("recipe", ["processing", "accepted", "unknown", "half_resolved"])
def test_settle_never_ends_what_was_sent_to_the_provider(recipe: str, operator: User) -> None:
    payout = PAYOUTS[recipe]()

    with nothing_changes(payout), pytest.raises(NotAllowedError):
        actions.settle(payout.pk, by=operator)


# Retry


def test_retry_makes_a_new_attempt_with_a_new_key(operator: User) -> None:
    payout = failed_payout()
    (first,) = payout.attempts.all()
    rung = rings()

    actions.retry(payout.pk, by=operator, reason="The account is open again.")

    pending = Payout.objects.get(pk=payout.pk)
    assert (pending.status, pending.failure_code, pending.failure_message) == ("pending", "", "")
    assert pending.due_at is not None
    assert last_event(pending)[:4] == ("retried", "failed", "pending", "user:operator")
    assert rings() == rung + 1
    (assignment,) = actions.claim(limit=10)
    assert (assignment.attempt.number, assignment.is_first_call, assignment.may_post) == (2, True, True)
    assert assignment.instruction.reference != first.reference
    assert list(payout.attempts.values_list("number", "outcome")) == [(1, "refused"), (2, "open")]
    assert is_clean()


def test_a_retried_payout_needs_no_new_approval_of_the_same_terms(operator: User) -> None:
    payout = recipes.answered(approved_payout(), recipes.REFUSED)

    actions.retry(payout.pk, by=operator, reason="Again.")

    assert [each.payout_id for each in actions.claim(limit=10)] == [payout.pk]


# Reveal


@pytest.mark.parametrize("recipe", sorted(PAYOUTS))
def test_reveal_shows_the_recipient_and_leaves_an_event(recipe: str, auditor: User) -> None:
    payout = PAYOUTS[recipe]()
    before = Payout.objects.get(pk=payout.pk)

    recipient = actions.reveal(payout.pk, by=auditor, reason="Call from the bank.")

    after = Payout.objects.get(pk=payout.pk)
    assert recipient == CARD
    assert (after.status, after.version, after.lease_token) == (before.status, before.version + 1, before.lease_token)
    assert (after.due_at is None) == (before.due_at is None)
    status = payout.status
    assert last_event(after) == ("revealed", status, status, "user:auditor", "Call from the bank.")
    assert is_clean()


def test_reveal_of_a_scheduled_payout_brings_nothing_forward(auditor: User) -> None:
    payout = scheduled_payout()

    actions.reveal(payout.pk, by=auditor, reason="Check.")

    payout.refresh_from_db()
    assert payout.due_at == payout.scheduled_for
    assert actions.claim(limit=10) == []


def test_reveal_without_the_key_leaves_no_event(auditor: User, settings: Any) -> None:
    payout = pending_payout()
    settings.FIELD_ENCRYPTION_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]

    with nothing_changes(payout), pytest.raises((vault.UnreadableError, PayoutError)):
        actions.reveal(payout.pk, by=auditor, reason="Check.")


def test_reveal_during_a_call_costs_no_outcome(auditor: User) -> None:
    payout = pending_payout()
    assignment = recipes.claimed(payout)

    actions.reveal(payout.pk, by=auditor, reason="Check.")

    assert actions.record_outcomes([(assignment, recipes.SUCCEEDED)]) == 1
    payout.refresh_from_db()
    assert payout.status == "processed"
    assert is_clean()


def test_a_refusal_names_the_moves_that_are_allowed(operator: User) -> None:
    payout = processed_payout()

    with pytest.raises(NotAllowedError) as refusal:
        actions.cancel(payout.pk, by=operator)

    assert (refusal.value.status, refusal.value.allowed) == ("processed", ["returned"])


# A retry beside a newer payout that looks like it


def test_a_retry_beside_a_newer_payout_of_the_same_terms_waits_for_another_person(operator: User) -> None:
    payout = recipes.failed_payout()
    newer = recipes.pending_payout(client=payout.client)

    payout = actions.retry(payout.pk, by=operator, reason="Again.")
    between = (payout.status, payout.approvals_required, payout.due_at, payout.events.latest("seq").facts["newer"])
    with pytest.raises(FourEyesError, match="sent this payout again"):
        actions.approve(payout.pk, by=operator)
    payout = actions.approve(payout.pk, by=recipes.person.make())

    assert between == ("pending", 1, None, [newer.pk])
    assert payout.due_at is not None
    assert recipes.claimed(payout).attempt.number == 2
    assert is_clean()


@pytest.mark.parametrize(
    "other",
    [
        {"amount": recipes.Decimal("100.51")},
        {"currency": "USD"},
        {"recipient": {"card": "5555 5555 5555 4444"}},
        {"client": None},
    ],
)
def test_a_retry_beside_payouts_that_differ_asks_nobody(other: dict[str, Any], operator: User) -> None:
    recipes.pending_payout(client=(client := recipes.client.make()))  # an older one
    payout = recipes.failed_payout(client=client, idempotency_key="order-1")
    required = payout.approvals_required
    others = {"client": client} | other
    recipes.pending_payout(**{**others, "client": others["client"] or recipes.client.make()})
    recipes.cancelled_payout(client=client, idempotency_key="order-2")

    payout = actions.retry(payout.pk, by=operator, reason="Again.")

    assert (payout.approvals_required, payout.sent_again_by) == (required, None)


def test_the_dialog_names_the_newer_payouts(operator: User) -> None:
    payout = recipes.failed_payout()
    newer = [recipes.pending_payout(client=payout.client).pk for _each in range(2)]

    warning = VERBS["retry"].warning(payout)

    assert f"#{newer[1]}, #{newer[0]}" in warning
    assert "Another person must approve" in warning


def test_the_audit_names_the_approval_of_who_sent_it_again(operator: User) -> None:
    payout = recipes.failed_payout()
    recipes.pending_payout(client=payout.client)
    actions.retry(payout.pk, by=operator, reason="Again.")
    payout = actions.approve(payout.pk, by=recipes.person.make())
    with unguarded("payouts_approval"):
        by_hand("UPDATE payouts_approval SET checker_id = %s", operator.pk)

    assert audit_of(payout) == {"approval_sealed", "sender_is_not_checker"}


def test_who_sent_it_again_is_sealed(operator: User) -> None:
    payout = recipes.failed_payout()
    recipes.pending_payout(client=payout.client)
    actions.retry(payout.pk, by=operator, reason="Again.")

    by_hand("UPDATE payouts_payout SET sent_again_by_id = NULL WHERE id = %s", payout.pk)

    assert "row_sealed" in audit_of(payout)


def test_a_payout_that_waits_for_the_second_person_and_was_paid_needs_no_more_approvals(operator: User) -> None:
    payout = recipes.failed_payout()
    recipes.pending_payout(client=payout.client)
    actions.retry(payout.pk, by=operator, reason="Again.")
    attempt = payout.attempts.get()
    actions.hear(message_id="m", reference=attempt.reference, reported=Verdict.SUCCEEDED)
    for _each in range(2):
        payout = actions.resolve(
            payout.pk, by=recipes.person.make(), decision=Approval.Decision.PAID, evidence="Statement, line 7"
        )

    assert payout.status == "processed"
    assert is_clean()
