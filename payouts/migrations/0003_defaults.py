"""What an installation begins with: approval bands and review rules, each with the first line of its history.

Staff change both in the back office. A currency without a band needs one approval. Groups are made after each migrate
(payouts/staff/groups.py), because their permissions are.
"""

from decimal import Decimal
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

# From this amount on: one approval, two approvals.
BANDS = {"RUB": ("100000", "1000000"), "USD": ("1000", "10000"), "EUR": ("1000", "10000")}
# What asks for one approval more; the others are shown.
RULES = {
    "possible_duplicate": "ask",
    "above_recipient_limit": "ask",
    "above_day_limit": "ask",
    "card_checksum": "note",
    "iban_checksum": "note",
}


def add_defaults(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    band = apps.get_model("payouts", "ApprovalBand")
    bands = band.objects.bulk_create(
        band(currency=currency, from_amount=Decimal(amount), approvals_required=required)
        for currency, (one, two) in BANDS.items()
        for required, amount in enumerate(("0", one, two))
    )
    rule = apps.get_model("payouts", "ReviewRule")
    rules = rule.objects.bulk_create(rule(flag=flag, effect=effect) for flag, effect in RULES.items())
    _begin_history(apps.get_model("payouts", "HistoricalApprovalBand"), bands)
    _begin_history(apps.get_model("payouts", "HistoricalReviewRule"), rules)


def _begin_history(history: Any, rows: list[Any]) -> None:
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
    dependencies = [("payouts", "0002_guards")]

    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]
