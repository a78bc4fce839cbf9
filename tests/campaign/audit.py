"""The audit from outside: the provider's ledger, the database's rows and the clients' acknowledgements, compared.

Nothing of the product is imported: what must hold is written down here once more, in plain SQL and Python.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from tests.campaign.clients import Ack
from tests.campaign.ledger import read
from tests.campaign.plan import FREEZE, KEY_TTL_SECONDS, Intent

WINDOW_SECONDS: Final = 60.0

# safety.md
TRANSITIONS: Final = {
    (None, "pending"),
    ("pending", "processing"),
    ("pending", "processed"),
    ("pending", "rejected"),
    ("pending", "cancelled"),
    ("processing", "pending"),
    ("processing", "processed"),
    ("processing", "failed"),
    ("processing", "unknown"),
    ("unknown", "pending"),
    ("unknown", "processed"),
    ("unknown", "failed"),
    ("failed", "pending"),
    ("failed", "processed"),
    ("processed", "returned"),
}
FINAL_EVENTS: Final = ("succeeded", "refused", "lacked_funds", "resolved", "reconciled")
# What the provider calls its answers that refuse, and the product an attempt that it ended without sending it.
REFUSALS: Final = ("refused", FREEZE)
REFUSAL_EVENTS: Final = ("refused", "lacked_funds")
NEVER_SENT: Final = "paid_earlier"
OUTCOME_EVENTS: Final = ("accepted", "outcome_unknown", *FINAL_EVENTS)

type Row = Mapping[str, Any]
type Finding = tuple[str, str]


@dataclass(frozen=True)
class World:
    """All that is known from outside when everything is over."""

    intents: Mapping[int, Intent]
    acks: Iterable[Ack]
    payouts: Iterable[Row]
    attempts: Iterable[Row]
    events: Iterable[Row]
    approvals: Iterable[Row]
    """Those that let a payout go, not voices on an attempt."""
    requests: Iterable[Row]
    payments: Iterable[Row]
    tampered: Mapping[int, str] = field(default_factory=dict)
    torn: Iterable[int] = ()
    limits: Iterable[tuple[float, Decimal]] = ()
    """Of what may leave in a minute: from when on, by time.time(), a limit may have been in force."""
    changes: Iterable[Row] = ()
    """Rows of the bands' and limits' history that tell of a change."""
    proposals: Iterable[Row] = ()
    """Those that were confirmed."""
    named_by_product: Iterable[tuple[int | None, str]] = ()
    """Payout and invariant, from `manage.py audit --json`."""
    restored_at: float = 0.0
    """When the database was put back, by time.time(); 0 when it was not."""


def violations(world: World) -> list[Finding]:
    """Each with its name and what it is about; nothing when all is well."""
    checks: tuple[Callable[[World], Iterator[Finding]], ...] = (
        _payments,
        _sums,
        _acks,
        _ends,
        _keys,
        _histories,
        _outcomes,
        _refusals,
        _approvals,
        _velocity,
        _two_people,
        _doubles,
        _own_audit,
    )
    return [finding for check in checks for finding in check(world)]


def counted(findings: Iterable[Finding]) -> dict[str, int]:
    return dict(sorted(Counter(name for name, _about in findings).items()))


def _payments(world: World) -> Iterator[Finding]:
    """Money left once for each payout that is processed, for no other, and as it was asked for."""
    by_payout = _grouped(world.payments, "payout")
    known = {payout["reference"] for payout in world.payouts}
    for reference in by_payout.keys() - known:
        yield "paid_for_nobody", reference
    for payout in world.payouts:
        paid = by_payout.get(payout["reference"], [])
        about = f"payout {payout['id']}"
        if len(paid) > 1:
            yield "paid_more_than_once", f"{about}: {len(paid)} payments"
        if payout["status"] == "processed" and not paid:
            yield "processed_but_unpaid", about
        if payout["status"] != "processed" and paid:
            yield f"{payout['status']}_but_paid", about
        intent = world.intents.get(payout["user_id"] - 1)
        for payment in paid:
            recipient = intent.body["recipient_details"] if intent else None
            if (
                Decimal(payment["amount"]) != payout["amount"]
                or payment["currency"] != payout["currency"]
                or json.loads(payment["recipient"]) != recipient
            ):
                yield "paid_something_else", about


def _sums(world: World) -> Iterator[Finding]:
    processed = sum(payout["amount"] for payout in world.payouts if payout["status"] == "processed")
    paid = sum(Decimal(payment["amount"]) for payment in world.payments)
    if processed != paid:
        yield "sums_differ", f"processed {processed}, paid {paid}"


def _acks(world: World) -> Iterator[Finding]:
    """What was acknowledged is stored, with the content that was acknowledged.

    What was acknowledged before the database was put back is the same payout under the same reference.
    """
    by_id = {payout["id"]: payout for payout in world.payouts}
    by_reference = {payout["reference"]: payout for payout in world.payouts}
    for ack in world.acks:
        payout = by_reference.get(ack.reference) if ack.at < world.restored_at else by_id.get(ack.payout)
        if payout is None:
            yield "acknowledged_and_lost", f"intent {ack.intent}, payout {ack.payout}"
            continue
        wanted = world.intents[ack.intent].body
        stored = {name: payout[name] for name in ("user_id", "amount", "currency", "comment")}
        asked = {**wanted, "amount": Decimal(str(wanted["amount"]))}
        told = {**ack.body, "amount": Decimal(str(ack.body["amount"]))}
        if any(not stored[name] == asked[name] == told[name] for name in stored) or (
            payout["reference"] != ack.reference or ack.body["recipient_details"] != wanted["recipient_details"]
        ):
            yield "acknowledged_otherwise", f"intent {ack.intent}, payout {ack.payout}"


def _ends(world: World) -> Iterator[Finding]:
    for payout in world.payouts:
        number = payout["user_id"] - 1
        if payout["status"] != "processed" and number not in world.tampered:
            yield "not_paid_in_the_end", f"payout {payout['id']} is {payout['status']} {payout['attention']}"


def _keys(world: World) -> Iterator[Finding]:
    """One key and one body for each attempt, no call under any other key, and no POST when the key is forgotten.

    A database that was put back has forgotten attempts, asks about keys that it does not have, and begins anew.
    """
    keys = {attempt["reference"]: attempt for attempt in world.attempts}
    for key, requests in _grouped(world.requests, "key").items():
        posts = [request for request in requests if request["method"] == "POST"]
        is_known = key in keys or (world.restored_at and (not posts or posts[0]["at"] < world.restored_at))
        if not is_known:
            yield "key_of_no_attempt", key
        if len({request["body_hash"] for request in posts}) > 1:
            yield "key_with_two_bodies", key
        for is_later in (False, True):
            times = [post["at"] for post in posts if (post["at"] >= world.restored_at) == is_later]
            if times and times[-1] > times[0] + KEY_TTL_SECONDS:
                yield "sent_past_ttl", key
    payouts = {payout["reference"]: payout["id"] for payout in world.payouts}
    for payment in world.payments:
        attempt = keys.get(payment["key"])
        if attempt and attempt["payout_id"] != payouts.get(payment["payout"]):
            yield "key_of_another_payout", payment["key"]


def _histories(world: World) -> Iterator[Finding]:
    """Gapless, legal, ending where the row stands; at every moment that was looked at, too."""
    by_payout = _grouped(world.events, "payout_id")
    for payout in world.payouts:
        events = by_payout.get(payout["id"], [])
        about = f"payout {payout['id']}"
        if [event["seq"] for event in events] != list(range(1, payout["version"] + 1)):
            yield "events_with_gaps", about
        before = None
        for event in events:
            origin, target = event["from_status"], event["to_status"]
            if origin != before or (origin != target and (origin, target) not in TRANSITIONS):
                yield "move_not_allowed", f"{about}: {origin} to {target} after {before}"
            before = target
        if before != payout["status"]:
            yield "row_is_not_its_history", f"{about}: {payout['status']}, not {before}"
    for payout_id in world.torn:
        yield "history_torn", f"payout {payout_id}"


def _outcomes(world: World) -> Iterator[Finding]:
    """An attempt ends once, nothing is said of it afterwards, and its row says the same.

    But a refusal may turn out to have been a payment.
    """
    ended: dict[str, str] = {}
    for event in sorted(world.events, key=lambda each: (each["payout_id"], each["seq"])):
        attempt = event["facts"].get("attempt")
        if event["event"] not in OUTCOME_EVENTS or attempt is None:
            continue
        is_correction = ended.get(attempt) in REFUSAL_EVENTS and event["event"] in ("succeeded", "resolved")
        if attempt in ended and not is_correction:
            name = "ended_twice" if event["event"] in FINAL_EVENTS else "late_outcome"
            yield name, f"attempt {attempt}: {event['event']} after {ended[attempt]}"
        elif event["event"] in FINAL_EVENTS:
            ended[attempt] = event["event"]
    for attempt in world.attempts:
        if (attempt["outcome"] != "open") != (attempt["reference"] in ended):
            yield "outcome_without_event", f"attempt {attempt['reference']} is {attempt['outcome']}"


def _refusals(world: World) -> Iterator[Finding]:
    """Nothing fails but by the provider's own refusal, even where the payment is found and made good later."""
    refused = {request["key"] for request in world.requests if request["fault"] in REFUSALS}
    for event in world.events:
        facts = event["facts"]
        is_refusal = event["event"] in REFUSAL_EVENTS and facts.get("code") != NEVER_SENT
        if is_refusal and facts.get("attempt") not in refused:
            yield "failed_without_refusal", f"attempt {facts.get('attempt')}"


