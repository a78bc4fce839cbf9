"""Every table, with its constraints and indexes."""

import uuid
from decimal import Decimal

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.math
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("otp_static", "0003_add_timestamps"),
        ("otp_totp", "0003_add_timestamps"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.UUIDField(default=uuid.uuid4, unique=True, verbose_name="idempotency key")),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                ("provider", models.CharField(max_length=32, verbose_name="provider")),
                (
                    "outcome",
                    models.CharField(
                        choices=[("open", "not known yet"), ("succeeded", "paid"), ("refused", "definitely refused")],
                        default="open",
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                ("calls", models.PositiveSmallIntegerField(default=0, verbose_name="calls")),
                ("provider_id", models.CharField(blank=True, max_length=128, verbose_name="provider's ID")),
                ("accepted_at", models.DateTimeField(null=True, verbose_name="accepted at")),
                ("last_called_at", models.DateTimeField(verbose_name="last called at")),
                ("last_code", models.CharField(blank=True, max_length=64, verbose_name="last code")),
                ("last_message", models.CharField(blank=True, max_length=255, verbose_name="last message")),
                ("last_answer", models.CharField(blank=True, max_length=1000, verbose_name="last answer")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "ordering": ["payout", "number"],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="AuditRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="started at"
                    ),
                ),
                (
                    "seen_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last sign at"
                    ),
                ),
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
            name="Breaker",
            fields=[
                (
                    "provider",
                    models.CharField(max_length=32, primary_key=True, serialize=False, verbose_name="provider"),
                ),
                ("failures", models.PositiveIntegerField(default=0, verbose_name="failures in a row")),
                ("trips", models.PositiveSmallIntegerField(default=0, verbose_name="times opened in a row")),
                ("open_until", models.DateTimeField(null=True, verbose_name="no calls before")),
                ("probing_since", models.DateTimeField(null=True, verbose_name="probing since")),
            ],
            options={
                "verbose_name": "circuit breaker",
                "verbose_name_plural": "circuit breakers",
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "cluster",
                    models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="cluster"),
                ),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="started at"
                    ),
                ),
                (
                    "beat_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="last beat at"
                    ),
                ),
            ],
            options={
                "verbose_name": "heartbeat",
                "verbose_name_plural": "heartbeats",
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Authenticator",
            fields=[],
            options={
                "verbose_name": "authenticator",
                "verbose_name_plural": "authenticators",
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("otp_totp.totpdevice",),
        ),
        migrations.CreateModel(
            name="BackupCodes",
            fields=[],
            options={
                "verbose_name": "backup codes",
                "verbose_name_plural": "backup codes",
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("otp_static.staticdevice",),
        ),
        migrations.CreateModel(
            name="ApiClient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=64, unique=True, verbose_name="name")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who is responsible for it. Counts as the maker of its payouts, so may not approve"
                        " them.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_clients",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "API client",
                "verbose_name_plural": "API clients",
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("prefix", models.CharField(max_length=12, unique=True, verbose_name="prefix")),
                ("secret_hash", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("payouts:read", "read payouts"),
                                ("payouts:write", "submit and cancel payouts"),
                                ("payouts:settle", "settle payouts by hand"),
                                ("payouts:reveal", "see recipients in clear"),
                            ],
                            max_length=32,
                        ),
                        verbose_name="scopes",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires at")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked at")),
                ("last_used_at", models.DateTimeField(blank=True, null=True, verbose_name="last used at")),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="keys",
                        to="payouts.apiclient",
                        verbose_name="client",
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
            },
        ),
        migrations.CreateModel(
            name="ApprovalBand",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("from_amount", models.DecimalField(verbose_name="from amount")),
                ("approvals_required", models.PositiveSmallIntegerField(verbose_name="approvals required")),
            ],
            options={
                "verbose_name": "approval band",
                "verbose_name_plural": "approval bands",
                "ordering": ["currency", "from_amount"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("currency", "from_amount"),
                        name="approval_band_unique",
                        violation_error_message="There is a band for this currency and amount already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                        name="approval_band_currency",
                        violation_error_message="A currency is three capital letters, as in RUB.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_amount__gte", 0), ("from_amount__lt", Decimal("100000000000000"))),
                        name="approval_band_from_amount",
                        violation_error_message="The amount must be zero or more.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("approvals_required__lte", 5)),
                        name="approval_band_required",
                        violation_error_message="At most five approvals can be required.",
                    ),
                ],
            },
        ),
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
                ("seen_at", models.DateTimeField(editable=False, null=True)),
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
                ("reason", models.CharField(blank=True, max_length=1000, verbose_name="reason")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk decision",
                "verbose_name_plural": "bulk decisions",
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
            name="Exchange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("call", models.PositiveSmallIntegerField(verbose_name="call")),
                ("called_at", models.DateTimeField(verbose_name="called at")),
                ("answered_at", models.DateTimeField(verbose_name="answered at")),
                ("verdict", models.CharField(max_length=16, verbose_name="understood as")),
                ("http_status", models.PositiveSmallIntegerField(null=True, verbose_name="HTTP status")),
                ("code", models.CharField(blank=True, max_length=64, verbose_name="code")),
                ("message", models.CharField(blank=True, max_length=255, verbose_name="message")),
                ("excerpt", models.CharField(blank=True, max_length=1000, verbose_name="answer, masked")),
                (
                    "attempt",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exchanges",
                        to="payouts.attempt",
                        to_field="reference",
                        verbose_name="attempt",
                    ),
                ),
            ],
            options={
                "verbose_name": "exchange",
                "verbose_name_plural": "exchanges",
                "ordering": ["attempt", "call"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="requested at"
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
                ("rows_done", models.PositiveIntegerField(default=0, verbose_name="payouts written")),
                ("last_id", models.BigIntegerField(default=0, editable=False)),
                ("size_bytes", models.BigIntegerField(default=0, verbose_name="size")),
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
                            ("too_long", "it has too many payouts for an XLSX file: take CSV, or a narrower filter"),
                            ("unworkable", "the worker failed on it: see its log"),
                        ],
                        default="",
                        max_length=16,
                        verbose_name="failure",
                    ),
                ),
                ("cancelled_at", models.DateTimeField(null=True, verbose_name="cancelled at")),
                (
                    "seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("lost_leases", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
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
        migrations.CreateModel(
            name="HistoricalApiClient",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("name", models.SlugField(max_length=64, verbose_name="name")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
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
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Who is responsible for it. Counts as the maker of its payouts, so may not approve"
                        " them.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
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
            name="HistoricalApiKey",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("prefix", models.CharField(db_index=True, max_length=12, verbose_name="prefix")),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("payouts:read", "read payouts"),
                                ("payouts:write", "submit and cancel payouts"),
                                ("payouts:settle", "settle payouts by hand"),
                                ("payouts:reveal", "see recipients in clear"),
                            ],
                            max_length=32,
                        ),
                        verbose_name="scopes",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires at")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked at")),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "client",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.apiclient",
                        verbose_name="client",
                    ),
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
            name="HistoricalApprovalBand",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("from_amount", models.DecimalField(verbose_name="from amount")),
                ("approvals_required", models.PositiveSmallIntegerField(verbose_name="approvals required")),
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
                                "possible duplicate",
                            ),
                            ("above_recipient_limit", "over the recipient's limit for 24 hours"),
                            ("above_day_limit", "over the currency's limit for the day"),
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
                        choices=[("note", "note: shown to staff"), ("ask", "ask: one more approval")],
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
        migrations.CreateModel(
            name="Payout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reference",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="reference"),
                ),
                (
                    "user_id",
                    models.BigIntegerField(help_text="The recipient's number at the client.", verbose_name="user ID"),
                ),
                ("amount", models.DecimalField(verbose_name="amount")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("recipient", models.TextField(editable=False, help_text="Encrypted.")),
                ("recipient_masked", models.JSONField(editable=False, verbose_name="recipient")),
                ("recipient_index", models.BinaryField(max_length=32)),
                ("comment", models.CharField(blank=True, max_length=1000, verbose_name="comment")),
                ("terms_hash", models.BinaryField(max_length=32)),
                (
                    "idempotency_key",
                    models.CharField(blank=True, max_length=255, null=True, verbose_name="idempotency key"),
                ),
                ("request_hash", models.BinaryField(max_length=32, null=True)),
                ("trace_id", models.CharField(blank=True, max_length=128, verbose_name="request ID")),
                ("provider", models.CharField(max_length=32, verbose_name="provider")),
                (
                    "review_flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32), default=list, verbose_name="review flags"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("processing", "Processing"),
                            ("processed", "Processed"),
                            ("failed", "Failed"),
                            ("unknown", "Outcome unknown"),
                            ("rejected", "Rejected"),
                            ("cancelled", "Cancelled"),
                            ("returned", "Returned"),
                        ],
                        default="pending",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "version",
                    models.PositiveIntegerField(help_text="The number of its last event.", verbose_name="version"),
                ),
                ("approvals_required", models.PositiveSmallIntegerField(verbose_name="approvals required")),
                ("approvals_given", models.PositiveSmallIntegerField(default=0, verbose_name="approvals given")),
                ("held_at", models.DateTimeField(blank=True, null=True, verbose_name="held at")),
                (
                    "attention",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("altered", "its row was changed outside the product"),
                            ("terms_changed", "the amount or the recipient differs from what was submitted"),
                            ("approvals_missing", "its approvals do not match its amount and recipient"),
                            ("unreadable", "the recipient cannot be decrypted"),
                            ("unpayable", "its amount or currency cannot be paid"),
                            (
                                "not_found",
                                "the provider has no record of this payment, and it is too late to resend it safely",
                            ),
                            ("too_many_calls", "the provider was asked too often without a clear answer"),
                            ("unworkable", "the worker failed on it several times"),
                            ("contradicted", "the provider's answer contradicts our record"),
                            ("amount_differs", "the provider reports another amount"),
                            ("missing", "the provider's report does not have it"),
                        ],
                        default="",
                        max_length=32,
                        verbose_name="needs attention",
                    ),
                ),
                ("scheduled_for", models.DateTimeField(blank=True, null=True, verbose_name="scheduled for")),
                (
                    "release_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Until then the last approval can be withdrawn.",
                        null=True,
                        verbose_name="released at",
                    ),
                ),
                ("failure_code", models.CharField(blank=True, max_length=64, verbose_name="failure code")),
                ("failure_message", models.CharField(blank=True, max_length=255, verbose_name="failure message")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("updated_at", models.DateTimeField(verbose_name="updated at")),
                ("processed_at", models.DateTimeField(blank=True, null=True, verbose_name="processed at")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="withdrawn at")),
                ("due_at", models.DateTimeField(editable=False, null=True)),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("lost_leases", models.SmallIntegerField(default=0, editable=False)),
                ("news_at", models.DateTimeField(editable=False, null=True)),
                ("event_head", models.BinaryField(max_length=32)),
                ("seal", models.BinaryField(max_length=32)),
                (
                    "client",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payouts",
                        to="payouts.apiclient",
                        verbose_name="client",
                    ),
                ),
                (
                    "held_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="held by",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payouts_made",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="maker",
                    ),
                ),
            ],
            options={
                "verbose_name": "payout",
                "verbose_name_plural": "payouts",
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
                "default_permissions": ["view", "add"],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField(verbose_name="number")),
                (
                    "event",
                    models.CharField(
                        choices=[
                            ("submitted", "submitted"),
                            ("approved", "approved"),
                            ("approval_withdrawn", "approval withdrawn"),
                            ("rejected", "rejected"),
                            ("held", "put on hold"),
                            ("released", "released"),
                            ("scheduled", "scheduled"),
                            ("cancelled", "cancelled"),
                            ("withdrawn", "withdrawn"),
                            ("settled", "settled by hand"),
                            ("claimed", "sent to the provider"),
                            ("accepted", "accepted by the provider"),
                            ("succeeded", "paid"),
                            ("refused", "refused by the provider"),
                            ("outcome_unknown", "outcome unknown"),
                            ("flagged", "needs attention"),
                            ("asked", "provider asked ahead of time"),
                            ("retried", "retried"),
                            ("resolution_proposed", "resolution proposed"),
                            ("resolved", "resolved by hand"),
                            ("returned", "returned by the bank"),
                            ("reconciled", "settled by the provider's report"),
                            ("revealed", "recipient revealed"),
                        ],
                        max_length=32,
                        verbose_name="event",
                    ),
                ),
                (
                    "from_status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("processing", "Processing"),
                            ("processed", "Processed"),
                            ("failed", "Failed"),
                            ("unknown", "Outcome unknown"),
                            ("rejected", "Rejected"),
                            ("cancelled", "Cancelled"),
                            ("returned", "Returned"),
                        ],
                        max_length=16,
                        null=True,
                        verbose_name="from",
                    ),
                ),
                (
                    "to_status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("processing", "Processing"),
                            ("processed", "Processed"),
                            ("failed", "Failed"),
                            ("unknown", "Outcome unknown"),
                            ("rejected", "Rejected"),
                            ("cancelled", "Cancelled"),
                            ("returned", "Returned"),
                        ],
                        max_length=16,
                        verbose_name="to",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                ("actor", models.CharField(max_length=200, verbose_name="actor")),
                ("reason", models.CharField(blank=True, max_length=1000, verbose_name="reason")),
                ("trace_id", models.CharField(blank=True, max_length=128, verbose_name="request ID")),
                ("facts", models.JSONField(default=dict, verbose_name="facts")),
                ("mac", models.BinaryField(max_length=32)),
                (
                    "payout",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "ordering": ["payout", "seq"],
                "default_permissions": ["view"],
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
                        default="",
                        max_length=16,
                        verbose_name="result",
                    ),
                ),
                ("message", models.CharField(blank=True, max_length=1000, verbose_name="message")),
                (
                    "bulk",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="payouts.bulkdecision",
                        verbose_name="bulk decision",
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
            ],
            options={
                "verbose_name": "payout of a bulk decision",
                "verbose_name_plural": "payouts of a bulk decision",
                "ordering": ["id"],
                "default_permissions": (),
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
        migrations.AddField(
            model_name="attempt",
            name="payout",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="payouts.payout",
                verbose_name="payout",
            ),
        ),
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "decision",
                    models.CharField(
                        choices=[
                            ("approve", "approve"),
                            ("withdraw", "withdraw the approval"),
                            ("paid", "was paid"),
                            ("not_paid", "was not paid"),
                        ],
                        max_length=16,
                        verbose_name="decision",
                    ),
                ),
                (
                    "number",
                    models.PositiveSmallIntegerField(
                        default=1, help_text="Of this person's decisions on this payout.", verbose_name="number"
                    ),
                ),
                ("terms_hash", models.BinaryField(max_length=32)),
                ("evidence", models.CharField(blank=True, max_length=1000, verbose_name="evidence")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("mac", models.BinaryField(max_length=32)),
                (
                    "checker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="checker",
                    ),
                ),
                (
                    "attempt",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resolutions",
                        to="payouts.attempt",
                        verbose_name="attempt",
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
            ],
            options={
                "verbose_name": "approval",
                "verbose_name_plural": "approvals",
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="PayoutLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3, unique=True, verbose_name="currency")),
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
                ("used_on", models.DateField(editable=False, null=True)),
                ("used_amount", models.DecimalField(default=0, editable=False)),
            ],
            options={
                "verbose_name": "limit",
                "verbose_name_plural": "limits",
                "ordering": ["currency"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                        name="payout_limit_currency",
                        violation_error_message="A currency is three capital letters, as in RUB.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("recipient_amount__isnull", False), ("day_amount__isnull", False), _connector="OR"
                        ),
                        name="payout_limit_says_something",
                        violation_error_message="Give at least one of the two limits.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("recipient_amount", None),
                                models.Q(
                                    ("recipient_amount__gt", 0), ("recipient_amount__lt", Decimal("100000000000000"))
                                ),
                                _connector="OR",
                            ),
                            models.Q(
                                ("day_amount", None),
                                models.Q(("day_amount__gt", 0), ("day_amount__lt", Decimal("100000000000000"))),
                                _connector="OR",
                            ),
                        ),
                        name="payout_limit_amounts",
                        violation_error_message="A limit must be greater than zero.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderPause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=32, verbose_name="provider")),
                (
                    "paused_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="paused at"
                    ),
                ),
                ("pause_reason", models.CharField(max_length=1000, verbose_name="reason for the pause")),
                ("resumed_at", models.DateTimeField(null=True, verbose_name="resumed at")),
                ("resume_reason", models.CharField(blank=True, max_length=1000, verbose_name="reason to resume")),
                (
                    "paused_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="paused by",
                    ),
                ),
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
            ],
            options={
                "verbose_name": "provider pause",
                "verbose_name_plural": "provider pauses",
                "ordering": ["-id"],
                "permissions": [("pause_providerpause", "Can pause and resume providers")],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="ProviderReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(default="http", max_length=32, verbose_name="provider")),
                ("name", models.CharField(max_length=255, verbose_name="file")),
                ("content_hash", models.BinaryField(max_length=32, unique=True)),
                ("from_on", models.DateField(blank=True, null=True, verbose_name="from day")),
                ("to_on", models.DateField(blank=True, null=True, verbose_name="to day")),
                (
                    "uploaded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="uploaded at"
                    ),
                ),
                ("applied_at", models.DateTimeField(null=True, verbose_name="applied at")),
                ("seen_at", models.DateTimeField(editable=False, null=True)),
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
                "verbose_name": "provider report",
                "verbose_name_plural": "provider reports",
                "ordering": ["-id"],
                "default_permissions": ["view", "add"],
            },
        ),
        migrations.CreateModel(
            name="ReportLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(null=True, verbose_name="line")),
                ("reference", models.CharField(max_length=64, verbose_name="reference")),
                ("status", models.CharField(blank=True, max_length=16, verbose_name="reported status")),
                ("amount", models.DecimalField(verbose_name="reported amount")),
                (
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
                (
                    "payout",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
                (
                    "report",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="payouts.providerreport",
                        verbose_name="report",
                    ),
                ),
            ],
            options={
                "verbose_name": "report line",
                "verbose_name_plural": "report lines",
                "ordering": ["report", "number"],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="ReviewRule",
            fields=[
                (
                    "flag",
                    models.CharField(
                        choices=[
                            (
                                "possible_duplicate",
                                "possible duplicate",
                            ),
                            ("above_recipient_limit", "over the recipient's limit for 24 hours"),
                            ("above_day_limit", "over the currency's limit for the day"),
                            ("card_checksum", "the card number fails its checksum"),
                            ("iban_checksum", "the IBAN fails its checksum"),
                        ],
                        max_length=32,
                        primary_key=True,
                        serialize=False,
                        verbose_name="review flag",
                    ),
                ),
                (
                    "effect",
                    models.CharField(
                        choices=[("note", "note: shown to staff"), ("ask", "ask: one more approval")],
                        max_length=8,
                        verbose_name="effect",
                    ),
                ),
            ],
            options={
                "verbose_name": "review rule",
                "verbose_name_plural": "review rules",
                "ordering": ["flag"],
                "default_permissions": ["view", "change"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "flag__in",
                                [
                                    "possible_duplicate",
                                    "above_recipient_limit",
                                    "above_day_limit",
                                    "card_checksum",
                                    "iban_checksum",
                                ],
                            )
                        ),
                        name="review_rule_flag_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("effect__in", ["note", "ask"])), name="review_rule_effect_known"
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
                        on_delete=django.db.models.deletion.PROTECT,
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
            },
        ),
        migrations.CreateModel(
            name="WebhookMessage",
            fields=[
                (
                    "message_id",
                    models.CharField(max_length=255, primary_key=True, serialize=False, verbose_name="message ID"),
                ),
                (
                    "reference",
                    models.UUIDField(
                        help_text="Of the attempt that it is about.", null=True, verbose_name="idempotency key"
                    ),
                ),
                ("reported", models.CharField(blank=True, max_length=16, verbose_name="reported status")),
                (
                    "received_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        db_index=True,
                        verbose_name="received at",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook message",
                "verbose_name_plural": "webhook messages",
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("reference__isnull", False)),
                        fields=["reference"],
                        name="webhook_by_reference",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AccessEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="time"),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("logged_in", "logged in"),
                            ("logged_out", "logged out"),
                            ("idle", "session ended after no activity"),
                            ("expired", "session ended at its time limit"),
                            ("login_failed", "login refused"),
                            ("locked_out", "locked out after too many refusals"),
                            ("code_accepted", "confirmed the second factor"),
                            ("backup_code_used", "confirmed the second factor with a backup code"),
                            ("code_refused", "second factor refused"),
                            ("set_up", "set up a second factor"),
                            ("replaced", "replaced the second factor"),
                            ("codes_made", "made new backup codes"),
                            ("removed", "second factor removed on the server"),
                            ("password_set", "password changed"),
                        ],
                        max_length=32,
                        verbose_name="what",
                    ),
                ),
                ("address", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("trace_id", models.CharField(blank=True, max_length=128, verbose_name="request ID")),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "access event",
                "verbose_name_plural": "access log",
                "ordering": ["-id"],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(fields=["user", "-id"], name="access_event_of_user"),
                    models.Index(fields=["address", "-id"], name="access_event_from"),
                ],
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
            model_name="bulkdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(("verb__in", ["approve", "hold", "release", "retry", "cancel"])),
                name="bulk_decision_verb_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkdecision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at", None), ("reason", "")),
                    models.Q(("decided_at__isnull", False), models.Q(("reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="bulk_decision_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="exchange",
            constraint=models.UniqueConstraint(fields=("attempt", "call"), name="exchange_once_per_call"),
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
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="payout_due"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(condition=models.Q(("lost_leases__gte", 1)), fields=["due_at"], name="payout_suspect"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("withdrawn_at", None)), fields=["client", "user_id", "-id"], name="payout_of_user"
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(fields=["status", "-id"], name="payout_by_status"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("status__in", ["failed", "pending", "processing", "unknown"])),
                fields=["status", "created_at"],
                name="payout_open_by_age",
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(fields=["recipient_index", "created_at"], name="payout_of_recipient"),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("attention", ""), _negated=True), fields=["-id"], name="payout_needs_attention"
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["created_at"], name="payout_by_creation", pages_per_range=32
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("processed_at__isnull", False)),
                fields=["processed_at"],
                include=("currency", "amount"),
                name="payout_by_day",
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("approvals_given__lt", models.F("approvals_required")), ("status", "pending")),
                fields=["id"],
                name="payout_awaits_approval",
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(
                condition=models.Q(("held_at__isnull", False), ("status", "pending")),
                fields=["id"],
                name="payout_on_hold",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "pending",
                            "processing",
                            "processed",
                            "failed",
                            "unknown",
                            "rejected",
                            "cancelled",
                            "returned",
                        ],
                    )
                ),
                name="payout_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("user_id__gte", 1)), name="payout_user_id_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0), ("amount__lt", Decimal("100000000000000"))),
                name="payout_amount_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", django.db.models.functions.math.Round("amount", 4))),
                name="payout_amount_decimals",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="payout_currency_code"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(("client__isnull", False), ("maker__isnull", False), _connector="OR"),
                name="payout_has_a_maker",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("idempotency_key", None), ("request_hash", None)),
                    models.Q(
                        ("client__isnull", False), ("idempotency_key__isnull", False), ("request_hash__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="payout_idempotency_key_with_hash",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key__isnull", False)),
                fields=("client", "idempotency_key"),
                name="payout_one_per_idempotency_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("held_at", None), ("held_by", None)),
                    models.Q(("held_at__isnull", False), ("held_by__isnull", False)),
                    _connector="OR",
                ),
                name="payout_held_at_with_held_by",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", frozenset(["processed", "returned"])), _negated=True),
                    ("processed_at__isnull", False),
                    _connector="OR",
                ),
                name="payout_paid_has_processed_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "processing"), _negated=True),
                    ("approvals_given__gte", models.F("approvals_required")),
                    _connector="OR",
                ),
                name="payout_processing_is_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("due_at", None),
                    models.Q(("attention", ""), ("status__in", ("pending", "processing", "unknown", "processed"))),
                    _connector="OR",
                ),
                name="payout_due_is_watched",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "pending"), _negated=True),
                    ("due_at", None),
                    models.Q(
                        ("approvals_given__gte", models.F("approvals_required")),
                        ("held_at", None),
                        ("withdrawn_at", None),
                    ),
                    _connector="OR",
                ),
                name="payout_due_is_ready",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lease_token", None),
                    models.Q(("due_at__isnull", False), ("status__in", ["processing", "unknown", "processed"])),
                    _connector="OR",
                ),
                name="payout_lease_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("withdrawn_at", None), ("status__in", ["cancelled", "rejected"]), _connector="OR"
                ),
                name="payout_withdrawn_is_closed",
            ),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(fields=("payout", "seq"), name="event_seq_unique"),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("from_status", None),
                        (
                            "from_status__in",
                            [
                                "pending",
                                "processing",
                                "processed",
                                "failed",
                                "unknown",
                                "rejected",
                                "cancelled",
                                "returned",
                            ],
                        ),
                        _connector="OR",
                    ),
                    (
                        "to_status__in",
                        [
                            "pending",
                            "processing",
                            "processed",
                            "failed",
                            "unknown",
                            "rejected",
                            "cancelled",
                            "returned",
                        ],
                    ),
                ),
                name="event_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_status", None), ("seq", 1)),
                    models.Q(("from_status__isnull", False), ("seq__gt", 1)),
                    _connector="OR",
                ),
                name="event_first_has_no_origin",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkitem",
            constraint=models.UniqueConstraint(fields=("bulk", "payout"), name="bulk_item_once"),
        ),
        migrations.AddConstraint(
            model_name="bulkitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("message", ""), ("result__in", ["", "done"])),
                    models.Q(("result__in", ["skipped", "failed"]), models.Q(("message", ""), _negated=True)),
                    _connector="OR",
                ),
                name="bulk_item_says_why",
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
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=["provider_id"],
                name="attempt_by_provider_id",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["finished_at"], name="attempt_by_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome", "refused"), _negated=True),
                fields=("payout",),
                name="attempt_one_live_per_payout",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=("payout", "number"), name="attempt_number_unique"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("outcome", "open")),
                    models.Q(("finished_at__isnull", False), ("outcome__in", ["succeeded", "refused"])),
                    _connector="OR",
                ),
                name="attempt_outcome_with_finished_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.UniqueConstraint(
                condition=models.Q(("attempt", None)),
                fields=("payout", "checker", "number"),
                name="approval_voice_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.UniqueConstraint(
                condition=models.Q(("attempt__isnull", False)),
                fields=("attempt", "checker"),
                name="approval_resolution_nobody_twice",
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("attempt", None), ("decision__in", ["approve", "withdraw"])),
                    models.Q(
                        ("attempt__isnull", False),
                        ("decision__in", ["paid", "not_paid"]),
                        models.Q(("evidence", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="approval_resolution_has_evidence",
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("decision", "approve"), _negated=True),
                        ("number__in", [1, 3, 5, 7]),
                        _connector="OR",
                    ),
                    models.Q(
                        models.Q(("decision", "withdraw"), _negated=True),
                        ("number__in", [2, 4, 6, 8]),
                        _connector="OR",
                    ),
                ),
                name="approval_alternates",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpause",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resumed_at", None)), fields=("provider",), name="provider_pause_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpause",
            constraint=models.CheckConstraint(
                condition=models.Q(("pause_reason", ""), _negated=True), name="provider_pause_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpause",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("resume_reason", ""), ("resumed_at", None), ("resumed_by", None)),
                    models.Q(
                        ("resumed_at__isnull", False),
                        ("resumed_by__isnull", False),
                        models.Q(("resume_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="provider_pause_resumed_at_with_resumed_by",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpause",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("resumed_by", None),
                    models.Q(("resumed_by", models.F("paused_by")), _negated=True),
                    _connector="OR",
                ),
                name="provider_pause_takes_two_people",
                violation_error_message="You paused it, so another person must resume it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerreport",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_on", None), ("to_on", None)),
                    models.Q(
                        ("from_on__isnull", False), ("to_on__gte", models.F("from_on")), ("to_on__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="provider_report_period",
                violation_error_message="Give both days of the period, the earlier one first, or neither.",
            ),
        ),
        migrations.AddIndex(
            model_name="reportline",
            index=models.Index(fields=["report", "result", "number"], name="report_line_by_result"),
        ),
        migrations.AddConstraint(
            model_name="reportline",
            constraint=models.UniqueConstraint(fields=("report", "reference"), name="report_line_once"),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(fields=("owner", "name"), name="saved_view_name_unique"),
        ),
    ]
