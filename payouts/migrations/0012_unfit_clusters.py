"""A cluster says when its keys do not fit the database."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0011_other_account"),
    ]

    operations = [
        briefly(),
        migrations.AddField(
            model_name="heartbeat",
            name="unfit_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