def _approvals(world: World) -> Iterator[Finding]:
    """What needs approvals was paid with as many, by people other than the maker, all given before it was sent."""
    by_payout = _grouped(world.approvals, "payout_id")
    sent_at = {event["payout_id"]: event["at"] for event in world.events if event["event"] == "claimed"}
    paid = {payment["payout"] for payment in world.payments}
    for payout in world.payouts:
        number = payout["user_id"] - 1
        if number in world.tampered and payout["reference"] in paid:
            yield "tampered_and_paid", f"payout {payout['id']}: {world.tampered[number]}"
        needed = _approvals_needed(payout)
        given = {
            approval["checker_id"]
            for approval in by_payout.get(payout["id"], [])
            if approval["checker_id"] != payout["maker_id"]
            and approval["at"] <= sent_at.get(payout["id"], approval["at"])
        }
        if payout["reference"] in paid and len(given) < needed:
            yield "paid_without_approvals", f"payout {payout['id']}: {len(given)} of {needed}"


def _approvals_needed(payout: Row) -> int:
    """The bands of RUB."""
    return (payout["amount"] >= 100_000) + (payout["amount"] >= 1_000_000)


def _velocity(world: World) -> Iterator[Finding]:
    """Within no minute more was sent than the limit that was in force, but for what two people had let go.

    A payment counts when its attempt was made, which is before it was called for.
    """
    if not world.limits:
        return
    attempts = {attempt["reference"]: attempt for attempt in world.attempts}
    let_go = {
        (proposal["before"]["reference"], proposal["before"]["attempt"])
        for proposal in world.proposals
        if proposal["subject"] == "let_go"
    }
    sent = []
    for payment in world.payments:
        attempt = attempts.get(payment["key"])
        if attempt and (payment["payout"], attempt["number"]) not in let_go:
            sent.append((attempt["created_at"].timestamp(), Decimal(payment["amount"])))
    sent.sort()
    first, total = 0, Decimal(0)
    for at, amount in sent:
        total += amount
        while sent[first][0] <= at - WINDOW_SECONDS:
            total -= sent[first][1]
            first += 1
        limit = max(limit for since, limit in world.limits if since <= at)
        if total > limit:
            yield "over_velocity_limit", f"{total} within a minute before {at:.0f}, the limit {limit}"


