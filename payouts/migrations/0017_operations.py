"""Expand: pauses of providers, what was paid by day, and what the audit found."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0016_rules_history"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="AuditRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(db_default=Now(), verbose_name="started at")),
                ("seen_at", models.DateTimeField(db_default=Now(), verbose_name="last sign at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("broken_count", models.PositiveIntegerField(default=0, verbose_name="broken invariants")),
                ("findings", models.JSONField(default=list, verbose_name="first findings")),
            ],
            options={
                "verbose_name": "audit run",
                "verbose_name_plural": "audit runs",
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="DailyTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on", models.DateField(verbose_name="day")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("paid_count", models.PositiveIntegerField(verbose_name="payouts paid")),
                ("paid_amount", models.DecimalField(verbose_name="amount paid")),
            ],
            options={
                "verbose_name": "daily total",
                "verbose_name_plural": "daily totals",
                "ordering": ["on", "currency"],
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("on", "currency"), name="daily_total_unique")],
            },
        ),
        migrations.CreateModel(
            name="ProviderPause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=32, verbose_name="provider")),
                ("paused_at", models.DateTimeField(db_default=Now(), verbose_name="paused at")),
                (
                    "paused_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="paused by",
                    ),
                ),
                ("pause_reason", models.CharField(max_length=1000, verbose_name="reason for the pause")),
                ("resumed_at", models.DateTimeField(null=True, verbose_name="resumed at")),
                (
                    "resumed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="resumed by",
                    ),
                ),
                ("resume_reason", models.CharField(blank=True, max_length=1000, verbose_name="reason to resume")),
            ],
            options={
                "verbose_name": "provider pause",
                "verbose_name_plural": "provider pauses",
                "ordering": ["-id"],
                "permissions": [("pause_providerpause", "Can pause and resume providers")],
                "default_permissions": ["view"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(resumed_at=None), fields=("provider",), name="provider_pause_one_open"
                    ),
                    models.CheckConstraint(condition=~Q(pause_reason=""), name="provider_pause_has_a_reason"),
                    models.CheckConstraint(
                        condition=Q(resumed_at=None, resumed_by=None, resume_reason="")
                        | (Q(resumed_at__isnull=False, resumed_by__isnull=False) & ~Q(resume_reason="")),
                        name="provider_pause_resumed_at_with_resumed_by",
                    ),
                    models.CheckConstraint(
                        condition=Q(resumed_by=None) | ~Q(resumed_by=F("paused_by")),
                        name="provider_pause_takes_two_people",
                        violation_error_message="You paused it, so another person must resume it.",
                    ),
                ],
            },
        ),
    ]
