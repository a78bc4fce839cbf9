"""Expand: decisions on many payouts at once, and each person's saved views of the list."""

import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import PROTECT, Q

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0019_exports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="BulkDecision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "verb",
                    models.CharField(
                        choices=[
                            ("approve", "approve"),
                            ("hold", "hold"),
                            ("release", "release"),
                            ("retry", "retry"),
                            ("cancel", "cancel"),
                        ],
                        max_length=16,
                        verbose_name="decision",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                ("reason", models.CharField(blank=True, db_default="", max_length=1000, verbose_name="reason")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="by"
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk decision",
                "verbose_name_plural": "bulk decisions",
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(verb__in=["approve", "hold", "release", "retry", "cancel"]),
                        name="bulk_decision_verb_known",
                    ),
                    models.CheckConstraint(
                        condition=Q(decided_at=None, reason="") | (Q(decided_at__isnull=False) & ~Q(reason="")),
                        name="bulk_decision_has_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                (
                    "result",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not decided yet"),
                            ("done", "done"),
                            ("skipped", "skipped"),
                            ("failed", "failed"),
                        ],
                        db_default="",
                        default="",
                        max_length=16,
                        verbose_name="result",
                    ),
                ),
                ("message", models.CharField(blank=True, db_default="", max_length=1000, verbose_name="message")),
                (
                    "bulk",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=PROTECT,
                        related_name="items",
                        to="payouts.bulkdecision",
                        verbose_name="bulk decision",
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=PROTECT,
                        related_name="+",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
            ],
            options={
                "verbose_name": "payout of a bulk decision",
                "verbose_name_plural": "payouts of a bulk decision",
                "default_permissions": (),
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("bulk", "payout"), name="bulk_item_once"),
                    models.CheckConstraint(
                        condition=Q(result__in=["", "done"], message="")
                        | (Q(result__in=["skipped", "failed"]) & ~Q(message="")),
                        name="bulk_item_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40, verbose_name="name")),
                ("query", models.CharField(max_length=1000, verbose_name="query")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=PROTECT,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "saved view",
                "verbose_name_plural": "saved views",
                "ordering": ["name"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "name"), name="saved_view_name_unique"),
                ],
            },
        ),
    ]
