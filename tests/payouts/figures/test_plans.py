"""A scrape of a large database reads no table through: the plan of each of its statements is looked at.

An index that is read through to find few rows is no better than the table.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from payouts.figures import totals
from tests import recipes
from tests.bench.fill import fill_office
from tests.payouts.admin.payouts.test_plans import database
from tests.payouts.figures.scraped import scraped
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 20_000
GROWING = r"Seq Scan on payouts_(payout|event|attempt|exchange|approval|webhookmessage)\b"
EXCHANGES = """
INSERT INTO payouts_exchange (attempt_id, call, called_at, answered_at, verdict, http_status, code, message, excerpt)
SELECT reference, 1, created_at, created_at, 'succeeded', 200, '', '', '' FROM payouts_attempt ORDER BY id
"""
WEBHOOKS = """
INSERT INTO payouts_webhookmessage (message_id, reference, reported, received_at)
SELECT reference, reference, 'succeeded', created_at FROM payouts_attempt ORDER BY id
"""


@contextmanager
def plans() -> Iterator[list[str]]:
    """How PostgreSQL goes about every statement that is executed within."""
    found: list[str] = []

    def explained(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith(("SELECT", "INSERT", "WITH", "UPDATE")):
            with psycopg.ClientCursor(connection.connection) as cursor:
                is_read = sql.lstrip().upper().startswith(("SELECT", "WITH"))
                cursor.execute(f"EXPLAIN {'(ANALYZE, TIMING OFF)' if is_read else ''} {sql}", params)
                found.append("\n".join([sql, *(row[0] for row in cursor.fetchall())]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        yield found


def test_no_query_of_a_scrape_reads_a_table_that_grows() -> None:
    recipes.client.make(name="bench")
    fill_office(database(), ROWS, person=recipes.person.make().pk, clients=["bench"])
    with psycopg.connect(database(), autocommit=True) as session:
        session.execute(EXCHANGES)
        session.execute(WEBHOOKS)
        session.execute("VACUUM (ANALYZE)")
    counting = totals.Counting()
    scraped(counting)
    recipes.processed_payout()
    recipes.awaiting_payout()
    recipes.held_payout()
    recipes.unknown_payout()

    with plans() as found:
        scraped(counting)

    assert len(found) > 20
    assert any("payouts_event" in plan and "INSERT INTO payouts_figuretotal" in plan for plan in found)
    assert [plan for plan in found if re.search(GROWING, plan)] == []
    assert [plan for plan in found if _thrown_away(plan) > ROWS // 10] == []


def test_what_is_filled_has_indexes_that_serve_at_once() -> None:
    """And not when every transaction of the other workers has ended: then plans went without them."""
    recipes.client.make(name="bench")
    by_hand("ALTER TABLE payouts_payout SET (fillfactor = 50)")  # room beside the rows, as other tests leave it
    try:
        with psycopg.connect(database(), dbname="postgres") as other:  # as another worker's test, in its own database
            other.execute("SELECT pg_current_xact_id()")
            fill_office(database(), 500, person=recipes.person.make().pk, clients=["bench"])
    finally:
        by_hand("ALTER TABLE payouts_payout RESET (fillfactor)")

    with psycopg.connect(database()) as session:
        waiting = session.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indcheckxmin").fetchall()
    assert waiting == []


def _thrown_away(plan: str) -> int:
    """Rows that were read and were not what was asked for."""
    return sum(int(rows) for rows in re.findall(r"Rows Removed by Filter: (\d+)", plan))
