"""Expand: batches of payouts from a file, and their rows."""

from decimal import Decimal

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0021_queue_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255, verbose_name="file")),
                ("content_hash", models.BinaryField(max_length=32)),
                ("content", models.BinaryField(null=True)),
                (
                    "format",
                    models.CharField(choices=[("csv", "CSV"), ("xlsx", "XLSX")], max_length=8, verbose_name="format"),
                ),
                ("encoding", models.CharField(blank=True, max_length=16, verbose_name="encoding")),
                (
                    "uploaded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="uploaded at"
                    ),
                ),
                ("rows_total", models.PositiveIntegerField(null=True, verbose_name="rows")),
                ("rows_stored", models.PositiveIntegerField(default=0)),
                ("rows_wrong", models.PositiveIntegerField(default=0, verbose_name="rows with errors")),
                ("totals", models.JSONField(default=list)),
                ("refusal", models.JSONField(null=True)),
                ("checked_at", models.DateTimeField(null=True, verbose_name="checked at")),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent for approval at")),
                ("sent_note", models.CharField(blank=True, max_length=1000, verbose_name="note")),
                ("approved_at", models.DateTimeField(null=True, verbose_name="approved at")),
                ("rejected_at", models.DateTimeField(null=True, verbose_name="rejected at")),
                ("reason", models.CharField(blank=True, max_length=1000, verbose_name="reason")),
                ("discarded_at", models.DateTimeField(null=True, verbose_name="discarded at")),
                ("revision", models.PositiveIntegerField(default=1)),
                ("rows_seal", models.BinaryField(max_length=32, null=True)),
                ("facts_seal", models.BinaryField(max_length=32)),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("altered_at", models.DateTimeField(null=True, verbose_name="found altered at")),
                ("rung_at", models.DateTimeField(editable=False, null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "approved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="approved by",
                    ),
                ),
                (
                    "rejected_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="rejected by",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch",
                "verbose_name_plural": "batches",
                "ordering": ["-id"],
                "default_permissions": ["view", "add"],
            },
        ),
        migrations.CreateModel(
            name="BatchRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="line")),
                ("is_valid", models.BooleanField()),
                ("user_id", models.BigIntegerField(null=True, verbose_name="user ID")),
                ("amount", models.DecimalField(null=True, verbose_name="amount")),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                ("kind", models.CharField(blank=True, max_length=8, verbose_name="kind")),
                ("recipient", models.TextField(blank=True, editable=False, help_text="Encrypted.")),
                ("recipient_masked", models.JSONField(default=dict, verbose_name="recipient")),
                ("recipient_index", models.BinaryField(max_length=32, null=True)),
                ("comment", models.CharField(blank=True, max_length=1000, verbose_name="comment")),
                ("given", models.TextField(blank=True, editable=False)),
                ("errors", models.JSONField(default=list)),
                (
                    "notes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32), default=list
                    ),
                ),
                ("same_as", models.PositiveIntegerField(null=True)),
                ("row_seal", models.BinaryField(max_length=32)),
                ("refusal", models.JSONField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rows",
                        to="payouts.batch",
                        verbose_name="batch",
                    ),
                ),
                (
                    "earlier",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.payout",
                    ),
                ),
                (
                    "payout",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batch_row",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch row",
                "verbose_name_plural": "batch rows",
                "ordering": ["batch", "number"],
                "default_permissions": (),
            },
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("discarded_at", None), ("refusal__isnull", True), ("rejected_at", None)),
                fields=("content_hash",),
                name="batch_file_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("checked_at", None), ("content", None), _connector="OR"),
                name="batch_checked_keeps_no_content",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("sent_at", None),
                    models.Q(
                        ("checked_at__isnull", False),
                        ("refusal__isnull", True),
                        ("rows_seal__isnull", False),
                        ("rows_total__gt", models.F("rows_wrong")),
                        ("rows_total__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="batch_sent_can_be_paid",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at", None), ("approved_by", None)),
                    models.Q(
                        ("approved_at__isnull", False), ("approved_by__isnull", False), ("sent_at__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="batch_approved_by_with_approved_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rejected_at", None), ("rejected_by", None)),
                    models.Q(
                        ("rejected_at__isnull", False),
                        ("rejected_by__isnull", False),
                        ("sent_at__isnull", False),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="batch_rejected_by_with_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by", None),
                    models.Q(("approved_by", models.F("uploaded_by")), _negated=True),
                    _connector="OR",
                ),
                name="batch_uploader_does_not_approve",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at", None), ("rejected_at", None)),
                    models.Q(("approved_at", None), ("discarded_at", None)),
                    models.Q(("discarded_at", None), ("rejected_at", None)),
                    _connector="OR",
                ),
                name="batch_ends_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("finished_at", None), ("approved_at__isnull", False), _connector="OR"),
                name="batch_finished_was_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchrow",
            constraint=models.UniqueConstraint(fields=("batch", "number"), name="batch_row_once"),
        ),
        migrations.AddConstraint(
            model_name="batchrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_valid", False),
                    models.Q(
                        ("amount__gt", 0),
                        ("amount__isnull", False),
                        ("amount__lt", Decimal("100000000000000")),
                        ("currency__regex", "^[A-Z]{3}$"),
                        ("errors", []),
                        ("recipient_index__isnull", False),
                        ("user_id__gte", 1),
                        ("user_id__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="batch_row_valid_has_terms",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payout", None), ("refusal__isnull", True)),
                    models.Q(("is_valid", True), ("payout", None)),
                    models.Q(("is_valid", True), ("refusal__isnull", True)),
                    _connector="OR",
                ),
                name="batch_row_ends_once",
            ),
        ),
    ]
