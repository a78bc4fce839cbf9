"""Bands to begin with; staff change them in the back office. A currency without a band needs one approval."""

from decimal import Decimal

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# From this amount on: one approval, two approvals.
DEFAULTS = {"RUB": ("100000", "1000000"), "USD": ("1000", "10000"), "EUR": ("1000", "10000")}


def add_bands(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    band = apps.get_model("payouts", "ApprovalBand")
    band.objects.bulk_create(
        band(currency=currency, from_amount=Decimal(amount), approvals_required=required)
        for currency, (one, two) in DEFAULTS.items()
        for required, amount in enumerate(("0", one, two))
    )


class Migration(migrations.Migration):
    dependencies = [("payouts", "0002_guards")]

    operations = [migrations.RunPython(add_bands, migrations.RunPython.noop)]
