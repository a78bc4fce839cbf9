"""The sandbox's payments, in SQLite, and what each amount leads to.

The ledger is append-only (triggers refuse UPDATE and DELETE) and holds no recipient. A payment is committed
before it is answered. WAL with `synchronous=NORMAL` keeps every commit when the process is killed; only a
power cut can lose the last ones, which a sandbox may. FULL would sync the disk for each, many times slower.
"""

import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Final


class Magic(Enum):
    """The amounts that behave in a special way; see the package's table."""

    REFUSED = Decimal("1313.01")
    REJECTED = Decimal("1313.02")
    SLOW = Decimal("1313.03")
    PENDING_THEN_SETTLED = Decimal("1313.04")
    PENDING_THEN_REJECTED = Decimal("1313.05")
    SILENT_AFTER_PAYING = Decimal("1313.06")
    ERROR_BEFORE_PAYING = Decimal("1313.07")
    ERROR_AFTER_PAYING = Decimal("1313.08")
    GARBAGE_AFTER_PAYING = Decimal("1313.09")
    RATE_LIMITED = Decimal("1313.10")
    RESET_AFTER_PAYING = Decimal("1313.11")
    PENDING_FOR_EVER = Decimal("1313.12")
    PAID_THEN_RETURNED = Decimal("1313.13")


SETTLE_SECONDS: Final = 2.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS requests (
    key TEXT NOT NULL,
    number INTEGER NOT NULL,      -- 1 for the key's first POST, 2 for its second
    fingerprint TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL UNIQUE,
    payout TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'pending', 'rejected')),
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    settles_to TEXT CHECK (settles_to IN ('succeeded', 'rejected', 'returned')),
    settles_at REAL,              -- seconds since 1970, UTC
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS payments_settling ON payments (seq) WHERE settles_to IS NOT NULL;
CREATE TABLE IF NOT EXISTS settlements (
    payment INTEGER PRIMARY KEY REFERENCES payments (seq),
    status TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    payment INTEGER NOT NULL REFERENCES settlements (payment),
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,        -- the receiver's HTTP status, or what went wrong
    delivered INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (payment, number)
) WITHOUT ROWID;
"""
_TABLES: Final = ("requests", "payments", "settlements", "deliveries")
_PAYMENT: Final = """
SELECT p.seq, p.id, p.reference, p.amount, p.currency,
       coalesce(s.status, p.status), coalesce(s.code, p.code), coalesce(s.message, p.message)
FROM payments p LEFT JOIN settlements s ON s.payment = p.seq
"""
type Payment = dict[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """A valid body of POST /v1/payouts, without the recipient."""

    reference: str
    payout: str
    amount: str
    currency: str
    fingerprint: str = field(repr=False)

    @property
    def magic(self) -> Magic | None:
        return magic_of(self.amount)


def magic_of(amount: str) -> Magic | None:
    return _MAGIC.get(Decimal(amount) if "." in amount else Decimal(amount).scaleb(-2))


_MAGIC: Final = {magic.value: magic for magic in Magic}
# Status, code, message and what the payment settles to later; the others are paid.
_OUTCOMES: Final[dict[Magic | None, tuple[str, str, str, str | None]]] = {
    Magic.REJECTED: ("rejected", "account_closed", "The recipient's account is closed.", None),
    Magic.PENDING_THEN_SETTLED: ("pending", "", "", "succeeded"),
    Magic.PENDING_THEN_REJECTED: ("pending", "", "", "rejected"),
    Magic.PENDING_FOR_EVER: ("pending", "", "", None),
    Magic.PAID_THEN_RETURNED: ("succeeded", "", "", "returned"),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment that settles later: its row, when (seconds since 1970, UTC), and the webhooks tried."""

    seq: int
    settles_at: float
    tries: int = 0


