"""Expand: payouts by recipient and time, by creation, and a person's voices one by one."""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently

VOICES = models.UniqueConstraint(
    fields=["payout", "checker", "number"], condition=models.Q(attempt=None), name="approval_voice_once"
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0010_review")]

    operations = [
        *concurrently(
            AddIndexConcurrently(
                model_name="payout",
                index=models.Index(fields=["recipient_index", "created_at"], name="payout_of_recipient"),
            )
        ),
        *concurrently(
            AddIndexConcurrently(
                model_name="payout",
                index=django.contrib.postgres.indexes.BrinIndex(
                    autosummarize=True, fields=["created_at"], name="payout_by_creation", pages_per_range=32
                ),
            )
        ),
        # Django builds a unique constraint under a lock that holds up every approval.
        migrations.RunSQL("SET lock_timeout = '2h'; SET statement_timeout = '2h';", migrations.RunSQL.noop),
        migrations.RunSQL('DROP INDEX CONCURRENTLY IF EXISTS "approval_voice_once";', migrations.RunSQL.noop),
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "approval_voice_once" ON "payouts_approval" '
            '("payout_id", "checker_id", "number") WHERE "attempt_id" IS NULL;',
            'DROP INDEX CONCURRENTLY "approval_voice_once";',
            state_operations=[migrations.AddConstraint(model_name="approval", constraint=VOICES)],
        ),
        migrations.RunSQL("RESET lock_timeout; RESET statement_timeout;", migrations.RunSQL.noop),
    ]
