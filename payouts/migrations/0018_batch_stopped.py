"""Who stopped an approved batch, when and why. The rows there are get held to the rule by the next migration."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from payouts.migrations._waits import briefly

ADD = """
ALTER TABLE payouts_batch ADD COLUMN stopped_by_id integer NULL;
ALTER TABLE payouts_batch ADD CONSTRAINT batch_stopped_by_a_person
    FOREIGN KEY (stopped_by_id) REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED NOT VALID;
"""
REMOVE = "ALTER TABLE payouts_batch DROP COLUMN stopped_by_id;"


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0017_velocity_enforced"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, REMOVE)],
            state_operations=[
                migrations.AddField(
                    "batch",
                    "stopped_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="stopped by",
                    ),
                )
            ],
        ),
        migrations.AddField("batch", "stopped_at", models.DateTimeField(null=True, verbose_name="stopped at")),
        migrations.AddField(
            "batch",
            "stop_reason",
            models.CharField(
                blank=True, db_default="", default="", max_length=1000, verbose_name="reason for stopping"
            ),
        ),
        AddConstraintNotValid(
            "batch",
            models.CheckConstraint(
                condition=models.Q(stopped_by=None, stopped_at=None, stop_reason="")
                | (
                    models.Q(stopped_by__isnull=False, stopped_at__isnull=False, approved_at__isnull=False)
                    & models.Q(finished_at=None)
                    & ~models.Q(stop_reason="")
                ),
                name="batch_stopped_by_with_reason",
            ),
        ),
    ]
