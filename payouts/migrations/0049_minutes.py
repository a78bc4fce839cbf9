"""What happened in each minute, for the pictures of the operations page."""

import django.contrib.postgres.fields
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0048_figures")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="MinuteSample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="minute")),
                ("provider", models.CharField(max_length=32, verbose_name="provider")),
                ("paid", models.PositiveIntegerField(default=0, verbose_name="paid")),
                ("refused", models.PositiveIntegerField(default=0, verbose_name="refused")),
                ("unknown", models.PositiveIntegerField(default=0, verbose_name="outcome unknown")),
                (
                    "calls",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveIntegerField(),
                        default=list,
                        size=None,
                        verbose_name="calls by duration",
                    ),
                ),
                ("due", models.PositiveIntegerField(null=True, verbose_name="due")),
                ("oldest_seconds", models.PositiveIntegerField(null=True, verbose_name="wait of the oldest")),
            ],
            options={
                "verbose_name": "sample of a minute",
                "verbose_name_plural": "samples of minutes",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("at", "provider"), name="minute_sample_unique")],
            },
        ),
    ]
