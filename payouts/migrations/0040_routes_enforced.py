"""Holds every row of bulk decisions to the rule of the migration before."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0039_routes")]

    operations = [patiently(), ValidateConstraint("bulkdecision", "bulk_decision_verb_known")]
