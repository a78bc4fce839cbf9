"""Seals of API clients and their keys, and who is close to a client. The migration after this one fills them."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0030_velocity_defaults")]

    operations = [
        briefly(),
        migrations.AddField("apiclient", "ties", models.JSONField(default=dict, db_default={}, editable=False)),
        migrations.AddField("apiclient", "facts_seal", models.BinaryField(max_length=36, null=True, editable=False)),
        migrations.AddField("apikey", "facts_seal", models.BinaryField(max_length=36, null=True, editable=False)),
    ]
