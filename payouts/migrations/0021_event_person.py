"""The person behind an event, beside the name, which can change.

The foreign key is checked for new rows at once, and for all by the migration after this one.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly

ADD = """
ALTER TABLE payouts_event ADD COLUMN person_id integer NULL;
ALTER TABLE payouts_event ADD CONSTRAINT event_by_a_person
    FOREIGN KEY (person_id) REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED NOT VALID;
"""
REMOVE = "ALTER TABLE payouts_event DROP COLUMN person_id;"


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0020_proposals"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, REMOVE)],
            state_operations=[
                migrations.AddField(
                    "event",
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                )
            ],
        ),
    ]
