"""Seals name their key, and every key in use has its mark.

Seals are four bytes longer, for their key's id: that is the models' to know, and takes no SQL.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0007_installation"),
    ]

    operations = [
        briefly(),
        migrations.AlterField(
            model_name="approval",
            name="mac",
            field=models.BinaryField(max_length=36),
        ),
        migrations.AlterField(
            model_name="batch",
            name="facts_seal",
            field=models.BinaryField(max_length=36),
        ),
        migrations.AlterField(
            model_name="batch",
            name="rows_seal",
            field=models.BinaryField(max_length=36, null=True),
        ),
        migrations.AlterField(
            model_name="batchrow",
            name="row_seal",
            field=models.BinaryField(max_length=36),
        ),
        migrations.AlterField(
            model_name="event",
            name="mac",
            field=models.BinaryField(max_length=36),
        ),
        migrations.AlterField(
            model_name="payout",
            name="event_head",
            field=models.BinaryField(max_length=36),
        ),
        migrations.AlterField(
            model_name="payout",
            name="seal",
            field=models.BinaryField(max_length=36),
        ),
        migrations.AddField(
            model_name="payout",
            name="unreadable_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name="KeyMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("setting", models.CharField(max_length=32)),
                ("key_id", models.CharField(max_length=8)),
                ("text", models.CharField(max_length=300)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name": "mark of a key",
                "verbose_name_plural": "marks of keys",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("setting", "key_id"), name="key_mark_once")],
            },
        ),
    ]
