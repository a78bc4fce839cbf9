"""Enforce: the constraints that 0004 put on new rows hold for the old ones too."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0005_suspect_index")]

    operations = [
        patiently(),
        ValidateConstraint(model_name="payout", name="payout_due_is_watched"),
        ValidateConstraint(model_name="payout", name="payout_lease_ends"),
    ]
