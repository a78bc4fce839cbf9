"""What a test looks at: all of a payout as the database has it, its last event, the rings in the queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django_q.models import OrmQ

from payouts import doorbell
from payouts.audit import broken_invariants
from payouts.models import Approval, Attempt, Event, Payout
from tests.databases import as_owner


def rings() -> int:
    """Pumps that wait in the queue."""
    return sum(task.task["func"] == doorbell.PUMP for task in OrmQ.objects.all())


def queued(task: str) -> list[tuple[Any, ...]]:
    """The arguments of each task of this name that waits in the queue."""
    return [each.task["args"] for each in OrmQ.objects.all() if each.task["func"] == task]


def everything(payout_id: int) -> dict[str, Any]:
    """Every column of the payout, its events, attempts and approvals, and the number of queued tasks."""
    return {
        "payout": _plain(Payout.objects.filter(pk=payout_id).values().get()),
        "events": [_plain(row) for row in Event.objects.filter(payout=payout_id).order_by("seq").values()],
        "attempts": [_plain(row) for row in Attempt.objects.filter(payout=payout_id).order_by("number").values()],
        "approvals": [_plain(row) for row in Approval.objects.filter(payout=payout_id).order_by("pk").values()],
        "tasks": OrmQ.objects.count(),
    }


@contextmanager
def nothing_changes(payout: Payout) -> Iterator[None]:
    """What is inside is refused without a trace."""
    before = everything(payout.pk)
    yield
    assert everything(payout.pk) == before


def last_event(payout: Payout) -> tuple[str, str | None, str, str, str]:
    event = payout.events.latest("seq")
    assert event.seq == Payout.objects.get(pk=payout.pk).version
    return event.event, event.from_status, event.to_status, event.actor, event.reason


def audit_of(payout: Payout | None) -> set[str]:
    """The names of the invariants that the audit finds broken for this payout; None is the database itself."""
    return {broken.invariant for broken in broken_invariants() if broken.payout_id == (payout.pk if payout else None)}


def is_clean() -> bool:
    return list(broken_invariants()) == []


def is_anybody_waiting() -> bool:
    """Whether a session of this database waits for another's lock; those of other workers are not meant."""
    waiting = (
        "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({waiting})")
        (found,) = cursor.fetchone()
    return bool(found)


def by_hand(sql: str, *parameters: Any) -> None:
    """SQL past every action, as a person with the password of the tables' owner could write it."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


@contextmanager
def unguarded(table: str) -> Iterator[None]:
    """Switch the table's own triggers off, as its owner can."""
    with as_owner():
        by_hand("SET CONSTRAINTS ALL IMMEDIATE")  # PostgreSQL alters no table with checks outstanding
        by_hand(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        by_hand("SET CONSTRAINTS ALL IMMEDIATE")
        by_hand(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@contextmanager
def reading_only() -> Iterator[None]:
    """The server refuses every write, as a primary does that has become a standby."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")  # in no savepoint, with whose end it would end
        yield
        transaction.set_rollback(True)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: bytes(value) if isinstance(value, memoryview) else value for key, value in row.items()}
