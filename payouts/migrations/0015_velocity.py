"""Velocity limits and their use; why a payout that is due is put off, and since when.

The columns have defaults in the database, so that the code that runs beside this migration can go on. Indexes follow
in the migration after this one, and the constraint is held to every row by the one after that.
"""

from decimal import Decimal

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0014_sent_again_enforced"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="HistoricalVelocityLimit",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("all", "all payouts"),
                            ("provider", "each provider"),
                            ("client", "each client"),
                            ("recipient", "each recipient"),
                        ],
                        max_length=16,
                        verbose_name="counts",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "window",
                    models.CharField(
                        choices=[("minute", "a minute"), ("hour", "an hour"), ("day", "a day")],
                        max_length=8,
                        verbose_name="within",
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(blank=True, help_text="In all, at most.", null=True, verbose_name="amount"),
                ),
                (
                    "count",
                    models.PositiveIntegerField(
                        blank=True, help_text="At most so many.", null=True, verbose_name="payouts"
                    ),
                ),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
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
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
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
            name="VelocityLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("all", "all payouts"),
                            ("provider", "each provider"),
                            ("client", "each client"),
                            ("recipient", "each recipient"),
                        ],
                        max_length=16,
                        verbose_name="counts",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "window",
                    models.CharField(
                        choices=[("minute", "a minute"), ("hour", "an hour"), ("day", "a day")],
                        max_length=8,
                        verbose_name="within",
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(blank=True, help_text="In all, at most.", null=True, verbose_name="amount"),
                ),
                (
                    "count",
                    models.PositiveIntegerField(
                        blank=True, help_text="At most so many.", null=True, verbose_name="payouts"
                    ),
                ),
            ],
            options={
                "verbose_name": "velocity limit",
                "verbose_name_plural": "velocity limits",
                "ordering": ["currency", "scope", "window"],
            },
        ),
        migrations.CreateModel(
            name="VelocityUse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "scope",
                        "key",
                        "currency",
                        "window",
                        "bucket_at",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("all", "all payouts"),
                            ("provider", "each provider"),
                            ("client", "each client"),
                            ("recipient", "each recipient"),
                        ],
                        max_length=16,
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=64)),
                ("currency", models.CharField(max_length=3)),
                (
                    "window",
                    models.CharField(
                        choices=[("minute", "a minute"), ("hour", "an hour"), ("day", "a day")], max_length=8
                    ),
                ),
                ("bucket_at", models.DateTimeField()),
                ("count", models.PositiveIntegerField()),
                ("amount", models.DecimalField()),
            ],
            options={
                "verbose_name": "use of a velocity limit",
                "verbose_name_plural": "use of velocity limits",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="payout",
            name="waits_for",
            field=models.CharField(db_default="", default="", editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name="payout",
            name="waits_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        AddConstraintNotValid(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("waits_for", ""), ("waits_since", None)),
                    models.Q(models.Q(("waits_for", ""), _negated=True), ("waits_since__isnull", False)),
                    _connector="OR",
                ),
                name="payout_waits_for_since",
            ),
        ),
        migrations.AddConstraint(
            model_name="velocitylimit",
            constraint=models.UniqueConstraint(
                fields=("currency", "scope", "window"),
                name="velocity_limit_unique",
                violation_error_message="There is a limit for this already: change that one.",
            ),
        ),
        migrations.AddConstraint(
            model_name="velocitylimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", ["all", "provider", "client", "recipient"])),
                name="velocity_limit_scope_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="velocitylimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("window__in", ["minute", "hour", "day"])), name="velocity_limit_window_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="velocitylimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                name="velocity_limit_currency",
                violation_error_message="A currency is three capital letters, as in RUB.",
            ),
        ),
        migrations.AddConstraint(
            model_name="velocitylimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__isnull", False), ("count__isnull", False), _connector="OR"),
                name="velocity_limit_says_something",
                violation_error_message="Give an amount, a number of payouts, or both.",
            ),
        ),
        migrations.AddConstraint(
            model_name="velocitylimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount", None),
                    models.Q(("amount__gt", 0), ("amount__lt", Decimal("10000000000000000"))),
                    _connector="OR",
                ),
                name="velocity_limit_amount",
                violation_error_message="A limit must be greater than zero.",
            ),
        ),
    ]
