"""Expand: exports of the payouts list, and their files in parts."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0018_payout_day_index"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.AlterModelOptions(
            name="payout",
            options={
                "default_permissions": ["view", "add"],
                "ordering": ["-id"],
                "permissions": [
                    ("approve_payout", "Can approve and reject payouts"),
                    ("hold_payout", "Can hold and release payouts"),
                    ("cancel_payout", "Can cancel payouts"),
                    ("retry_payout", "Can retry failed payouts"),
                    ("settle_payout", "Can settle payouts by hand"),
                    ("resolve_payout", "Can resolve payouts whose outcome is unknown"),
                    ("return_payout", "Can record that the bank returned a payout"),
                    ("reveal_payout", "Can see recipients in clear"),
                    ("export_payout", "Can export payouts"),
                ],
                "verbose_name": "payout",
                "verbose_name_plural": "payouts",
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="asked for at"
                    ),
                ),
                (
                    "query",
                    models.CharField(
                        blank=True, help_text="As in the list's address.", max_length=1000, verbose_name="filter"
                    ),
                ),
                (
                    "format",
                    models.CharField(choices=[("csv", "CSV"), ("xlsx", "XLSX")], max_length=8, verbose_name="format"),
                ),
                ("up_to_id", models.BigIntegerField(editable=False)),
                ("rows_total", models.PositiveIntegerField(null=True, verbose_name="payouts in all")),
                ("rows_done", models.PositiveIntegerField(db_default=0, default=0, verbose_name="payouts written")),
                ("last_id", models.BigIntegerField(db_default=0, default=0, editable=False)),
                ("size_bytes", models.BigIntegerField(db_default=0, default=0, verbose_name="size")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="kept until")),
                ("failed_at", models.DateTimeField(null=True, verbose_name="failed at")),
                (
                    "failure",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("not_allowed", "the person who asked for it may no longer export payouts"),
                            ("filter", "its filter can no longer be read"),
                            (
                                "too_long",
                                "it has too many payouts for an XLSX file: take CSV, or a narrower filter",
                            ),
                            ("unworkable", "the worker failed at it: its log says why"),
                        ],
                        db_default="",
                        default="",
                        max_length=16,
                        verbose_name="failure",
                    ),
                ),
                ("cancelled_at", models.DateTimeField(null=True, verbose_name="cancelled at")),
                (
                    "rung_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("lost_leases", models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
                (
                    "cancelled_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="cancelled by",
                    ),
                ),
            ],
            options={
                "verbose_name": "export",
                "verbose_name_plural": "exports",
                "ordering": ["-id"],
                "permissions": [("view_export", "Can see and download everybody's exports")],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ExportChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("content", models.BinaryField()),
                (
                    "export",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="chunks",
                        to="payouts.export",
                        verbose_name="export",
                    ),
                ),
            ],
            options={
                "verbose_name": "part of an export",
                "verbose_name_plural": "parts of exports",
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(
                condition=models.Q(("cancelled_at", None), ("failed_at", None), ("finished_at", None)),
                fields=["id"],
                name="export_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["csv", "xlsx"])), name="export_format_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("failed_at", None), ("finished_at", None)),
                    models.Q(("cancelled_at", None), ("finished_at", None)),
                    models.Q(("cancelled_at", None), ("failed_at", None)),
                    _connector="OR",
                ),
                name="export_ends_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("expires_at", None), ("finished_at", None)),
                    models.Q(
                        ("expires_at__isnull", False), ("finished_at__isnull", False), ("rows_total__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="export_finished_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("failed_at", None), ("failure", "")),
                    models.Q(("failed_at__isnull", False), models.Q(("failure", ""), _negated=True)),
                    _connector="OR",
                ),
                name="export_failed_at_with_failure",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cancelled_at", None), ("cancelled_by", None)),
                    models.Q(("cancelled_at__isnull", False), ("cancelled_by__isnull", False)),
                    _connector="OR",
                ),
                name="export_cancelled_at_with_cancelled_by",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_token", None), ("lease_until", None)),
                    models.Q(("lease_token__isnull", False), ("lease_until__isnull", False)),
                    _connector="OR",
                ),
                name="export_lease_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="exportchunk",
            constraint=models.UniqueConstraint(fields=("export", "number"), name="export_chunk_once"),
        ),
    ]
