"""Builds the index that keeps one list for each account and day; holds every report to the constraint of before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models

NAME = "provider_report_one_list_a_day"
ONE_LIST = models.UniqueConstraint(
    fields=["provider", "from_on"], condition=models.Q(listed_at__isnull=False, superseded_at=None), name=NAME
)
BUILD = f"""
CREATE UNIQUE INDEX CONCURRENTLY "{NAME}" ON "payouts_providerreport" ("provider", "from_on")
    WHERE ("listed_at" IS NOT NULL AND "superseded_at" IS NULL);
"""
REMOVE = f'DROP INDEX CONCURRENTLY IF EXISTS "{NAME}";'


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payouts", "0042_lists")]

    operations = [
        migrations.RunSQL("SET lock_timeout = '2h'; SET statement_timeout = '2h';", migrations.RunSQL.noop),
        migrations.RunSQL(REMOVE, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(BUILD, REMOVE)],
            state_operations=[migrations.AddConstraint("providerreport", ONE_LIST)],
        ),
        migrations.RunSQL("SET lock_timeout = '2s';", migrations.RunSQL.noop),
        ValidateConstraint("providerreport", "provider_report_uploaded_or_listed"),
        migrations.RunSQL("RESET lock_timeout; RESET statement_timeout;", migrations.RunSQL.noop),
    ]
