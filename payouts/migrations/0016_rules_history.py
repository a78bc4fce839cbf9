"""Expand: the history of review rules and limits."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly

# How the rules stand: the first change is then told from what to what.
BEGIN = """
INSERT INTO payouts_historicalreviewrule (flag, effect, history_date, history_type)
SELECT flag, effect, now(), '=' FROM payouts_reviewrule;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0015_history"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="HistoricalPayoutLimit",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("currency", models.CharField(db_index=True, max_length=3, verbose_name="currency")),
                (
                    "recipient_amount",
                    models.DecimalField(
                        blank=True,
                        help_text="For one recipient within 24 hours.",
                        null=True,
                        verbose_name="limit of a recipient",
                    ),
                ),
                (
                    "day_amount",
                    models.DecimalField(
                        blank=True,
                        help_text="For all payouts of one day (UTC) together.",
                        null=True,
                        verbose_name="limit of a day",
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "history",
                "verbose_name_plural": "history",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalReviewRule",
            fields=[
                (
                    "flag",
                    models.CharField(
                        choices=[
                            (
                                "possible_duplicate",
                                "the same amount for the same recipient and user came in within ten minutes before",
                            ),
                            ("above_recipient_limit", "with it, the recipient's limit of 24 hours is exceeded"),
                            ("above_day_limit", "with it, the day's limit of the currency is exceeded"),
                            ("card_checksum", "the card number fails its checksum"),
                            ("iban_checksum", "the IBAN fails its checksum"),
                        ],
                        db_index=True,
                        max_length=32,
                        verbose_name="review flag",
                    ),
                ),
                (
                    "effect",
                    models.CharField(
                        choices=[("note", "note: shown to staff"), ("ask", "ask: one approval more")],
                        max_length=8,
                        verbose_name="effect",
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "history",
                "verbose_name_plural": "history",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "default_permissions": (),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.RunSQL(BEGIN, migrations.RunSQL.noop),
    ]
