"""Recoveries are sealed, so that SQL alone ends none. Null for what older code writes beside this."""

from typing import Any

from django.db import migrations, models

from payouts import vault
from payouts.migrations._waits import briefly


def seal_all(apps: Any, _schema_editor: Any) -> None:
    """Seal what is there, as payouts.models.installation does."""
    made = apps.get_model("payouts", "Recovery").objects

    def stamp(moment: Any) -> str | None:
        return moment.isoformat() if moment else None  # in UTC, as psycopg gives it

    for row in made.order_by("pk"):
        seal = vault.seal(
            "recovery",
            *(row.pk, row.cause, row.reason, stamp(row.began_at), row.begun_by),
            *(stamp(row.proposed_at), row.proposed_by_id, row.evidence),
            *(stamp(row.ended_at), row.ended_by_id, row.end_reason),
        )
        made.filter(pk=row.pk).update(facts_seal=seal)


class Migration(migrations.Migration):
    dependencies = [("payouts", "0028_checkpoints")]

    operations = [
        briefly(),
        migrations.AddField(
            model_name="recovery",
            name="facts_seal",
            field=models.BinaryField(editable=False, max_length=36, null=True),
        ),
        migrations.RunPython(seal_all, migrations.RunPython.noop),
    ]
