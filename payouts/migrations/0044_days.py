"""The days of our accounts that are held against what providers list."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly

GUARD = """
CREATE TRIGGER reconciled_day_never_deleted BEFORE DELETE OR TRUNCATE ON payouts_reconciledday
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""
NO_GUARD = "DROP TRIGGER reconciled_day_never_deleted ON payouts_reconciledday;"


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0043_lists_enforced"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="ReconciledDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32, verbose_name="account")),
                ("on", models.DateField(verbose_name="day")),
                ("zone", models.CharField(max_length=64, verbose_name="time zone")),
                ("asked_at", models.DateTimeField(null=True, verbose_name="asked at")),
                ("code", models.CharField(blank=True, max_length=64, verbose_name="code")),
                ("message", models.CharField(blank=True, max_length=255, verbose_name="message")),
                ("totals", models.JSONField(default=dict, editable=False)),
                ("unfinished", models.PositiveIntegerField(default=0, editable=False)),
                ("agreed_at", models.DateTimeField(null=True, verbose_name="agreed at")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
                ("close_reason", models.CharField(blank=True, max_length=1000, verbose_name="reason to close")),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
                (
                    "report",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.providerreport",
                        verbose_name="provider report",
                    ),
                ),
            ],
            options={
                "verbose_name": "reconciled day",
                "verbose_name_plural": "reconciled days",
                "ordering": ["-on", "account"],
                "permissions": [("close_reconciledday", "Can close days that do not agree with the provider")],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(fields=["on"], name="reconciled_day_by_day"),
                    models.Index(
                        condition=models.Q(("agreed_at", None), ("closed_at", None)),
                        fields=["on"],
                        name="reconciled_day_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "on"), name="reconciled_day_once"),
                    models.CheckConstraint(
                        condition=models.Q(("agreed_at", None), ("report__isnull", False), _connector="OR"),
                        name="reconciled_day_agreed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("close_reason", ""), ("closed_at", None), ("closed_by", None)),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("closed_by__isnull", False),
                                models.Q(("close_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="reconciled_day_closed_by",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARD, NO_GUARD),
    ]
