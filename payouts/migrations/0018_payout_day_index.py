"""Expand: what was paid on a day is counted from the index alone, without a look at the payouts."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0017_operations")]

    operations = concurrently(
        AddIndexConcurrently(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("processed_at__isnull", False)),
                fields=["processed_at"],
                include=("currency", "amount"),
                name="payout_by_day",
            ),
        )
    )
