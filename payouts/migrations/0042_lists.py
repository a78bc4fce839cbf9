"""Reports that a provider was asked for, without a file and a person; formats; lines by the provider's own ID.

The columns have defaults in the database, so that the code that runs beside this migration can go on. The constraint
is held to every row by the next migration, which builds the index too.
"""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from payouts.migrations._waits import briefly

# No null is written before the new code does it, and the old code only fails to show such a report.
LET_BE_NULL = tuple(
    f" -- squawk-ignore ban-drop-not-null\nALTER TABLE payouts_providerreport ALTER COLUMN {column} DROP NOT NULL;"
    for column in ("content_hash", "uploaded_by_id")
)
# A longer limit rewrites neither the table nor its index.
LENGTHEN = (
    " -- squawk-ignore changing-column-type\n"
    "ALTER TABLE payouts_reportline ALTER COLUMN reference TYPE varchar(128);",
)


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0041_funds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.AddField(
            "providerreport",
            "format",
            models.CharField(db_default="payments", default="payments", max_length=32, verbose_name="format"),
        ),
        migrations.AddField(
            "providerreport",
            "zone",
            models.CharField(
                db_default="UTC",
                default="UTC",
                help_text="Whose days the period counts.",
                max_length=64,
                verbose_name="time zone",
            ),
        ),
        migrations.AddField(
            "providerreport",
            "listed_at",
            models.DateTimeField(null=True, verbose_name="listed by the provider at"),
        ),
        migrations.AddField(
            "providerreport", "superseded_at", models.DateTimeField(null=True, verbose_name="superseded at")
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LET_BE_NULL, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AlterField(
                    "providerreport", "content_hash", models.BinaryField(max_length=32, null=True, unique=True)
                ),
                migrations.AlterField(
                    "providerreport",
                    "uploaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
            ],
        ),
        AddConstraintNotValid(
            "providerreport",
            models.CheckConstraint(
                condition=models.Q(
                    listed_at=None, superseded_at=None, uploaded_by__isnull=False, content_hash__isnull=False
                )
                | models.Q(
                    listed_at__isnull=False,
                    uploaded_by=None,
                    content_hash=None,
                    from_on__isnull=False,
                    from_on=models.F("to_on"),
                ),
                name="provider_report_uploaded_or_listed",
            ),
        ),
        migrations.AddField(
            "reportline",
            "provider_id",
            models.CharField(blank=True, db_default="", default="", max_length=128, verbose_name="provider's ID"),
        ),
        migrations.AddField(
            "reportline",
            "currency",
            models.CharField(blank=True, db_default="", default="", max_length=3, verbose_name="currency"),
        ),
        migrations.AddField("reportline", "fee", models.DecimalField(null=True, verbose_name="provider's fee")),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LENGTHEN, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AlterField(
                    "reportline", "reference", models.CharField(max_length=128, verbose_name="reference")
                ),
            ],
        ),
        migrations.AlterField(
            "reportline",
            "result",
            models.CharField(
                blank=True,
                choices=[
                    ("", "not looked at yet"),
                    ("agrees", "agrees"),
                    ("settled", "settled"),
                    ("returned", "returned"),
                    ("asked", "the provider is asked"),
                    ("amount_differs", "amount differs"),
                    ("currency_differs", "currency differs"),
                    ("contradicts", "contradicts our record"),
                    ("not_ours", "not a payment of ours"),
                    ("missing", "missing in the report"),
                    ("own", "the uploader made it, or could have"),
                    ("altered", "changed outside the product"),
                ],
                default="",
                max_length=16,
                verbose_name="result",
            ),
        ),
    ]
