"""What the worker takes, in which order, and what it leaves to a person."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from payouts import actions
from payouts.actions import KeysError
from payouts.models import Attempt, Attention, Event, Payout
from payouts.references import attempt_reference
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, last_event, nothing_changes, rings, unguarded
from tests.recipes import (
    ABSENT,
    PAYOUTS,
    SUCCEEDED,
    TWO_APPROVALS,
    UNKNOWN,
    accepted_payout,
    answered,
    approved_payout,
    awaiting_payout,
    claimed,
    make_due,
    pending_payout,
    processing_payout,
    unknown_payout,
)

pytestmark = pytest.mark.django_db

FORGED_APPROVAL = (
    "INSERT INTO payouts_approval (payout_id, checker_id, decision, number, terms_hash, evidence, at, mac) "
    "SELECT id, %s, 'approve', 1, terms_hash, '', now(), %s FROM payouts_payout WHERE id = %s"
)
OTHER_KEY = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]


def test_claim_moves_a_ready_payout_to_processing_with_a_new_attempt_under_a_lease(settings: Any) -> None:
    payout = pending_payout()

    (assignment,) = actions.claim(limit=10)

    payout.refresh_from_db()
    attempt = payout.attempts.get()
    assert (payout.status, payout.version) == ("processing", 2)
    assert last_event(payout) == ("claimed", "pending", "processing", "system:worker", "")
    assert payout.events.latest("seq").facts == {"attempt": str(attempt.reference), "provider": "http"}
    assert payout.lease_token == assignment.lease_token
    assert payout.due_at == attempt.last_called_at + timedelta(seconds=settings.LEASE_SECONDS)
    assert (attempt.number, attempt.calls, attempt.outcome, attempt.finished_at) == (1, 1, "open", None)
    assert (assignment.is_first_call, assignment.may_post) == (True, True)
    instruction = assignment.instruction
    assert (instruction.reference, instruction.payout) == (attempt.reference, payout.reference)
    assert (str(instruction.amount), instruction.currency) == ("100.50", "RUB")
    assert instruction.recipient == recipes.CARD
    assert is_clean()


@pytest.mark.parametrize("recipe", sorted(set(PAYOUTS) - {"pending", "approved", "retried"}))
def test_claim_leaves_what_is_not_due(recipe: str) -> None:
    payout = PAYOUTS[recipe]()

    with nothing_changes(payout):
        assert actions.claim(limit=10) == []


def test_claim_takes_the_oldest_first_and_no_more_than_asked() -> None:
    payouts = [pending_payout() for _each in range(5)]

    batches = [[each.payout_id for each in actions.claim(limit=2)] for _each in range(4)]

    ids = [payout.pk for payout in payouts]
    assert [sorted(batch) for batch in batches] == [ids[:2], ids[2:4], ids[4:], []]


def test_an_expired_lease_is_claimed_again_with_the_same_key_and_looked_up_first() -> None:
    payout = pending_payout()
    first = claimed(payout)
    version = Payout.objects.get(pk=payout.pk).version

    again = claimed(payout)

    payout.refresh_from_db()
    assert (again.is_first_call, again.may_post) == (False, True)
    assert replace(again.instruction, age=first.instruction.age) == first.instruction
    assert again.lease_token != first.lease_token
    assert (payout.status, payout.version) == ("processing", version)
    assert list(payout.attempts.values_list("number", "calls")) == [(1, 2)]
    assert is_clean()


def test_a_look_up_that_comes_up_keeps_the_attempt_and_the_status() -> None:
    payout = unknown_payout()

    assignment = claimed(payout)

    payout.refresh_from_db()
    assert (payout.status, assignment.is_first_call, payout.attempts.get().calls) == ("unknown", False, 2)
    assert payout.lease_token == assignment.lease_token


@pytest.mark.parametrize(("age_seconds", "may_post"), [(0, True), (3_000, True), (3_481, False), (9_999, False)])
def test_nothing_is_posted_that_could_still_be_under_way_when_the_key_is_forgotten(
    age_seconds: int, may_post: bool, settings: Any
) -> None:
    settings.PROVIDER_KEY_TTL_SECONDS, settings.LEASE_SECONDS = 3_600, 120
    payout = unknown_payout()
    settings.PROVIDER_KEY_TTL_SECONDS -= age_seconds  # the key's age, seen from its end

    assert claimed(payout).may_post is may_post


def test_a_key_that_is_too_old_is_never_posted_and_a_person_decides(settings: Any) -> None:
    payout = unknown_payout()
    settings.PROVIDER_KEY_TTL_SECONDS = 0

    answered(payout, ABSENT)

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.NOT_FOUND, None)
    assert last_event(payout)[:3] == ("flagged", "unknown", "unknown")
    assert payout.attempts.get().outcome == "open"
    assert actions.claim(limit=10) == []
    assert is_clean()


def test_a_provider_that_never_answers_clearly_leaves_it_to_a_person(settings: Any) -> None:
    settings.MAX_ATTEMPT_CALLS = 3
    payout = unknown_payout()

    answered(payout, UNKNOWN)
    second = Payout.objects.get(pk=payout.pk)
    answered(payout, UNKNOWN)

    payout.refresh_from_db()
    assert (second.attention, second.due_at is None) == ("", False)
    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.TOO_MANY_CALLS, None)
    assert is_clean()


def test_a_payout_that_kills_its_worker_each_time_is_left_to_a_person(settings: Any) -> None:
    settings.MAX_ATTEMPT_CALLS = 3
    payout = pending_payout()
    for _each in range(3):
        claimed(payout)
    make_due(payout)

    assert actions.claim(limit=10) == actions.claim_suspect() == []

    payout.refresh_from_db()
    assert (payout.status, payout.attention, payout.due_at) == ("unknown", Attention.TOO_MANY_CALLS, None)
    assert last_event(payout)[:3] == ("flagged", "processing", "unknown")
    assert is_clean()


# Given back


def test_what_was_given_back_is_due_at_once_and_looked_up_first() -> None:
    payout = pending_payout()
    (assignment,) = actions.claim(limit=10)

    actions.give_back([assignment])

    returned = Payout.objects.get(pk=payout.pk)
    assert (returned.status, returned.lease_token) == ("processing", None)
    (again,) = actions.claim(limit=10)
    assert (again.is_first_call, again.may_post) == (False, True)
    assert again.instruction.reference == assignment.instruction.reference
    assert is_clean()


def test_what_another_holds_by_now_is_not_given_back() -> None:
    payout = pending_payout()
    (late,) = actions.claim(limit=10)
    current = claimed(payout)

    with nothing_changes(payout):
        actions.give_back([late])

    assert actions.record_outcomes([(current, SUCCEEDED)]) == 1


# What was altered is never paid

# Before that it is only looked at again: a deploy may be bringing the key.
LONG_UNREADABLE = "unreadable_since = now() - interval '1 hour'"

ALTERATIONS: dict[str, tuple[str, Attention]] = {
    "amount": ("amount = amount * 10", Attention.TERMS_CHANGED),
    "amount below the currency's units": ("amount = amount + 0.001", Attention.TERMS_CHANGED),
    "currency": ("currency = 'USD'", Attention.TERMS_CHANGED),
    "recipient of another payout": (
        "recipient = (SELECT recipient FROM payouts_payout WHERE user_id = 777)",
        Attention.TERMS_CHANGED,
    ),
    "recipient that is no token": ("recipient = 'junk'", Attention.UNREADABLE),
    "recipient that is not even ASCII": ("recipient = 'é'", Attention.UNREADABLE),
    "recipient that is empty": ("recipient = ''", Attention.UNREADABLE),
    "terms": ("terms_hash = 'x'", Attention.ALTERED),
    "approvals required": ("approvals_required = 0", Attention.ALTERED),
    "approvals given": ("approvals_given = approvals_given + 1", Attention.ALTERED),
    "maker": ("maker_id = NULL", Attention.ALTERED),
    "client": ("client_id = NULL", Attention.ALTERED),
    "user": ("user_id = 9", Attention.ALTERED),
    "reference": ("reference = gen_random_uuid()", Attention.ALTERED),
    "provider": ("provider = 'other'", Attention.ALTERED),
    "version": ("version = version + 1", Attention.ALTERED),
    "schedule": ("scheduled_for = now()", Attention.ALTERED),
    "head of its history": ("event_head = 'x'", Attention.ALTERED),
    "seal": ("seal = 'x'", Attention.ALTERED),
}


@pytest.mark.parametrize("what", ALTERATIONS)
@pytest.mark.parametrize("stage", ["approved", "processing", "unknown"])
def test_an_altered_payout_is_never_sent_gets_attention_and_holds_up_nobody(
    what: str, stage: str, maker: User
) -> None:
    change, attention = ALTERATIONS[what]
    recipes.make_due(pending_payout(user_id=777, recipient={"card": "5555 5555 5555 4444"}))
    actions.claim(limit=10)
    altered = approved_payout(maker=maker, client=recipes.client.make())
    if stage != "approved":
        assignment = claimed(altered)
        if stage == "unknown":
            actions.record_outcomes([(assignment, UNKNOWN)])
    by_hand(f"UPDATE payouts_payout SET {change}, {LONG_UNREADABLE} WHERE id = %s", altered.pk)
    make_due(altered)
    sound = pending_payout()

    taken = [each.payout_id for each in actions.claim(limit=10)]

    altered.refresh_from_db()
    assert taken == [sound.pk]
    assert (altered.attention, altered.due_at, altered.lease_token) == (attention, None, None)
    assert audit_of(altered)
    assert not audit_of(Payout.objects.get(pk=sound.pk))
    assert actions.claim(limit=10) == []


def test_a_status_set_by_sql_sends_nothing() -> None:
    payout = answered(pending_payout(), recipes.REFUSED)
    by_hand("UPDATE payouts_payout SET status = 'pending', due_at = now() WHERE id = %s", payout.pk)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert (payout.attention, payout.attempts.count()) == (Attention.ALTERED, 1)


def test_a_held_payout_that_sql_lets_go_is_not_paid() -> None:
    payout = recipes.held_payout()
    by_hand("UPDATE payouts_payout SET held_at = NULL, held_by_id = NULL, due_at = now() WHERE id = %s", payout.pk)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert payout.attention == Attention.ALTERED


def test_a_payout_put_in_by_sql_is_not_paid() -> None:
    model = pending_payout()
    claimed(model)
    new = {"reference": "gen_random_uuid()", "status": "'pending'", "due_at": "now()", "lease_token": "NULL"}
    columns = [field.column for field in Payout._meta.concrete_fields if field.column != "id"]
    by_hand(
        f"INSERT INTO payouts_payout ({', '.join(columns)}) "
        f"SELECT {', '.join(new.get(column, column) for column in columns)} FROM payouts_payout WHERE id = %s",
        model.pk,
    )
    forged = Payout.objects.exclude(pk=model.pk).get()

    assert actions.claim(limit=10) == []

    forged.refresh_from_db()
    assert forged.attention == Attention.ALTERED


def test_an_approval_put_in_by_sql_does_not_count(checker: User, second_checker: User) -> None:
    payout = awaiting_payout(amount=TWO_APPROVALS)
    actions.approve(payout.pk, by=checker)
    by_hand(FORGED_APPROVAL, second_checker.pk, b"x" * 32, payout.pk)
    by_hand("UPDATE payouts_payout SET approvals_given = 2, due_at = now() WHERE id = %s", payout.pk)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert payout.attention == Attention.ALTERED


def test_the_seal_of_an_approval_is_worth_nothing_for_another_person_or_payout(
    checker: User, second_checker: User
) -> None:
    payout, other = approved_payout(), awaiting_payout()
    approval = payout.approvals.get()

    for person, target in ((second_checker, payout), (approval.checker, other), (checker, other)):
        by_hand(FORGED_APPROVAL, person.pk, bytes(approval.mac), target.pk)

    forged = [*other.approvals.all(), *payout.approvals.exclude(pk=approval.pk)]
    assert len(forged) == 3
    assert all(bytes(each.mac) != each.expected_mac(each.payout.reference) for each in forged)


def test_an_approval_whose_seal_is_broken_sends_nothing(checker: User) -> None:
    payout = approved_payout()
    with unguarded("payouts_approval"):
        by_hand("UPDATE payouts_approval SET checker_id = %s WHERE payout_id = %s", checker.pk, payout.pk)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert (payout.attention, payout.status) == (Attention.APPROVALS_MISSING, "pending")
    assert last_event(payout)[:3] == ("flagged", "pending", "pending")


def test_an_approval_of_the_maker_sends_nothing_though_its_seal_fits(maker: User) -> None:
    payout = approved_payout()
    approval = payout.approvals.get()
    by_hand("UPDATE payouts_payout SET maker_id = %s WHERE id = %s", maker.pk, payout.pk)
    payout.refresh_from_db()
    approval.checker_id = maker.pk
    with unguarded("payouts_approval"):
        by_hand(
            "UPDATE payouts_approval SET checker_id = %s, mac = %s WHERE id = %s",
            maker.pk,
            approval.expected_mac(payout.reference),
            approval.pk,
        )
    by_hand("UPDATE payouts_payout SET seal = %s WHERE id = %s", payout.expected_seal(), payout.pk)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    assert payout.attention == Attention.APPROVALS_MISSING


# Poison


def _event_from_nowhere(payout: Payout) -> None:
    by_hand(
        "INSERT INTO payouts_event"
        " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
        " SELECT id, version + 1, 'claimed', status, status, now(), 'x', '', '', '{}', 'x'"
        " FROM payouts_payout WHERE id = %s",
        payout.pk,
    )


def _attempt_from_nowhere(payout: Payout) -> None:
    by_hand(
        "INSERT INTO payouts_attempt (reference, payout_id, number, provider, outcome, calls, provider_id,"
        " last_called_at, last_code, last_message, last_answer, created_at) "
        "SELECT gen_random_uuid(), id, 1, 'http', 'open', 1, '', now(), '', '', '', now()"
        " FROM payouts_payout WHERE id = %s",
        payout.pk,
    )


def _back_to_its_first_version(payout: Payout) -> None:
    row = Payout.objects.filter(pk=payout.pk).values("status", "version", "event_head", "seal", "due_at").get()
    claimed(payout)
    Payout.objects.filter(pk=payout.pk).update(**row, lease_token=None)


@pytest.mark.parametrize("poison", [_event_from_nowhere, _attempt_from_nowhere, _back_to_its_first_version])
def test_a_payout_that_cannot_be_claimed_holds_up_nobody_and_is_sent_to_nobody(
    poison: Callable[[Payout], None],
) -> None:
    before, poisoned, after = pending_payout(), pending_payout(), pending_payout()
    poison(poisoned)
    make_due(poisoned)

    taken = {each.payout_id for each in actions.claim(limit=10)}

    assert taken == {before.pk, after.pk}
    assert actions.claim(limit=10) == []
    assert audit_of(poisoned)
    assert Attempt.objects.filter(payout=poisoned).count() <= 1


def test_one_unreadable_recipient_among_others_is_flagged_and_the_others_are_paid() -> None:
    payouts = [pending_payout() for _each in range(20)]
    by_hand(f"UPDATE payouts_payout SET recipient = 'gAAAA', {LONG_UNREADABLE} WHERE id = %s", payouts[7].pk)

    taken = {each.payout_id for each in actions.claim(limit=50)}

    payouts[7].refresh_from_db()
    assert taken == {payout.pk for payout in payouts} - {payouts[7].pk}
    assert (payouts[7].status, payouts[7].attention) == ("pending", Attention.UNREADABLE)


def test_without_the_key_nothing_is_sent_and_nothing_is_lost(settings: Any) -> None:
    payout, in_flight = pending_payout(), processing_payout()
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = OTHER_KEY
    make_due(in_flight)

    with pytest.raises(KeysError):
        actions.claim(limit=10)

    settings.FIELD_ENCRYPTION_KEYS = keys
    assert {each.payout_id for each in actions.claim(limit=10)} == {payout.pk, in_flight.pk}
    assert is_clean()


@pytest.mark.parametrize("recipe", [pending_payout, processing_payout, unknown_payout])
def test_an_unreadable_payout_is_looked_at_again_before_it_is_flagged(recipe: Callable[..., Payout]) -> None:
    payout = recipe()
    readable = payout.recipient
    by_hand("UPDATE payouts_payout SET recipient = 'gAAAA' WHERE id = %s", payout.pk)
    make_due(payout)

    assert actions.claim(limit=10) == []

    payout.refresh_from_db()
    in_half_a_lease = Payout.objects.filter(due_at__gt=Now() + timedelta(seconds=50))
    assert (payout.attention, payout.lease_token) == (Attention.NONE, None)
    assert in_half_a_lease.filter(pk=payout.pk, due_at__lt=Now() + timedelta(seconds=61)).exists()
    by_hand("UPDATE payouts_payout SET recipient = %s WHERE id = %s", readable, payout.pk)
    assert claimed(payout).is_first_call == (recipe == pending_payout)
    payout.refresh_from_db()
    assert payout.unreadable_since is None
    assert is_clean()


def test_a_payout_that_stays_unreadable_is_flagged_after_three_more_looks() -> None:
    payout = pending_payout()
    by_hand("UPDATE payouts_payout SET recipient = 'gAAAA' WHERE id = %s", payout.pk)

    for minutes in (0, 1, 2, 3):
        by_hand("UPDATE payouts_payout SET unreadable_since = now() - make_interval(mins => %s)", minutes)
        make_due(payout)
        actions.claim(limit=10)
        payout.refresh_from_db()
        assert payout.attention == (Attention.UNREADABLE if minutes == 3 else Attention.NONE)

    assert (payout.due_at, payout.unreadable_since) == (None, None)


def test_an_accepted_payment_stays_under_way_while_it_is_looked_up() -> None:
    payout = accepted_payout()

    assignment = claimed(payout)

    payout.refresh_from_db()
    assert (payout.status, assignment.is_first_call) == ("processing", False)


def test_the_worker_goes_by_the_clock_of_the_database(time_machine: Any) -> None:
    payout = pending_payout()
    time_machine.move_to(datetime(2001, 1, 1, tzinfo=UTC), tick=False)

    (assignment,) = actions.claim(limit=10)

    payout.refresh_from_db()
    assert payout.updated_at.year > 2001
    assert Payout.objects.filter(pk=payout.pk, due_at__gt=Now()).exists()
    assert assignment.may_post
    assert Event.objects.filter(payout=payout, at__lt=datetime(2001, 1, 2, tzinfo=UTC)).count() == 0


def test_a_batch_that_is_flagged_as_a_whole_does_not_hide_what_is_due_behind_it() -> None:
    altered = [pending_payout() for _each in range(3)]
    by_hand("UPDATE payouts_payout SET amount = amount + 1, due_at = now() - interval '1 hour'")
    sound = pending_payout()

    claimed = actions.claim(limit=3)

    assert [assignment.payout_id for assignment in claimed] == [sound.pk]
    flagged = Payout.objects.filter(pk__in=[payout.pk for payout in altered])
    assert set(flagged.values_list("attention", "due_at")) == {(Attention.TERMS_CHANGED, None)}


@pytest.mark.parametrize(
    "change",
    [
        """recipient_masked = '{"card": "9999 99•• •••• 0000"}'""",
        "comment = 'forged'",
        "created_at = created_at - interval '1 day'",
    ],
)
def test_what_people_see_of_a_payout_cannot_be_changed_by_sql_unseen(change: str) -> None:
    payout = pending_payout()
    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", payout.pk)

    assert audit_of(payout) == {"row_sealed"}
    assert actions.claim(limit=10) == []


def test_the_key_of_an_attempt_follows_from_the_payout_and_its_number() -> None:
    payout = recipes.retried_payout()

    claimed(payout)

    keys = payout.attempts.order_by("number").values_list("reference", flat=True)
    assert list(keys) == [attempt_reference(payout.reference, number) for number in (1, 2)]
    assert is_clean()


# The leases of a killed group


def test_the_leases_of_a_killed_group_end_with_it_and_those_of_others_go_on() -> None:
    pending_payout()
    pending_payout()
    actions.claim(limit=1, holder="one/a")
    actions.claim(limit=1, holder="one/b")
    rung = rings()

    ended = actions.end_leases("one/a")

    free, held = Payout.objects.order_by("lease_holder")
    assert (ended, rings() - rung) == (1, 1)
    assert free.due_at is not None
    assert held.due_at is not None
    assert free.due_at < held.due_at
    (assignment,) = actions.claim(limit=10, holder="one/b")
    assert (assignment.payout_id, assignment.is_first_call) == (free.pk, False)
    assert Payout.objects.get(pk=free.pk).lost_leases == 1
    assert is_clean()


def test_what_a_killed_group_had_given_back_or_recorded_stays_as_it_is() -> None:
    given_back, recorded = pending_payout(), pending_payout()
    assignments = {each.payout_id: each for each in actions.claim(limit=2, holder="one/a")}
    actions.give_back([assignments[given_back.pk]])
    actions.record_outcomes([(assignments[recorded.pk], recipes.PENDING)])

    with nothing_changes(given_back), nothing_changes(recorded):
        assert actions.end_leases("one/a") == 0


def test_ending_the_leases_of_nobody_rings_for_nothing() -> None:
    recipes.processing_payout()
    rung = rings()

    assert (actions.end_leases("nobody"), rings()) == (0, rung)
