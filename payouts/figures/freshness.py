"""How long ago what must happen again and again did: the audit, the checkpoint, the backup and its check.

What has never happened is as old as the installation, so that its alert comes too. A checkpoint that CHECKPOINTS does
not have is none: who could remove history could remove it. Without BACKUPS nothing is told of backups before the
first was begun: somebody may make them by other means. The oldest that is left does not say since when none was
checked: what is older than BACKUP_RETENTION_DAYS is gone. That a backup was checked says nothing of those that were
made a day later, so whoever checks an old one has not checked what would be put back now.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

# One is made each night, and two hours.
MADE_WITHIN = timedelta(hours=26)

FRESHNESS = """
WITH installed AS (SELECT min(applied) AS at FROM django_migrations)
SELECT coalesce((SELECT finished_at FROM payouts_auditrun WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 1),
                installed.at),
       coalesce((SELECT broken_count FROM payouts_auditrun WHERE finished_at IS NOT NULL OR broken_count > 0
                 ORDER BY id DESC LIMIT 1), 0),
       coalesce((SELECT made_at FROM payouts_checkpoint WHERE placed_at IS NOT NULL OR NOT %s
                 ORDER BY number DESC LIMIT 1), installed.at)
FROM installed
"""
BACKUPS = """
WITH installed AS (SELECT min(applied) AS at FROM django_migrations)
SELECT coalesce(max(finished_at) FILTER (WHERE fault = ''), min(started_at), (SELECT at FROM installed)),
       coalesce(max(least(checked_at, started_at + %s)) FILTER (WHERE checked_at IS NOT NULL),
                least(min(started_at), (SELECT at FROM installed)))
FROM payouts_backup HAVING count(*) > 0 OR %s
"""


class Freshness(NamedTuple):
    audited_at: datetime
    broken: int
    """Invariants that the last audit found broken, one that is still under way too."""
    checkpoint_at: datetime
    backup_at: datetime | None
    backup_checked_at: datetime | None


def freshness() -> Freshness:
    with connection.cursor() as cursor:
        cursor.execute(FRESHNESS, [bool(settings.CHECKPOINTS)])
        found = cursor.fetchone()
        of_backups: list[Any] = [MADE_WITHIN, bool(settings.BACKUPS)]
        cursor.execute(BACKUPS, of_backups)
        return Freshness(*found, *(cursor.fetchone() or (None, None)))
