"""Expand: payouts that need attention, of whatever status, are listed and counted without a look at the others."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0007_report_rung")]

    operations = concurrently(
        AddIndexConcurrently(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("attention", ""), _negated=True), fields=["-id"], name="payout_needs_attention"
            ),
        )
    )
