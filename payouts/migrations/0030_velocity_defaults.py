"""Velocity limits that an installation begins with, each with the first line of its history.

From the approval bands: T is where the highest band of the currency begins (0003_defaults.py). They are far above
what is usual, and bound what leaves before somebody looks.
"""

from decimal import Decimal
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

T = {"RUB": Decimal(1_000_000), "USD": Decimal(10_000), "EUR": Decimal(10_000)}
# How many times T, by scope and window.
LIMITS = {
    ("all", "hour"): 300,
    ("all", "day"): 1_000,
    ("client", "hour"): 100,
    ("client", "day"): 300,
    ("recipient", "hour"): 2,
    ("recipient", "day"): 3,
}


def add_defaults(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    limit: Any = apps.get_model("payouts", "VelocityLimit")
    if limit.objects.exists():
        return
    rows = limit.objects.bulk_create(
        limit(currency=currency, scope=scope, window=window, amount=times * unit)
        for currency, unit in T.items()
        for (scope, window), times in LIMITS.items()
    )
    history: Any = apps.get_model("payouts", "HistoricalVelocityLimit")
    kept = {field.name for field in history._meta.fields}
    history.objects.bulk_create(
        history(
            history_type="+",
            history_date=timezone.now(),
            **{field.name: getattr(row, field.name) for field in row._meta.fields if field.name in kept},
        )
        for row in rows
    )


class Migration(migrations.Migration):
    dependencies = [("payouts", "0029_recovery_seal")]

    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]
