"""How migrations wait, since they run beside the old code: expand, fill, enforce, each a migration of its own.

A statement that waits for a lock holds up everyone behind it, so it gives up soon, and the deploy tries again. What
expands is quick or wrong; what fills, validates or builds concurrently takes its time and blocks nobody.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import RunSQL
from django.db.migrations.operations.base import Operation


def briefly() -> RunSQL:
    """For the rest of the transaction: give up soon."""
    return RunSQL("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s';", RunSQL.noop)


def patiently() -> RunSQL:
    """For the rest of the transaction: wait for no lock, but work as long as it takes."""
    return RunSQL("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '2h';", RunSQL.noop)


def concurrently(operation: AddIndexConcurrently) -> list[Operation]:
    """Build an index outside a transaction; what a build that was broken off left is removed first.

    A build waits for every transaction that is older than it, a backup's too, and holds up nobody while it does.
    """
    return [
        RunSQL("SET lock_timeout = '2h'; SET statement_timeout = '2h';", RunSQL.noop),
        RunSQL(f'DROP INDEX CONCURRENTLY IF EXISTS "{operation.index.name}";', RunSQL.noop),
        operation,
        RunSQL("RESET lock_timeout; RESET statement_timeout;", RunSQL.noop),
    ]
