"""The audit names every payout that was altered past the actions, and the invariant that it breaks."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from payouts import actions
from payouts.models import Payout
from tests import recipes
from tests.payouts.observe import audit_of, by_hand, is_clean, unguarded
from tests.recipes import (
    PAYOUTS,
    approved_payout,
    awaiting_payout,
    failed_payout,
    half_resolved_payout,
    held_payout,
    pending_payout,
    processed_payout,
    processing_payout,
    resolved_payout,
    scheduled_payout,
    unknown_payout,
)

pytestmark = pytest.mark.django_db

type Recipe = Callable[..., Payout]


def test_an_empty_database_is_clean() -> None:
    assert is_clean()


def test_all_recipes_together_are_clean() -> None:
    for make in PAYOUTS.values():
        make()

    assert is_clean()


@pytest.mark.parametrize(
    ("recipe", "change", "invariants"),
    [
        (failed_payout, "status = 'pending', due_at = now()", {"row_sealed", "status_agrees"}),
        (
            unknown_payout,
            "status = 'failed', due_at = NULL",
            {"row_sealed", "status_agrees", "unsent_has_no_attempt"},
        ),
        (scheduled_payout, "due_at = now()", {"due_in_time"}),
        (pending_payout, "status = 'cancelled', due_at = NULL", {"row_sealed", "status_agrees"}),
        (
            pending_payout,
            "status = 'processed', processed_at = now(), due_at = NULL",
            {"row_sealed", "status_agrees", "paid_once"},
        ),
        (pending_payout, "amount = amount + 1", {"terms_unchanged"}),
        (processed_payout, "amount = amount - 1", {"terms_unchanged"}),
        (pending_payout, "amount = 1.005", {"terms_unchanged", "amount_exact"}),
        (pending_payout, "currency = 'USD'", {"terms_unchanged"}),
        (pending_payout, "recipient = 'junk'", {"recipient_readable"}),
        (pending_payout, "terms_hash = 'x'", {"row_sealed", "terms_unchanged"}),
        (awaiting_payout, "approvals_required = 0", {"row_sealed", "open_is_due"}),
        (awaiting_payout, "approvals_given = 1", {"row_sealed", "approvals_counted", "open_is_due"}),
        (awaiting_payout, "maker_id = (SELECT min(id) FROM auth_user)", {"row_sealed"}),
        (held_payout, "held_at = NULL, held_by_id = NULL, due_at = now()", {"row_sealed"}),
        (held_payout, "held_at = held_at - interval '1 day'", {"row_sealed"}),
        (pending_payout, "user_id = 124", {"row_sealed"}),
        (pending_payout, "provider = 'other'", {"row_sealed"}),
        (pending_payout, "scheduled_for = now()", {"row_sealed"}),
        (pending_payout, "version = 2", {"row_sealed", "events_gapless"}),
        (processed_payout, "processed_at = now() - interval '1 year'", {"row_sealed"}),
        (pending_payout, "idempotency_key = 'k', request_hash = 'x'", {"row_sealed"}),
        (pending_payout, "event_head = 'x'", {"row_sealed", "events_chained"}),
        (pending_payout, "seal = 'x'", {"row_sealed"}),
        (pending_payout, "attention = 'altered', due_at = NULL", {"row_sealed"}),
        (pending_payout, "due_at = NULL", {"open_is_due"}),
        (unknown_payout, "due_at = NULL", {"open_is_due"}),
        (processing_payout, "due_at = NULL, lease_token = NULL", {"open_is_due"}),
    ],
)
def test_a_row_altered_by_sql_is_named_with_its_invariants(recipe: Recipe, change: str, invariants: set[str]) -> None:
    recipes.person.make()
    altered, sound = recipe(), pending_payout()

    by_hand(f"UPDATE payouts_payout SET {change} WHERE id = %s", altered.pk)

    assert audit_of(altered) == invariants
    assert audit_of(sound) == set()
    assert audit_of(None) == set()


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        ("UPDATE payouts_event SET reason = 'better' WHERE payout_id = %s AND seq = 2", {"events_chained"}),
        ("UPDATE payouts_event SET actor = 'user:other' WHERE payout_id = %s AND seq = 1", {"events_chained"}),
        ("UPDATE payouts_event SET at = at - interval '1 s' WHERE payout_id = %s AND seq = 3", {"events_chained"}),
        ("UPDATE payouts_event SET trace_id = 'x' WHERE payout_id = %s AND seq = 2", {"events_chained"}),
        ("UPDATE payouts_event SET mac = 'x' WHERE payout_id = %s AND seq = 3", {"events_chained"}),
        (
            "UPDATE payouts_event SET event = 'held' WHERE payout_id = %s AND seq = 2",
            {"events_chained", "attempts_recorded"},
        ),
        (
            "UPDATE payouts_event SET facts = '{}' WHERE payout_id = %s AND seq = 2",
            {"events_chained", "attempts_recorded"},
        ),
        (
            "UPDATE payouts_event SET to_status = 'failed' WHERE payout_id = %s AND seq = 3",
            {"events_chained", "status_agrees"},
        ),
        (
            "UPDATE payouts_event SET to_status = 'returned' WHERE payout_id = %s AND seq = 2",
            {"events_chained", "events_agree", "transition_legal"},
        ),
        (
            "DELETE FROM payouts_event WHERE payout_id = %s AND seq = 2",
            {"events_gapless", "events_chained", "events_agree", "attempts_recorded"},
        ),
        (
            "DELETE FROM payouts_event WHERE payout_id = %s AND seq = 3",
            {"events_gapless", "events_chained", "status_agrees", "attempt_ended_by_event"},
        ),
        (
            "DELETE FROM payouts_event WHERE payout_id = %s",
            {"events_gapless", "events_chained", "attempts_recorded", "attempt_ended_by_event"},
        ),
        (
            "INSERT INTO payouts_event"
            " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
            " SELECT id, 4, 'revealed', status, status, now(), 'x', '', '', '{}', 'x'"
            " FROM payouts_payout WHERE id = %s",
            {"events_gapless", "events_chained"},
        ),
    ],
)
def test_a_history_altered_by_sql_is_named_with_its_invariants(change: str, invariants: set[str]) -> None:
    altered, sound = processed_payout(), processed_payout()

    with unguarded("payouts_event"):
        by_hand(change, altered.pk)

    assert audit_of(altered) == invariants
    assert audit_of(sound) == set()


def test_an_event_is_of_the_person_whatever_they_are_called_later(checker: User, operator: User) -> None:
    payout = actions.approve(awaiting_payout().pk, by=checker)
    checker.username = "renamed"
    checker.save()

    event = payout.events.get(seq=2)
    assert (event.actor, event.person) == ("user:checker", checker)
    assert payout.events.get(seq=1).person is None  # a client's
    assert is_clean()
    for change in (operator.pk, None):
        with unguarded("payouts_event"):
            by_hand("UPDATE payouts_event SET person_id = %s WHERE id = %s", change, event.pk)
        assert audit_of(payout) == {"events_chained"}


def test_an_event_moved_to_another_payout_is_noticed_in_both() -> None:
    one, other = processed_payout(), pending_payout()

    with unguarded("payouts_event"):
        by_hand("UPDATE payouts_event SET payout_id = %s WHERE payout_id = %s AND seq = 3", other.pk, one.pk)

    assert "events_gapless" in audit_of(one)
    assert {"events_gapless", "events_chained"} <= audit_of(other)


def test_two_events_that_changed_places_are_noticed(operator: User) -> None:
    payout = held_payout()
    actions.release(payout.pk, by=operator)

    with unguarded("payouts_event"):
        by_hand("UPDATE payouts_event SET seq = 5 - seq + 100 WHERE payout_id = %s AND seq > 1", payout.pk)
        by_hand("UPDATE payouts_event SET seq = seq - 100 WHERE payout_id = %s AND seq > 1", payout.pk)

    assert audit_of(payout) == {"events_chained"}


def test_a_last_event_cut_off_is_noticed_though_the_row_was_put_back_before_it(operator: User) -> None:
    payout = pending_payout()
    actions.hold(payout.pk, by=operator, reason="Wait.")

    with unguarded("payouts_event"):
        by_hand("DELETE FROM payouts_event WHERE payout_id = %s AND seq = 2", payout.pk)
    by_hand(
        "UPDATE payouts_payout SET version = 1, held_at = NULL, held_by_id = NULL, due_at = now(),"
        " event_head = (SELECT mac FROM payouts_event WHERE payout_id = payouts_payout.id AND seq = 1) WHERE id = %s",
        payout.pk,
    )

    assert audit_of(payout) == {"row_sealed"}


def test_a_payment_put_back_to_its_own_earlier_row_with_its_seal_is_noticed_by_its_attempt() -> None:
    payout = pending_payout()
    earlier = Payout.objects.filter(pk=payout.pk).values("status", "version", "event_head", "seal", "due_at").get()
    recipes.answered(payout, recipes.SUCCEEDED)

    with unguarded("payouts_event"):
        by_hand("DELETE FROM payouts_event WHERE payout_id = %s AND seq > 1", payout.pk)
    Payout.objects.filter(pk=payout.pk).update(**earlier, processed_at=None)

    assert audit_of(payout) == {
        "paid_is_processed",
        "unsent_has_no_attempt",
        "attempts_recorded",
        "attempt_ended_by_event",
    }


def test_an_attempt_that_ended_twice_is_named() -> None:
    payout = processed_payout()
    by_hand(
        "INSERT INTO payouts_event"
        " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
        " SELECT payout_id, seq + 1, event, to_status, to_status, at, actor, reason, trace_id, facts, mac"
        " FROM payouts_event WHERE payout_id = %s AND event = 'succeeded'",
        payout.pk,
    )

    assert audit_of(payout) == {"events_gapless", "events_chained", "attempt_ended_once"}


@pytest.mark.parametrize("facts", ["{}", "[]", "null", '"x"', '{"attempt": [], "decision": {}}'])
@pytest.mark.parametrize("event", ["claimed", "resolved", "succeeded"])
def test_a_forged_event_with_odd_facts_is_named_and_stops_no_audit(event: str, facts: str) -> None:
    forged, altered = unknown_payout(), pending_payout()
    by_hand(
        "INSERT INTO payouts_event"
        " (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)"
        " SELECT id, version + 1, %s, status, status, now(), 'x', '', '', %s::jsonb, 'x'"
        " FROM payouts_payout WHERE id = %s",
        event,
        facts,
        forged.pk,
    )
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", altered.pk)

    assert audit_of(forged) >= {"events_gapless", "events_chained"}
    assert audit_of(altered) == {"row_sealed"}


# Approvals


def test_an_approval_put_in_by_sql_is_noticed(checker: User) -> None:
    payout = awaiting_payout()

    by_hand(
        "INSERT INTO payouts_approval (payout_id, checker_id, decision, number, terms_hash, evidence, at, mac)"
        " SELECT id, %s, 'approve', 1, terms_hash, '', now(), 'x' FROM payouts_payout WHERE id = %s",
        checker.pk,
        payout.pk,
    )

    assert audit_of(payout) == {"approval_sealed", "approvals_counted"}


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        ("checker_id = (SELECT min(id) FROM auth_user)", {"approval_sealed"}),
        ("at = now() - interval '1 day'", {"approval_sealed"}),
        ("evidence = 'x'", {"approval_sealed"}),
        ("mac = 'x'", {"approval_sealed"}),
        ("terms_hash = 'x'", {"approval_sealed", "approval_bound_to_terms"}),
    ],
)
def test_an_approval_altered_by_sql_is_noticed(change: str, invariants: set[str], operator: User) -> None:
    payout = approved_payout()

    with unguarded("payouts_approval"):
        by_hand(f"UPDATE payouts_approval SET {change} WHERE payout_id = %s", payout.pk)

    assert audit_of(payout) == invariants


def test_an_approval_deleted_by_sql_is_noticed() -> None:
    payout = recipes.answered(approved_payout(), recipes.SUCCEEDED)

    with unguarded("payouts_approval"):
        by_hand("DELETE FROM payouts_approval WHERE payout_id = %s", payout.pk)

    assert audit_of(payout) == {"approvals_counted"}


def test_an_approval_of_the_maker_is_noticed() -> None:
    payout = approved_payout()
    approval = payout.approvals.get()

    by_hand("UPDATE payouts_payout SET maker_id = %s WHERE id = %s", approval.checker_id, payout.pk)

    assert audit_of(payout) == {"row_sealed", "maker_is_not_checker"}


def test_a_voice_put_in_by_sql_is_noticed(checker: User) -> None:
    payout = half_resolved_payout()

    by_hand(
        "INSERT INTO payouts_approval"
        " (payout_id, attempt_id, checker_id, decision, number, terms_hash, evidence, at, mac)"
        " SELECT payout_id, id, %s, 'not_paid', 1, 'x', 'forged', now(), 'x'"
        " FROM payouts_attempt WHERE payout_id = %s",
        checker.pk,
        payout.pk,
    )

    assert audit_of(payout) == {"approval_sealed", "approval_bound_to_terms"}


def test_a_voice_deleted_after_it_decided_is_noticed() -> None:
    payout = resolved_payout()

    with unguarded("payouts_approval"):
        by_hand(
            "DELETE FROM payouts_approval WHERE id = (SELECT min(id) FROM payouts_approval WHERE payout_id = %s)",
            payout.pk,
        )

    assert audit_of(payout) == {"resolved_by_two"}


# Attempts


SUCCEED = "outcome = 'succeeded', finished_at = now()"
REFUSE = "outcome = 'refused', finished_at = now()"


@pytest.mark.parametrize(
    ("recipe", "change", "invariants"),
    [
        (processed_payout, "outcome = 'refused'", {"paid_once", "attempt_ended_by_event"}),
        (processed_payout, "outcome = 'open', finished_at = NULL", {"paid_once", "attempt_ended_by_event"}),
        (
            unknown_payout,
            "outcome = 'succeeded', finished_at = now()",
            {"paid_is_processed", "attempt_ended_by_event"},
        ),
        (unknown_payout, REFUSE, {"sent_has_attempt", "attempt_ended_by_event"}),
        (
            processing_payout,
            "outcome = 'refused', finished_at = now()",
            {"sent_has_attempt", "attempt_ended_by_event"},
        ),
        (failed_payout, "outcome = 'open', finished_at = NULL", {"unsent_has_no_attempt", "attempt_ended_by_event"}),
        (
            failed_payout,
            "outcome = 'succeeded'",
            {"unsent_has_no_attempt", "paid_is_processed", "attempt_ended_by_event"},
        ),
        (processing_payout, "reference = gen_random_uuid()", {"attempts_recorded", "key_follows"}),
        (failed_payout, "number = 2", {"attempts_numbered", "key_follows"}),
    ],
)
def test_an_attempt_altered_by_sql_is_noticed(recipe: Recipe, change: str, invariants: set[str]) -> None:
    payout = recipe()

    with unguarded("payouts_attempt"):
        by_hand(f"UPDATE payouts_attempt SET {change} WHERE payout_id = %s", payout.pk)

    assert audit_of(payout) == invariants


def test_an_attempt_deleted_by_sql_is_noticed() -> None:
    payout = failed_payout()

    with unguarded("payouts_attempt"), unguarded("payouts_exchange"):
        by_hand("DELETE FROM payouts_exchange")  # whose foreign key would keep it
        by_hand("DELETE FROM payouts_attempt WHERE payout_id = %s", payout.pk)

    assert audit_of(payout) == {"attempts_recorded"}


# The guards, the seal's key, and the command


@pytest.mark.parametrize(
    ("table", "trigger"),
    [
        ("payouts_payout", "payout_never_deleted"),
        ("payouts_event", "event_append_only"),
        ("payouts_approval", "approval_append_only"),
        ("payouts_approval", "approval_maker_is_not_checker"),
        ("payouts_attempt", "attempt_never_deleted"),
        ("payouts_attempt", "attempt_key_is_fixed"),
    ],
)
@pytest.mark.parametrize(
    "change", ["ALTER TABLE {table} DISABLE TRIGGER {trigger}", "DROP TRIGGER {trigger} ON {table}"]
)
def test_a_guard_that_is_off_is_noticed(table: str, trigger: str, change: str) -> None:
    pending_payout()
    by_hand("SET CONSTRAINTS ALL IMMEDIATE")

    by_hand(change.format(table=table, trigger=trigger))

    assert audit_of(None) == {"database_guard"}


def test_a_trigger_of_that_name_on_another_table_guards_nothing() -> None:
    by_hand("DROP TRIGGER event_append_only ON payouts_event")
    by_hand(
        "CREATE TRIGGER event_append_only BEFORE DELETE ON payouts_heartbeat"
        " FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change()"
    )

    assert audit_of(None) == {"database_guard"}


def test_a_guard_that_lets_everything_pass_is_noticed() -> None:
    by_hand(
        "CREATE OR REPLACE FUNCTION payouts_refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$"
    )

    assert audit_of(None) == {"database_guard"}


def test_a_guard_with_the_body_of_another_is_noticed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'payouts_refuse_maker'")
        body = cursor.fetchone()[0].replace("%", "%%")

    by_hand(
        f"CREATE OR REPLACE FUNCTION payouts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body${body}$body$"
    )

    assert audit_of(None) == {"database_guard"}


def test_history_cannot_be_forged_without_the_key(settings: Any) -> None:
    payout = pending_payout()
    settings.EVENT_HMAC_KEYS = ["a guess that is long enough to be taken"]

    assert {"row_sealed", "events_chained"} <= audit_of(payout)


def test_the_command_exits_0_when_all_is_well() -> None:
    pending_payout()
    out = StringIO()

    call_command("audit", stdout=out)
    call_command("audit", "--json", stdout=(as_json := StringIO()))

    assert "1 payouts" in out.getvalue()
    assert json.loads(as_json.getvalue()) == {"ok": True, "payouts": 1, "broken": []}


def test_the_command_exits_1_and_names_the_payout_and_the_invariant() -> None:
    payout = pending_payout()
    by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)
    out, as_json = StringIO(), StringIO()

    with pytest.raises(CommandError) as failure:
        call_command("audit", stdout=out)
    with pytest.raises(CommandError) as failure_as_json:
        call_command("audit", "--json", stdout=as_json)

    assert failure.value.returncode == failure_as_json.value.returncode == 1
    assert f"payout {payout.pk}: row_sealed" in out.getvalue()
    report = json.loads(as_json.getvalue())
    assert (report["ok"], report["payouts"]) == (False, 1)
    assert [(each["payout_id"], each["invariant"]) for each in report["broken"]] == [(payout.pk, "row_sealed")]


def test_the_command_names_the_database_when_a_guard_is_off() -> None:
    by_hand("ALTER TABLE payouts_event DISABLE TRIGGER event_append_only")
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("audit", stdout=out)

    assert out.getvalue().startswith("database: database_guard: ")


def test_more_payouts_than_one_batch_are_all_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.audit.BATCH", 2)
    payouts = [pending_payout() for _each in range(5)]

    for payout in payouts[1::2]:
        by_hand("UPDATE payouts_payout SET user_id = 9 WHERE id = %s", payout.pk)

    assert [bool(audit_of(payout)) for payout in payouts] == [False, True, False, True, False]
