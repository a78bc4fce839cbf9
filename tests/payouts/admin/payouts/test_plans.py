"""No figure of the start or the operations page is found by a scan of the payouts: their plans are looked at."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection

from payouts import daily_totals
from payouts.admin import daily_volume
from tests import recipes
from tests.bench.fill import fill
from tests.payouts.admin.conftest import as_user
from tests.payouts.observe import by_hand

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 20_000
# A year of them, in the order of their ids, as life would have left them.
SPREAD = """
UPDATE {table} SET {column} = now() - ((SELECT max(id) FROM payouts_payout) - {key}) * interval '25 minutes'
"""


@contextmanager
def plans() -> Iterator[list[tuple[str, str]]]:
    """Every statement over the payouts that is executed within, and how PostgreSQL would go about it."""
    found: list[tuple[str, str]] = []

    def explained(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "payouts_payout" in sql and sql.lstrip().upper().startswith(("SELECT", "INSERT", "WITH", "UPDATE")):
            with psycopg.ClientCursor(connection.connection) as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                found.append((sql, "\n".join(row[0] for row in cursor.fetchall())))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        yield found


def scans(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(sql, plan) for sql, plan in found if re.search(r"Seq Scan on payouts_payout\b", plan)]


def database() -> str:
    kept = connection.settings_dict
    return psycopg.conninfo.make_conninfo(
        host=kept["HOST"], port=kept["PORT"], user=kept["USER"], password=kept["PASSWORD"], dbname=kept["NAME"]
    )


def test_no_query_of_the_start_and_operations_pages_scans_the_payouts(in_group: Any) -> None:
    recipes.client.make(name="bench")
    fill(database(), ROWS)
    by_hand(SPREAD.format(table="payouts_payout", column="processed_at", key="id"))
    by_hand(SPREAD.format(table="payouts_attempt", column="finished_at", key="payout_id"))
    recipes.awaiting_payout()
    recipes.held_payout()
    recipes.failed_payout()
    recipes.unknown_payout()
    recipes.processed_payout(amount=Decimal("7.00"))
    with psycopg.connect(database(), autocommit=True) as session:
        session.execute("VACUUM (ANALYZE) payouts_payout, payouts_attempt, payouts_approval")
    user: User = in_group("Admin")
    browser = as_user(user)
    cache.clear()

    with plans() as counted:
        daily_totals.count_days()
    with plans() as start:
        assert browser.get("/admin/").status_code == 200
    cache.clear()
    with plans() as operations:
        assert browser.get("/admin/operations/").status_code == 200

    assert settings.REDIS_URL or cache.get("x") is None
    assert (len(counted) > 300, len(start) > 15, len(operations) >= 2) == (True, True, True)
    assert scans(counted) == []
    assert scans(start) == []
    assert scans(operations) == []
    by_day = [plan for sql, plan in start if sql == daily_totals.BY_DAY]
    assert all("payout_by_day" in plan for plan in by_day)
    assert by_day
    mine = [plan for sql, plan in start if "payouts_approval" in sql]
    assert all("Seq Scan on payouts_payout" not in plan for plan in mine)
    assert mine
    assert daily_volume.paid().count(daily_volume.paid().today) >= 1


def test_a_scan_would_be_seen() -> None:
    recipes.pending_payout()

    with plans() as found, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM payouts_payout WHERE comment = 'x'")

    assert len(scans(found)) == 1