def _two_people(world: World) -> Iterator[Finding]:
    """Each change of a band or a limit was proposed by one person and confirmed by another."""
    confirmed = {
        proposal["id"]: proposal
        for proposal in world.proposals
        if proposal["decided_by_id"] not in (None, proposal["proposed_by_id"])
    }
    for change in world.changes:
        number = re.match(r"proposal (\d+),", change["reason"])
        proposal = confirmed.get(int(number[1])) if number else None
        if proposal is None or proposal["object_id"] != str(change["object_id"]):
            yield "changed_by_one_person", f"{change['what']} {change['object_id']}: {change['reason']!r}"


def _doubles(world: World) -> Iterator[Finding]:
    stored = Counter(payout["user_id"] - 1 for payout in world.payouts)
    for number, count in stored.items():
        if count > 1:
            yield "intent_stored_twice", f"intent {number}: {count} payouts"
    for number, acks in _grouped([vars(ack) for ack in world.acks], "intent").items():
        numbers = {ack["payout"] for ack in acks if ack["at"] >= world.restored_at}
        if len(numbers) > 1 or len({ack["reference"] for ack in acks}) > 1:
            yield "intent_acknowledged_as_two", f"intent {number}"


def _own_audit(world: World) -> Iterator[Finding]:
    """`manage.py audit` names what was altered by SQL, and nothing else."""
    altered = {payout["id"] for payout in world.payouts if payout["user_id"] - 1 in world.tampered}
    named = {payout for payout, _invariant in world.named_by_product}
    for payout_id in altered - named:
        yield "altered_and_not_named", f"payout {payout_id}"
    for payout_id, invariant in world.named_by_product:
        if payout_id not in altered:
            yield f"audit_{invariant}", f"payout {payout_id}"


