"""Enforce: what 0010 asks of new approvals holds for the old ones too, and what 0011 replaced goes."""

from django.contrib.postgres.operations import RemoveIndexConcurrently, ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0011_review_indexes")]

    operations = [
        migrations.RunSQL("SET lock_timeout = '2s'; SET statement_timeout = '2h';", migrations.RunSQL.noop),
        ValidateConstraint(model_name="approval", name="approval_resolution_has_evidence"),
        ValidateConstraint(model_name="approval", name="approval_alternates"),
        migrations.RunSQL("SET lock_timeout = '2h';", migrations.RunSQL.noop),
        migrations.RunSQL(
            'DROP INDEX CONCURRENTLY IF EXISTS "approval_nobody_twice";',
            'CREATE UNIQUE INDEX CONCURRENTLY "approval_nobody_twice" ON "payouts_approval" '
            '("payout_id", "checker_id") WHERE "attempt_id" IS NULL;',
            state_operations=[migrations.RemoveConstraint(model_name="approval", name="approval_nobody_twice")],
        ),
        RemoveIndexConcurrently(model_name="payout", name="payout_by_recipient"),
        migrations.RunSQL("RESET lock_timeout; RESET statement_timeout;", migrations.RunSQL.noop),
    ]
