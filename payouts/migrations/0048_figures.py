"""The running totals that the exporter keeps, so that its counters outlive it and cost nothing on a large table."""

import django.contrib.postgres.fields
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0047_backups")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="FigureSource",
            fields=[
                (
                    "name",
                    models.CharField(max_length=32, primary_key=True, serialize=False, verbose_name="name"),
                ),
                ("counted_to", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name": "source of running totals",
                "verbose_name_plural": "sources of running totals",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="FigureTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=32, verbose_name="name")),
                (
                    "labels",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None),
                ),
                ("value", models.FloatField(verbose_name="value")),
            ],
            options={
                "verbose_name": "running total",
                "verbose_name_plural": "running totals",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("name", "labels"), name="figure_total_once")],
            },
        ),
    ]
