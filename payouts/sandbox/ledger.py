"""The sandbox's payments, in SQLite, whichever dialect they were ordered in.

The ledger is append-only (triggers refuse UPDATE and DELETE), and holds of a recipient only what the answers of its
dialect show again. A payment is committed before it is answered. WAL with `synchronous=NORMAL` keeps every commit
when the process is killed; only a power cut can lose the last ones, which a sandbox may. FULL would sync the disk
for each, many times slower.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final


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
DEFAULT_DIALECT: Final = "http"
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
CREATE TABLE IF NOT EXISTS metadata (
    payment INTEGER NOT NULL REFERENCES payments (seq),
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (payment, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS metadata_pairs ON metadata (name, value);
CREATE TABLE IF NOT EXISTS names (
    id TEXT PRIMARY KEY,
    dialect TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    is_owner INTEGER NOT NULL,    -- whether the account will turn out to be that person's
    at TEXT NOT NULL
) WITHOUT ROWID;
"""
# Columns of payments that a ledger of before may not have.
_ADDED: Final = {
    "dialect": f"TEXT NOT NULL DEFAULT '{DEFAULT_DIALECT}'",
    "details": "TEXT NOT NULL DEFAULT '{}'",  # JSON, the dialect's own
}
_TABLES: Final = ("requests", "payments", "settlements", "deliveries", "metadata", "names")
_PAYMENT: Final = """
SELECT p.id, p.dialect, p.reference, p.payout, p.amount, p.currency,
       coalesce(s.status, p.status), coalesce(s.code, p.code), coalesce(s.message, p.message),
       p.at, CASE p.status WHEN 'pending' THEN s.at ELSE p.at END, p.details,
       (SELECT json_group_object(m.name, m.value) FROM metadata m WHERE m.payment = p.seq)
FROM payments p LEFT JOIN settlements s ON s.payment = p.seq
"""


@dataclass(frozen=True, slots=True)
class Order:
    """A valid order of a payment, without the recipient."""

    dialect: str
    id: str
    """What the payment is called, once it is made."""
    reference: str
    """Unique to one payment."""
    payout: str
    amount: str
    currency: str
    fingerprint: str = field(repr=False)
    """Of the whole request, so that another one under the same key is noticed."""
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """JSON that the dialect's answers show again."""
    metadata: Mapping[str, str | None] = field(default_factory=dict)
    """Pairs of the client's own, which payments can be searched by."""

    @property
    def magic(self) -> Magic | None:
        return magic_of(self.amount)


def magic_of(amount: str) -> Magic | None:
    return _MAGIC.get(Decimal(amount) if "." in amount else Decimal(amount).scaleb(-2))


_MAGIC: Final = {magic.value: magic for magic in Magic}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of an order: `succeeded`, `pending` or `rejected` at once, and perhaps something else later.

    What settles to the status that it has already is only told by webhook.
    """

    status: str
    code: str = ""
    message: str = ""
    settles_to: str | None = None
    settles_after_seconds: float = SETTLE_SECONDS


@dataclass(frozen=True, slots=True)
class Payment:
    id: str
    dialect: str
    reference: str
    payout: str
    amount: str
    currency: str
    status: str
    """`succeeded`, `pending`, `rejected` or `returned`."""
    code: str
    message: str
    at: datetime
    settled_at: datetime | None
    """None while it is pending."""
    details: dict[str, Any]
    metadata: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class KeptName:
    """A recipient's name that a payment can be checked against. The name itself is not kept."""

    id: str
    is_owner: bool
    """Whether the check will pass."""
    at: datetime
    is_used: bool
    """A payment refers to it (`personal_data` in its details)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment that settles later: its row, when (seconds since 1970, UTC), and the webhooks tried."""

    seq: int
    settles_at: float
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Search:
    """Which payments of one dialect, newest first."""

    dialect: str
    limit: int
    before: str = ""
    """The id of a payment: only older ones."""
    status: str = ""
    made: tuple[tuple[str, datetime], ...] = ()
    """Comparisons (`>`, `>=`, `<`, `<=`) of when it was made, in whole milliseconds."""
    detail: tuple[str, str] | None = None
    """A path into the details (`$.a.b`) and what is there."""
    metadata: tuple[str, str] | None = None


