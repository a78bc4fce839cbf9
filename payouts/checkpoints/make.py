"""Makes checkpoints: each hour by a schedule, and by `manage.py checkpoint`.

A checkpoint holds everything that was committed when it was made. A transaction may commit an event later whose id is
lower than those of others; so the next checkpoint goes over the last SETTLED_AFTER again, and totals are of events
that are older than that.
"""

from decimal import Decimal
from typing import Any

import structlog
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from payouts import money
from payouts.checkpoints.document import LEAF_BYTES, Leaf, of_row, packed, signed
from payouts.daily_totals import SETTLED_AFTER
from payouts.database.snapshot import snapshot
from payouts.models import ApiKey, AuthoritySeal, Checkpoint, ConfigurationSeal, Recovery

log = structlog.get_logger(__name__)

# Events that one checkpoint goes over, so that the first one of a large database is not too large either.
AT_ONCE = 200_000

SPAN = """
SELECT max(id), (SELECT max(id) FROM payouts_event)
FROM (SELECT id FROM payouts_event WHERE id > %(begins)s ORDER BY id LIMIT %(at_once)s) e
"""
SETTLED = """
SELECT max(id) FROM payouts_event WHERE id > %(begins)s AND id <= %(ends)s AND at < clock_timestamp() - %(after)s
"""
LEAVES = """
SELECT DISTINCT ON (payout_id) payout_id, seq, encode(substr(mac, 1, %(bytes)s), 'hex') FROM payouts_event
WHERE id > %(begins)s AND id <= %(ends)s ORDER BY payout_id, seq DESC
"""
# By currency: how many, and how much, were submitted, paid and returned by these events.
TOTALS = """
SELECT p.currency,
    count(*) FILTER (WHERE from_status IS NULL), sum(p.amount) FILTER (WHERE from_status IS NULL),
    count(*) FILTER (WHERE is_paid), sum(p.amount) FILTER (WHERE is_paid),
    count(*) FILTER (WHERE is_returned), sum(p.amount) FILTER (WHERE is_returned)
FROM (
    SELECT payout_id, from_status, from_status <> to_status AND to_status = 'processed' AS is_paid,
        from_status <> to_status AND to_status = 'returned' AS is_returned
    FROM payouts_event WHERE id > %(begins)s AND id <= %(ends)s
) e JOIN payouts_payout p ON p.id = e.payout_id
WHERE from_status IS NULL OR is_paid OR is_returned GROUP BY 1
"""
KINDS = ("submitted", "paid", "returned")

type Totals = dict[str, dict[str, list[Any]]]


def make_due() -> list[Checkpoint]:
    """Make as many as it takes to reach the present; at least one, unless another process is at it."""
    made = []
    while checkpoint := make():
        made.append(checkpoint)
        if not _is_behind(checkpoint):
            break
    return made


def make() -> Checkpoint | None:
    """Make the next checkpoint, and log it; None where another process has just made it."""
    with snapshot():
        checkpoint = _next()
    try:
        with transaction.atomic():
            checkpoint.save(force_insert=True)
    except IntegrityError:
        return None
    log.info(
        "checkpoint",
        number=checkpoint.number,
        root=checkpoint.root,
        previous_root=checkpoint.previous_root,
        to_event=checkpoint.to_event,
        settled_event=checkpoint.settled_event,
        totals=checkpoint.totals,
        signature=bytes(checkpoint.signature).hex(),
    )
    return checkpoint


def _next() -> Checkpoint:
    last = Checkpoint.objects.order_by("number").last()
    begins = last.settled_event if last else 0
    ends, _all = _row(SPAN, {"begins": begins, "at_once": AT_ONCE})
    span = {"begins": begins, "ends": begins if ends is None else ends}
    (settled,) = _row(SETTLED, {**span, "after": SETTLED_AFTER})
    settled = begins if settled is None else settled
    leaves = tuple(Leaf(*row) for row in _rows(LEAVES, {**span, "bytes": LEAF_BYTES}))
    made = Checkpoint(
        number=last.number + 1 if last else 1,
        made_at=timezone.now(),
        from_event=begins,
        to_event=span["ends"],
        settled_event=settled,
        totals=totals(begins, settled, onto=last.totals if last else {}),
        versions=versions(),
        leaves=packed(leaves),
        previous_root=last.root if last else "",
    )
    made.root = of_row(made).expected_root()
    made.signature = signed(of_row(made))
    return made


def _is_behind(checkpoint: Checkpoint) -> bool:
    """Whether there was more than one goes over, and the next would come further."""
    _ends, last = _row(SPAN, {"begins": checkpoint.from_event, "at_once": AT_ONCE})
    return last is not None and last > checkpoint.to_event and checkpoint.settled_event > checkpoint.from_event


def totals(begins: int, ends: int, *, onto: Totals) -> Totals:
    """What was submitted, paid and returned by the events after one up to another, added to those totals."""
    return added(TOTALS, {"begins": begins, "ends": ends}, onto=onto)


def added(sql: str, span: dict[str, int], *, onto: Totals) -> Totals:
    """Those totals, and what this query counts of the span, in the columns of TOTALS."""
    found = {currency: {kind: list(pair) for kind, pair in kinds.items()} for currency, kinds in onto.items()}
    for currency, *figures in _rows(sql, span):
        kinds = found.setdefault(currency, {kind: [0, "0"] for kind in KINDS})
        for kind, count, amount in zip(KINDS, figures[::2], figures[1::2], strict=True):
            before, sum_before = kinds[kind]
            kinds[kind] = [before + count, money.plain(Decimal(sum_before) + (amount or 0))]
    return found


def versions() -> dict[str, int]:
    """Of every seal of what is configured, by what it seals; an old row put back with its seal has a lower one."""
    found = AuthoritySeal.objects.order_by("kind", "object_id").values_list("kind", "object_id", "version")
    people = {f"{kind} {object_id}": version for kind, object_id, version in found}
    sets = ConfigurationSeal.objects.order_by("name").values_list("name", "version")
    # How far each has come: begun, its end proposed, ended.
    recoveries = {
        f"recovery {pk}": 1 + (proposed_at is not None) + (ended_at is not None)
        for pk, proposed_at, ended_at in Recovery.objects.order_by("pk").values_list("pk", "proposed_at", "ended_at")
    }
    keys = {
        f"API key {pk}": 1 + (revoked_at is not None)
        for pk, revoked_at in ApiKey.objects.order_by("pk").values_list("pk", "revoked_at")
    }
    return {f"set {name}": version for name, version in sets} | people | recoveries | keys


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _row(sql: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
    (row,) = _rows(sql, parameters)
    return row
