"""Expand: suspects are found without a look at all that is due."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0004_news")]

    operations = concurrently(
        AddIndexConcurrently(
            model_name="payout",
            index=models.Index(condition=models.Q(("lost_leases__gte", 1)), fields=["due_at"], name="payout_suspect"),
        )
    )
