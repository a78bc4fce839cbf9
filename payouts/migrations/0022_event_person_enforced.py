"""Holds every event to the foreign key of the migration before."""

from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0021_event_person")]

    operations = [
        patiently(),
        migrations.RunSQL("ALTER TABLE payouts_event VALIDATE CONSTRAINT event_by_a_person;", migrations.RunSQL.noop),
    ]
