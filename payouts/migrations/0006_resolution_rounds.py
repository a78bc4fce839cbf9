"""A person may say again how an attempt ended, when that has come into doubt anew: once in each round.

Outside a transaction, because the unique index is built while others write.
"""

from django.db import migrations, models

NAME = "approval_resolution_nobody_twice"
INDEX = f'CREATE UNIQUE INDEX CONCURRENTLY "{NAME}" ON "payouts_approval" {{}} WHERE "attempt_id" IS NOT NULL;'
COLUMNS, COLUMNS_BEFORE = '("attempt_id", "checker_id", "number")', '("attempt_id", "checker_id")'
GONE = f'DROP INDEX CONCURRENTLY IF EXISTS "{NAME}";'


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0005_late_truths_enforced")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("SET lock_timeout = '2h'; SET statement_timeout = '2h';", migrations.RunSQL.noop),
                migrations.RunSQL(GONE, INDEX.format(COLUMNS_BEFORE)),
                migrations.RunSQL(INDEX.format(COLUMNS), GONE),
                migrations.RunSQL("RESET lock_timeout; RESET statement_timeout;", migrations.RunSQL.noop),
            ],
            state_operations=[
                migrations.RemoveConstraint("approval", NAME),
                migrations.AddConstraint(
                    "approval",
                    models.UniqueConstraint(
                        condition=models.Q(attempt__isnull=False),
                        fields=("attempt", "checker", "number"),
                        name=NAME,
                    ),
                ),
            ],
        ),
    ]
