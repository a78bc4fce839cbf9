"""The provider's ledger: every request, every payment, every strike, append-only in SQLite.

The provider writes it; operators read it as evidence, and the audit as the truth about the money.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.campaign.dialects import Payment

SCHEMA = """
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,             -- seconds since 1970
    method TEXT NOT NULL,
    key TEXT NOT NULL,            -- of a POST its idempotency key, of a GET the one that it asks about
    body_hash TEXT NOT NULL,
    pid INTEGER,                  -- of the caller
    fault TEXT NOT NULL           -- empty for a call that was answered as it should be
);
CREATE TABLE payments (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    payout TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    recipient TEXT NOT NULL,      -- JSON, sorted
    settles_at REAL NOT NULL
);
CREATE INDEX payments_by_key ON payments (key);
CREATE TABLE strikes (seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, pid INTEGER);
CREATE TABLE notices (seq INTEGER PRIMARY KEY, at REAL NOT NULL, key TEXT NOT NULL, outcome TEXT NOT NULL);
"""
TABLES = ("requests", "payments", "strikes", "notices")


class Ledger:
    """Used by one thread; every write is committed on return."""

    def __init__(self, path: Path) -> None:
        self._rows = sqlite3.connect(path, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=NORMAL")
        self._rows.executescript(SCHEMA)
        for table in TABLES:
            for verb in ("UPDATE", "DELETE"):
                self._rows.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                )

    def close(self) -> None:
        self._rows.close()

    def request(self, method: str, key: str, body_hash: str, pid: int | None, fault: str) -> None:
        self._rows.execute(
            "INSERT INTO requests (at, method, key, body_hash, pid, fault) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), method, key, body_hash, pid, fault),
        )

    def pay(self, key: str, payout: str, amount: str, currency: str, recipient: str, settles_at: float) -> None:
        self._rows.execute(
            "INSERT INTO payments (at, id, key, payout, amount, currency, recipient, settles_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (time.time(), f"cmp-{uuid.uuid4()}", key, payout, amount, currency, recipient, settles_at),
        )

    def strike(self, kind: str, key: str, pid: int | None) -> None:
        self._rows.execute(
            "INSERT INTO strikes (at, kind, key, pid) VALUES (?, ?, ?, ?)", (time.time(), kind, key, pid)
        )

    def notice(self, key: str, outcome: str) -> None:
        """A webhook that was sent, and the status that it was answered with, or what went wrong."""
        self._rows.execute("INSERT INTO notices (at, key, outcome) VALUES (?, ?, ?)", (time.time(), key, outcome))

    def find(self, key: str, *, older_than_seconds: float = 0.0) -> list[Payment]:
        """The payments under a key as they stand now."""
        return self._payments("key = ? AND at <= ?", key, time.time() - older_than_seconds)

    def named(self, identity: str) -> list[Payment]:
        return self._payments("id = ?", identity)

    def sum(self) -> Decimal:
        """Of all that was paid."""
        return sum((Decimal(amount) for (amount,) in self._rows.execute("SELECT amount FROM payments")), Decimal(0))

    def _payments(self, condition: str, *values: Any) -> list[Payment]:
        rows = self._rows.execute(
            "SELECT id, key, payout, amount, currency, recipient, at, settles_at FROM payments"
            f" WHERE {condition} ORDER BY seq",
            values,
        )
        now = time.time()
        return [
            Payment(*facts, json.loads(recipient), at, "succeeded" if settles_at <= now else "pending")
            for *facts, recipient, at, settles_at in rows
        ]


def read(path: Path, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """For everybody but the provider."""
    rows = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return rows.execute(query, values).fetchall()
    finally:
        rows.close()
