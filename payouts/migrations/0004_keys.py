"""Seals carry the id of the key that made them, so their columns are four bytes wider (in the models: no SQL)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0003_defaults"),
    ]

    operations = [
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
    ]
