"""Signed checkpoints of all payouts' histories. `checkpoint_never_deleted`: what one saw stays known."""

from django.db import migrations, models

from payouts.migrations._waits import briefly

FUNCTIONS = """
CREATE TRIGGER checkpoint_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""
BACK = "DROP TRIGGER checkpoint_never_deleted ON payouts_checkpoint;"


class Migration(migrations.Migration):
    dependencies = [("payouts", "0027_recipient_amount")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(unique=True, verbose_name="number")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                ("from_event", models.BigIntegerField()),
                ("to_event", models.BigIntegerField()),
                ("settled_event", models.BigIntegerField()),
                ("totals", models.JSONField(default=dict, verbose_name="totals")),
                ("versions", models.JSONField(default=dict)),
                ("leaves", models.BinaryField()),
                ("root", models.CharField(max_length=64, verbose_name="root")),
                ("previous_root", models.CharField(blank=True, max_length=64)),
                ("signature", models.BinaryField(max_length=36)),
                ("placed_at", models.DateTimeField(null=True, verbose_name="written outside at")),
            ],
            options={
                "verbose_name": "checkpoint",
                "verbose_name_plural": "checkpoints",
                "default_permissions": (),
                "ordering": ["number"],
            },
        ),
        migrations.RunSQL(FUNCTIONS, BACK),
    ]
