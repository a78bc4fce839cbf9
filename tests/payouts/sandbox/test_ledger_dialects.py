"""The ledger that several dialects share."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from payouts.sandbox.ledger import Ledger, Order, Outcome


@pytest.mark.parametrize("statement", ["UPDATE metadata SET value = ''", "DELETE FROM metadata"])
def test_metadata_is_append_only_too(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.pay(Order("d", "i", "r", "p", "1.00", "RUB", "f", metadata={"a": "1"}), Outcome("succeeded"))
    ledger.close()

    with closing(sqlite3.connect(path)) as database, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)


def test_a_ledger_of_before_the_dialects_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(
            "CREATE TABLE payments (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, reference TEXT NOT NULL UNIQUE,"
            " payout TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL,"
            " code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', settles_to TEXT, settles_at REAL,"
            " at TEXT NOT NULL)"
        )
        database.execute(
            "INSERT INTO payments (id, reference, payout, amount, currency, status, at)"
            " VALUES ('i', 'r', 'p', '1.00', 'RUB', 'succeeded', '2026-01-14T12:00:00.000000+00:00')"
        )

    for _ in range(2):
        ledger = Ledger(path)
        found = ledger.find("r")
        ledger.close()

    assert found is not None
    assert (found.dialect, found.status, found.details, found.metadata) == ("http", "succeeded", {}, {})


def test_a_key_stands_for_one_reference_until_it_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")

    def reference(remembered: timedelta) -> str:
        return ledger.live_reference("d", "key", remembered=remembered)

    day = timedelta(days=1)
    first = reference(day)
    ledger.note(Order("d", "i", first, "p", "1.00", "RUB", "f"))
    again, forgotten = reference(day), reference(timedelta(0))
    of_another_dialect = ledger.live_reference("e", "key", remembered=day)
    ledger.close()

    assert again == first
    assert len({first, forgotten, of_another_dialect}) == 3


def test_a_payment_that_settles_to_what_it_is_keeps_its_reason_and_its_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    order = Order("d", "i", "r", "p", "1.00", "RUB", "f")

    made, waiting = ledger.pay(order, Outcome("rejected", "general_decline", settles_to="rejected"))
    assert waiting is not None
    ledger.settle(waiting.seq)
    settled = ledger.settled(waiting.seq)
    ledger.close()

    assert settled == made


def test_a_sum_counts_what_is_paid_or_pending_in_one_dialect_to_the_cent(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for number, (dialect, amount, status) in enumerate(
        [
            ("d", "0.10", "succeeded"),
            ("d", "499999.99", "pending"),
            ("d", "7.00", "rejected"),
            ("e", "8.00", "pending"),
        ]
    ):
        ledger.pay(Order(dialect, f"i{number}", f"r{number}", "p", amount, "RUB", "f"), Outcome(status))

    spent = ledger.spent("d")
    ledger.close()

    assert str(spent) == "500000.09"