class Ledger:
    """The payments, in SQLite. Used by one thread; every write is committed on return."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.executescript(_SCHEMA)
        for table in _TABLES:
            for verb in ("UPDATE", "DELETE"):
                self._db.execute(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                )

    def close(self) -> None:
        self._db.close()

    def note(self, order: Order) -> int | None:
        """Record one POST and return how many its key has had; None when the key came with another body."""
        first, count = self._db.execute(
            "SELECT fingerprint, max(number) FROM requests WHERE key = ?", (order.reference,)
        ).fetchone()
        if first is not None and first != order.fingerprint:
            return None
        number: int = (count or 0) + 1
        self._db.execute(
            "INSERT INTO requests (key, number, fingerprint, at) VALUES (?, ?, ?, ?)",
            (order.reference, number, order.fingerprint, now()),
        )
        return number

    def pay(self, order: Order) -> tuple[Payment, Waiting | None]:
        """Make the payment unless the key has one. Returns it, and how it will settle if it settles later."""
        status, code, message, settles_to = _OUTCOMES.get(order.magic, ("succeeded", "", "", None))
        settles_at = datetime.now(UTC).timestamp() + SETTLE_SECONDS if settles_to else None
        made = self._db.execute(
            "INSERT INTO payments (id, reference, payout, amount, currency, status, code, message,"
            " settles_to, settles_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (reference) DO NOTHING",
            (
                f"sbx_{uuid.uuid4().hex}",
                order.reference,
                order.payout,
                order.amount,
                order.currency,
                status,
                code,
                message,
                settles_to,
                settles_at,
                now(),
            ),
        )
        waiting = None
        if made.rowcount == 1 and made.lastrowid is not None and settles_at is not None:
            waiting = Waiting(made.lastrowid, settles_at)
        return self.find(order.reference)[0], waiting

    def find(self, reference: str) -> list[Payment]:
        rows = self._db.execute(f"{_PAYMENT} WHERE p.reference = ?", (reference,))
        return [_payment(row) for row in rows]

    def newest(self, limit: int) -> list[Payment]:
        rows = self._db.execute(f"{_PAYMENT} ORDER BY p.seq DESC LIMIT ?", (limit,))
        return [_payment(row) for row in rows]

    def count(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM payments").fetchone()[0]
        return count

    def waiting(self) -> list[Waiting]:
        """Return the payments that are still to settle, or whose webhook is still to be accepted."""
        rows = self._db.execute(
            "SELECT p.seq, p.settles_at, count(d.number) FROM payments p"
            " LEFT JOIN deliveries d ON d.payment = p.seq"
            " WHERE p.settles_to IS NOT NULL GROUP BY p.seq HAVING coalesce(max(d.delivered), 0) = 0"
        )
        return [Waiting(*row) for row in rows]

    def settle(self, seq: int) -> None:
        """Record how a payment that was waiting has ended."""
        (status,) = self._db.execute("SELECT settles_to FROM payments WHERE seq = ?", (seq,)).fetchone()
        rejected = status == "rejected"
        self._db.execute(
            "INSERT INTO settlements (payment, status, code, message, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (payment) DO NOTHING",
            (
                seq,
                status,
                "beneficiary_bank_rejected" if rejected else "",
                "The beneficiary's bank sent the money back." if rejected else "",
                now(),
            ),
        )

    def settled(self, seq: int) -> Payment:
        return _payment(self._db.execute(f"{_PAYMENT} WHERE p.seq = ?", (seq,)).fetchone())

    def delivered(self, seq: int, outcome: str, *, accepted: bool) -> None:
        """Record one try to send a webhook."""
        self._db.execute(
            "INSERT INTO deliveries (payment, number, outcome, delivered, at) SELECT ?, count(*) + 1, ?, ?, ?"
            " FROM deliveries WHERE payment = ?",
            (seq, outcome, int(accepted), now(), seq),
        )


def _payment(row: Sequence[str]) -> Payment:
    _, *facts, code, message = row
    payment = dict(zip(("id", "reference", "amount", "currency", "status"), facts, strict=True))
    return payment | {"code": code, "message": message} if code else payment


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
