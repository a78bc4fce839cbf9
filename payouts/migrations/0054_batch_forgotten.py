"""Batches whose rows have lost their recipients, because they have been over for long enough."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0053_batch_row_recipient")]

    operations = [
        briefly(),
        migrations.AddField(
            model_name="batch",
            name="forgotten_at",
            field=models.DateTimeField(null=True, verbose_name="recipients deleted at"),
        ),
    ]