class Ledger:
    """The payments, in SQLite. Used by one thread; every write is committed on return."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.executescript(_SCHEMA)
        known = {name for _, name, *_ in self._db.execute("PRAGMA table_info(payments)")}
        for name, kind in _ADDED.items():
            if name not in known:
                self._db.execute(f"ALTER TABLE payments ADD COLUMN {name} {kind}")
        self._db.execute("CREATE INDEX IF NOT EXISTS payments_of_a_dialect ON payments (dialect, seq)")
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
        return self._note(order.reference, order.fingerprint)

    def _note(self, reference: str, fingerprint: str) -> int | None:
        first, count = self._db.execute(
            "SELECT fingerprint, max(number) FROM requests WHERE key = ?", (reference,)
        ).fetchone()
        if first is not None and first != fingerprint:
            return None
        number: int = (count or 0) + 1
        self._db.execute(
            "INSERT INTO requests (key, number, fingerprint, at) VALUES (?, ?, ?, ?)",
            (reference, number, fingerprint, now()),
        )
        return number

    def keep_name(
        self, dialect: str, reference: str, fingerprint: str, *, name_id: str, is_owner: bool
    ) -> KeptName | None:
        """Keep that there is a name, once for a reference; None when that came with another one."""
        if self._note(reference, fingerprint) is None:
            return None
        self._db.execute(
            "INSERT INTO names (id, dialect, reference, is_owner, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (reference) DO NOTHING",
            (name_id, dialect, reference, int(is_owner), now()),
        )
        (kept,) = self._db.execute("SELECT id FROM names WHERE reference = ?", (reference,)).fetchone()
        return self.kept_name(dialect, kept)

    def kept_name(self, dialect: str, name_id: str) -> KeptName | None:
        row = self._db.execute(
            "SELECT id, is_owner, at, EXISTS (SELECT 1 FROM payments p WHERE p.dialect = n.dialect"
            " AND json_extract(p.details, '$.personal_data') = n.id) FROM names n WHERE dialect = ? AND id = ?",
            (dialect, name_id),
        ).fetchone()
        return KeptName(row[0], bool(row[1]), datetime.fromisoformat(row[2]), bool(row[3])) if row else None

    def live_reference(self, dialect: str, key: str, *, remembered: timedelta) -> str:
        """Return what a key stands for: one reference from its first POST on, another once that is forgotten."""
        forgotten = _written(datetime.now(UTC) - remembered)
        life = 0
        while True:
            life += 1
            reference = f"{dialect}:{key}:{life}"
            first = self._db.execute("SELECT at FROM requests WHERE key = ? AND number = 1", (reference,)).fetchone()
            if first is None or first[0] > forgotten:
                return reference

    def pay(self, order: Order, outcome: Outcome) -> tuple[Payment, Waiting | None]:
        """Make the payment unless its reference has one. Returns it, and how it will settle if it settles later."""
        settles_at = None
        if outcome.settles_to:
            settles_at = datetime.now(UTC).timestamp() + outcome.settles_after_seconds
        with self._transaction():
            made = self._db.execute(
                "INSERT INTO payments (id, dialect, reference, payout, amount, currency, status, code, message,"
                " settles_to, settles_at, at, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (reference) DO NOTHING",
                (
                    order.id,
                    order.dialect,
                    order.reference,
                    order.payout,
                    order.amount,
                    order.currency,
                    outcome.status,
                    outcome.code,
                    outcome.message,
                    outcome.settles_to,
                    settles_at,
                    now(),
                    json.dumps(order.details),
                ),
            )
            seq = made.lastrowid if made.rowcount == 1 else None
            if seq is not None:
                self._db.executemany(
                    "INSERT INTO metadata (payment, name, value) VALUES (?, ?, ?)",
                    [(seq, name, value) for name, value in order.metadata.items()],
                )
        waiting = Waiting(seq, settles_at) if seq is not None and settles_at is not None else None
        return self._payments("WHERE p.reference = ?", order.reference)[0], waiting

    def find(self, reference: str) -> Payment | None:
        return next(iter(self._payments("WHERE p.reference = ?", reference)), None)

    def named(self, dialect: str, payment_id: str) -> Payment | None:
        return next(iter(self._payments("WHERE p.dialect = ? AND p.id = ?", dialect, payment_id)), None)

    def newest(self, limit: int, dialect: str = "") -> list[Payment]:
        """Of one dialect, or of all."""
        return self._payments("WHERE ? IN (p.dialect, '') ORDER BY p.seq DESC LIMIT ?", dialect, limit)

    def search(self, search: Search) -> list[Payment]:
        where, values = ["p.dialect = ?"], [search.dialect]
        if search.before:
            where.append("p.seq < (SELECT seq FROM payments WHERE id = ?)")
            values.append(search.before)
        if search.status:
            where.append("coalesce(s.status, p.status) = ?")
            values.append(search.status)
        for comparison, moment in search.made:
            where.append(f"substr(p.at, 1, {_MILLISECONDS}) {comparison} ?")
            values.append(_written(moment)[:_MILLISECONDS])
        if search.detail:
            where.append("json_extract(p.details, ?) = ?")
            values.extend(search.detail)
        if search.metadata:
            where.append("p.seq IN (SELECT payment FROM metadata WHERE name = ? AND value = ?)")
            values.extend(search.metadata)
        return self._payments(f"WHERE {' AND '.join(where)} ORDER BY p.seq DESC LIMIT ?", *values, search.limit)

    def count(self, dialect: str = "") -> int:
        """How many payments there are, of one dialect or of all."""
        (number,) = self._db.execute("SELECT count(*) FROM payments WHERE ? IN (dialect, '')", (dialect,)).fetchone()
        return int(number)

    def spent(self, dialect: str) -> Decimal:
        """The sum of what was paid and of what is pending, in a currency with two decimals."""
        (cents,) = self._db.execute(
            "SELECT coalesce(sum(CAST(round(p.amount * 100) AS INTEGER)), 0)"
            " FROM payments p LEFT JOIN settlements s ON s.payment = p.seq"
            " WHERE p.dialect = ? AND coalesce(s.status, p.status) <> 'rejected'",
            (dialect,),
        ).fetchone()
        return Decimal(cents).scaleb(-2)

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
        status, code, message = self._db.execute(
            "SELECT settles_to, code, message FROM payments WHERE seq = ?", (seq,)
        ).fetchone()
        if status == "rejected" and not code:
            code, message = "beneficiary_bank_rejected", "The beneficiary's bank sent the money back."
        self._db.execute(
            "INSERT INTO settlements (payment, status, code, message, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (payment) DO NOTHING",
            (seq, status, code, message, now()),
        )

    def settled(self, seq: int) -> Payment:
        return self._payments("WHERE p.seq = ?", seq)[0]

    def delivered(self, seq: int, outcome: str, *, accepted: bool) -> None:
        """Record one try to send a webhook."""
        self._db.execute(
            "INSERT INTO deliveries (payment, number, outcome, delivered, at) SELECT ?, count(*) + 1, ?, ?, ?"
            " FROM deliveries WHERE payment = ?",
            (seq, outcome, int(accepted), now(), seq),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _payments(self, clause: str, *values: object) -> list[Payment]:
        return [_payment(row) for row in self._db.execute(_PAYMENT + clause, values)]


def _payment(row: Sequence[Any]) -> Payment:
    *facts, at, settled_at, details, metadata = row
    facts.append(datetime.fromisoformat(at))
    facts.append(datetime.fromisoformat(settled_at) if settled_at else None)
    return Payment(*facts, *map(json.loads, (details, metadata)))


def now() -> str:
    return _written(datetime.now(UTC))


_MILLISECONDS: Final = len("2026-01-14T12:00:00.000")


def _written(moment: datetime) -> str:
    """As the ledger writes it, which sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
