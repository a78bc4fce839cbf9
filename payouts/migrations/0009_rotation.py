"""A rotation of keys knows how far it has come, and no process writes with a key that is retired."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0008_keys"),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="KeyRotation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("field_key", models.CharField(max_length=8)),
                ("seal_key", models.CharField(max_length=8)),
                ("last_payout_id", models.BigIntegerField(default=0)),
                ("last_batch_id", models.BigIntegerField(default=0)),
                ("payouts_renewed", models.PositiveIntegerField(default=0)),
                ("batches_renewed", models.PositiveIntegerField(default=0)),
                (
                    "unfit_payouts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list),
                ),
                (
                    "unfit_batches",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list),
                ),
                ("begun_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "rotation of keys",
                "verbose_name_plural": "rotations of keys",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="keymark",
            name="retired_at",
            field=models.DateTimeField(null=True),
        ),
    ]
