"""Holds every row to the constraints of the migration before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0004_late_truths")]

    operations = [
        patiently(),
        ValidateConstraint("payout", "payout_due_is_watched"),
        ValidateConstraint("payout", "payout_lease_ends"),
    ]
