"""Holds every row to the constraint of 0015: what a payout waits for, and since when, are said together."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0016_velocity_indexes")]

    operations = [
        patiently(),
        ValidateConstraint("payout", "payout_waits_for_since"),
    ]
