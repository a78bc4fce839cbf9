"""Holds every row to the constraints of the migration before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0018_batch_stopped")]

    operations = [
        patiently(),
        migrations.RunSQL(
            "ALTER TABLE payouts_batch VALIDATE CONSTRAINT batch_stopped_by_a_person;", migrations.RunSQL.noop
        ),
        ValidateConstraint("batch", "batch_stopped_by_with_reason"),
    ]
