"""How migrations wait, since they run beside the old code: expand, fill, enforce, each a migration of its own.

A statement that waits for a lock holds up everyone behind it, so it gives up soon, and the deploy tries again. What
expands is quick or wrong; what fills, validates or builds concurrently takes its time and blocks nobody.
"""

from django.db.migrations import RunSQL
from django.db.migrations.operations.base import Operation


def briefly() -> RunSQL:
    """For the rest of the transaction: give up soon."""
    return RunSQL("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s';", RunSQL.noop)


def patiently() -> RunSQL:
    """For the rest of the transaction: wait for no lock, but work as long as it takes."""
    return RunSQL("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '2h';", RunSQL.noop)


def concurrently(operation: Operation) -> list[Operation]:
    """The same around one operation that PostgreSQL does outside a transaction."""
    return [
        RunSQL("SET lock_timeout = '2s'; SET statement_timeout = '2h';", RunSQL.noop),
        operation,
        RunSQL("RESET lock_timeout; RESET statement_timeout;", RunSQL.noop),
    ]
