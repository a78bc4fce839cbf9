"""Expand: the attempts that ended on a report's days are found without a look at all the others."""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from payouts.migrations._waits import concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0008_attention_index")]

    operations = concurrently(
        AddIndexConcurrently(
            model_name="attempt",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["finished_at"], name="attempt_by_day"
            ),
        )
    )