def _grouped(rows: Iterable[Row], name: str) -> dict[Any, list[Row]]:
    grouped: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[name]].append(row)
    return dict(grouped)


# Reading


DATABASE: Final = {
    "payouts": """
        SELECT id, reference::text AS reference, user_id, amount, currency, comment, status, attention, version,
               maker_id
        FROM payouts_payout ORDER BY id""",
    "attempts": """
        SELECT reference::text AS reference, payout_id, number, outcome, created_at
        FROM payouts_attempt ORDER BY payout_id, number""",
    "events": """
        SELECT payout_id, seq, event, from_status, to_status, at, facts FROM payouts_event ORDER BY payout_id, seq""",
    "approvals": "SELECT payout_id, checker_id, at FROM payouts_approval WHERE attempt_id IS NULL",
    "changes": """
        SELECT 'band' AS what, id AS object_id, coalesce(history_change_reason, '') AS reason
        FROM payouts_historicalapprovalband WHERE history_type = '~'
        UNION ALL SELECT 'velocity limit', id, coalesce(history_change_reason, '')
        FROM payouts_historicalvelocitylimit WHERE history_type = '~'""",
    "proposals": """
        SELECT id, subject, object_id, before, proposed_by_id, decided_by_id
        FROM payouts_proposal WHERE decision = 'confirmed'""",
}
LEDGER: Final = {
    "requests": ("seq", "at", "method", "key", "body_hash", "pid", "fault"),
    "payments": ("seq", "at", "key", "payout", "amount", "currency", "recipient"),
}


def rows_of(database: str, ledger: Path) -> dict[str, list[Row]]:
    """What a World is made of."""
    with psycopg.connect(database, row_factory=dict_row) as connection:
        found: dict[str, list[Row]] = {name: connection.execute(query).fetchall() for name, query in DATABASE.items()}
    for table, columns in LEDGER.items():
        query = f"SELECT {', '.join(columns)} FROM {table} ORDER BY seq"
        found[table] = [dict(zip(columns, row, strict=True)) for row in read(ledger, query)]
    return found
