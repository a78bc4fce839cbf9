"""Expand: an attempt's webhooks are found by its key."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0013_exchanges")]

    operations = concurrently(
        AddIndexConcurrently(
            model_name="webhookmessage",
            index=models.Index(
                condition=models.Q(("reference__isnull", False)), fields=["reference"], name="webhook_by_reference"
            ),
        )
    )
