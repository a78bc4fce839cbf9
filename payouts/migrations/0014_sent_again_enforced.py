"""Holds every row to the foreign key of the migration before."""

from django.db import migrations

from payouts.migrations._waits import patiently


class Migration(migrations.Migration):
    dependencies = [("payouts", "0013_sent_again")]

    operations = [
        patiently(),
        migrations.RunSQL(
            "ALTER TABLE payouts_payout VALIDATE CONSTRAINT payout_sent_again_by_a_person;", migrations.RunSQL.noop
        ),
    ]
