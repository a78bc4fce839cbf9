"""The audit from outside finds each thing that it is there to find, in a world where that one thing is wrong."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.campaign.audit import World, counted, violations
from tests.campaign.clients import Ack
from tests.campaign.plan import KEY_TTL_SECONDS, Intent

INTENTS = {0: Intent(0, "100.50", ""), 1: Intent(1, "150000.00", ""), 2: Intent(2, "7.00", "")}
MAKER, CHECKER = 1, 2


def _events(payout: int, *steps: tuple[str, str | None, str, str | None]) -> Iterator[dict[str, Any]]:
    for seq, (event, origin, target, attempt) in enumerate(steps, 1):
        facts = {"attempt": attempt} if attempt else {}
        yield {
            "payout_id": payout,
            "seq": seq,
            "event": event,
            "from_status": origin,
            "to_status": target,
            "at": seq,
            "facts": facts,
        }


def _payout(number: int, version: int) -> dict[str, Any]:
    body = INTENTS[number].body
    return {
        "id": number + 1,
        "reference": f"payout-{number}",
        "user_id": body["user_id"],
        "amount": Decimal(INTENTS[number].amount),
        "currency": "RUB",
        "comment": body["comment"],
        "status": "processed",
        "attention": "",
        "version": version,
        "maker_id": MAKER,
    }


def _attempt(key: str, payout: int, outcome: str, *, number: int = 1) -> dict[str, Any]:
    at = datetime.fromtimestamp(100.0 + payout, UTC)
    return {"reference": key, "payout_id": payout, "number": number, "outcome": outcome, "created_at": at}


def _confirmed(subject: str, object_id: str, by: int, decided_by: int, **before: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "subject": subject,
        "object_id": object_id,
        "before": before,
        "proposed_by_id": by,
        "decided_by_id": decided_by,
    }


CHANGED = {"what": "band", "object_id": 3, "reason": "proposal 7, confirmed by second admin"}


def _payment(number: int, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "payout": f"payout-{number}",
        "amount": INTENTS[number].amount,
        "currency": "RUB",
        "recipient": json.dumps(INTENTS[number].body["recipient_details"]),
    }


def _request(method: str, key: str, at: float) -> dict[str, Any]:
    return {
        "method": method,
        "key": key,
        "at": at,
        "body_hash": f"body of {key}" if method == "POST" else "",
        "fault": "refused" if key == "a2" else "",
    }


def _ack(number: int) -> Ack:
    return Ack(number, number + 1, f"payout-{number}", {**INTENTS[number].body, "amount": INTENTS[number].amount})


@pytest.fixture
def sound() -> World:
    """Paid at once; paid after an approval; refused, retried, paid after an unknown outcome."""
    return World(
        intents=INTENTS,
        acks=[_ack(0), _ack(0), _ack(1), _ack(2)],
        payouts=[_payout(0, 3), _payout(1, 4), _payout(2, 7)],
        attempts=[
            _attempt("a0", 1, "succeeded"),
            _attempt("a1", 2, "succeeded"),
            _attempt("a2", 3, "refused"),
            _attempt("b2", 3, "succeeded", number=2),
        ],
        events=[
            *_events(
                1,
                ("submitted", None, "pending", None),
                ("claimed", "pending", "processing", "a0"),
                ("succeeded", "processing", "processed", "a0"),
            ),
            *_events(
                2,
                ("submitted", None, "pending", None),
                ("approved", "pending", "pending", None),
                ("claimed", "pending", "processing", "a1"),
                ("succeeded", "processing", "processed", "a1"),
            ),
            *_events(
                3,
                ("submitted", None, "pending", None),
                ("claimed", "pending", "processing", "a2"),
                ("refused", "processing", "failed", "a2"),
                ("retried", "failed", "pending", None),
                ("claimed", "pending", "processing", "b2"),
                ("outcome_unknown", "processing", "unknown", "b2"),
                ("succeeded", "unknown", "processed", "b2"),
            ),
        ],
        approvals=[{"payout_id": 2, "checker_id": CHECKER, "at": 2}],
        requests=[_request("POST", key, 10.0) for key in ("a0", "a1", "a2", "b2")] + [_request("GET", "b2", 90.0)],
        payments=[_payment(0, "a0"), _payment(1, "a1"), _payment(2, "b2")],
    )


def test_a_failure_that_the_provider_did_not_say_is_found(sound: World) -> None:
    world = replace(sound, requests=[{**request, "fault": "garbage"} for request in sound.requests])

    assert violations(world) == [("failed_without_refusal", "attempt a2")]


def test_a_sound_world_has_no_violation(sound: World) -> None:
    assert violations(sound) == []


def test_a_database_that_was_put_back_may_have_forgotten(sound: World) -> None:
    """Numbers of payouts, attempts that are not made again, and look-ups of keys that it does not have."""
    key = "of a retry that was forgotten"
    put_back = replace(
        sound,
        restored_at=100.0,
        acks=[*sound.acks, replace(_ack(0), payout=9, at=50.0), *(replace(_ack(n), at=110.0) for n in INTENTS)],
        requests=[
            *sound.requests,
            _request("POST", key, 20.0),
            _request("GET", "never sent", 105.0),
            _request("POST", "a0", 105.0),
        ],
    )

    assert violations(put_back) == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"requests": [_request("POST", "x", 101.0)]}, {"key_of_no_attempt"}),
        (
            {"requests": [_request("POST", "a0", at) for at in (101.0, 102.0 + KEY_TTL_SECONDS)]},
            {"sent_past_ttl"},
        ),
        (
            {"acks": [replace(_ack(0), reference="payout-9", at=50.0)]},
            {"acknowledged_and_lost", "intent_acknowledged_as_two"},
        ),
        (
            {"acks": [replace(_ack(0), at=110.0), replace(_ack(0), payout=2, at=110.0)]},
            {"acknowledged_otherwise", "intent_acknowledged_as_two"},
        ),
    ],
)
def test_what_it_must_not_do_is_found_all_the_same(
    sound: World, change: dict[str, list[Any]], names: set[str]
) -> None:
    more = {name: [*getattr(sound, name), *rows] for name, rows in change.items()}

    assert set(counted(violations(replace(sound, restored_at=100.0, **more)))) == names


type Change = Callable[[World], dict[str, Any]]


def _set(rows: Any, place: int, **changed: Any) -> list[dict[str, Any]]:
    return [{**row, **changed} if number == place else row for number, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda w: {"payments": [*w.payments, _payment(0, "a0")]}, {"paid_more_than_once", "sums_differ"}),
        (lambda w: {"payments": w.payments[1:]}, {"processed_but_unpaid", "sums_differ"}),
        (
            lambda w: {"payments": [*w.payments, {**_payment(0, "a0"), "payout": "x"}]},
            {"paid_for_nobody", "sums_differ", "key_of_another_payout"},
        ),
        (lambda w: {"payments": _set(w.payments, 0, amount="100.51")}, {"paid_something_else", "sums_differ"}),
        (lambda w: {"payments": _set(w.payments, 0, recipient="{}")}, {"paid_something_else"}),
        (
            lambda w: {"acks": [*w.acks, replace(_ack(0), payout=9)]},
            {"acknowledged_and_lost", "intent_acknowledged_as_two"},
        ),
        (lambda w: {"payouts": _set(w.payouts, 0, comment="x")}, {"acknowledged_otherwise"}),
        (
            lambda w: {"payouts": _set(w.payouts, 0, status="failed")},
            {"failed_but_paid", "not_paid_in_the_end", "sums_differ", "row_is_not_its_history"},
        ),
        (
            lambda w: {"payouts": _set(w.payouts, 0, status="unknown")},
            {"unknown_but_paid", "not_paid_in_the_end", "sums_differ", "row_is_not_its_history"},
        ),
        (lambda w: {"requests": [*w.requests, _request("GET", "x", 1.0)]}, {"key_of_no_attempt"}),
        (
            lambda w: {"requests": [*w.requests, {**_request("POST", "a0", 11.0), "body_hash": "another"}]},
            {"key_with_two_bodies"},
        ),
        (
            lambda w: {"requests": [*w.requests, _request("POST", "a0", 11.0 + KEY_TTL_SECONDS)]},
            {"sent_past_ttl"},
        ),
        (lambda w: {"events": [*w.events[:1], *w.events[2:]]}, {"events_with_gaps", "move_not_allowed"}),
        (lambda w: {"events": _set(w.events, 9, to_status="processed")}, {"move_not_allowed"}),
        (lambda w: {"torn": [3]}, {"history_torn"}),
        (
            lambda w: {
                "payouts": _set(w.payouts, 0, version=4),
                "events": [*w.events, {**w.events[2], "seq": 4, "from_status": "processed"}],
            },
            {"ended_twice"},
        ),
        (
            lambda w: {
                "payouts": _set(w.payouts, 0, version=4),
                "events": [*w.events, {**w.events[2], "seq": 4, "from_status": "processed", "event": "accepted"}],
            },
            {"late_outcome"},
        ),
        (lambda w: {"attempts": _set(w.attempts, 0, outcome="open")}, {"outcome_without_event"}),
        (lambda w: {"approvals": []}, {"paid_without_approvals"}),
        (lambda w: {"approvals": _set(w.approvals, 0, checker_id=MAKER)}, {"paid_without_approvals"}),
        (lambda w: {"approvals": _set(w.approvals, 0, at=4)}, {"paid_without_approvals"}),
        (lambda w: {"tampered": {1: "count_raised"}, "named_by_product": [(2, "row_sealed")]}, {"tampered_and_paid"}),
        (
            lambda w: {"tampered": {1: "count_raised"}},
            {"tampered_and_paid", "altered_and_not_named"},
        ),
        (lambda w: {"limits": [(0.0, Decimal("150107.49"))]}, {"over_velocity_limit"}),
        (lambda w: {"limits": [(0.0, Decimal(1)), (103.5, Decimal(999_999))]}, {"over_velocity_limit"}),
        (lambda w: {"changes": [CHANGED]}, {"changed_by_one_person"}),
        (
            lambda w: {"changes": [{**CHANGED, "reason": ""}], "proposals": [_confirmed("approval_band", "3", 1, 2)]},
            {"changed_by_one_person"},
        ),
        (
            lambda w: {"changes": [CHANGED], "proposals": [_confirmed("approval_band", "3", 1, 1)]},
            {"changed_by_one_person"},
        ),
        (
            lambda w: {"changes": [CHANGED], "proposals": [_confirmed("approval_band", "4", 1, 2)]},
            {"changed_by_one_person"},
        ),
        (lambda w: {"named_by_product": [(1, "row_sealed")]}, {"audit_row_sealed"}),
        (lambda w: {"named_by_product": [(None, "database_guard")]}, {"audit_database_guard"}),
    ],
)
def test_what_is_wrong_is_found_by_its_name(sound: World, change: Change, names: set[str]) -> None:
    assert counted(violations(replace(sound, **change(sound)))).keys() == names


def test_what_two_people_did_is_no_violation(sound: World) -> None:
    let_go = _confirmed("let_go", "2", 1, 2, reference="payout-1", attempt=1)
    world = replace(
        sound,
        limits=[(0.0, Decimal("107.50"))],
        changes=[CHANGED],
        proposals=[_confirmed("approval_band", "3", 1, 2), {**let_go, "id": 8}],
    )

    assert violations(world) == []


def test_an_intent_that_was_stored_twice_is_found(sound: World) -> None:
    second = {**_payout(0, 1), "id": 9, "reference": "payout-9"}
    world = replace(sound, payouts=[*sound.payouts, {**second, "status": "pending"}])

    assert counted(violations(world))["intent_stored_twice"] == 1
