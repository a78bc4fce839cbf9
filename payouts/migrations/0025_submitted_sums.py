"""Sums of what is submitted, by the hour, in place of the one row of a limit that every submission changed.

The row's own columns stay for the code that runs beside this migration; new rows get their default. A later release
drops them.
"""

import django.utils.timezone
from django.db import migrations, models

from payouts.migrations._waits import briefly

HELP = "For all payouts within 24 hours together."


class Migration(migrations.Migration):
    dependencies = [("payouts", "0024_sealed_sets")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="SubmittedSum",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("currency", "currency"), ("recipient", "recipient")], max_length=16),
                ),
                ("key", models.BinaryField(max_length=32)),
                ("currency", models.CharField(max_length=3)),
                ("hour", models.DateTimeField(help_text="Its beginning, in UTC.")),
                ("count", models.IntegerField()),
                ("amount", models.DecimalField()),
            ],
            options={
                "verbose_name": "sum of what was submitted",
                "verbose_name_plural": "sums of what was submitted",
                "default_permissions": (),
                "indexes": [models.Index(fields=["kind", "key", "currency", "hour"], name="submitted_sum_of_hour")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE payouts_payoutlimit ADD COLUMN counts_from timestamptz NULL,"
                    " ALTER COLUMN used_amount SET DEFAULT 0;",
                    "ALTER TABLE payouts_payoutlimit DROP COLUMN counts_from, ALTER COLUMN used_amount DROP DEFAULT;",
                )
            ],
            state_operations=[
                migrations.AddField(
                    "payoutlimit",
                    "counts_from",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, null=True),
                ),
                migrations.RemoveField("payoutlimit", "used_on"),
                migrations.RemoveField("payoutlimit", "used_amount"),
            ],
        ),
        *(
            migrations.AlterField(
                name,
                "day_amount",
                models.DecimalField(blank=True, help_text=HELP, null=True, verbose_name="limit of a day"),
            )
            for name in ("payoutlimit", "historicalpayoutlimit")
        ),
    ]
