"""Expand: what webhooks, reports, the circuit breaker and suspects need. Old code runs beside it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0003_default_bands"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
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
                            ("own", "made by the person who uploaded the report"),
                            ("altered", "changed outside the product"),
                        ],
                        db_default="",
                        default="",
                        max_length=16,
                        verbose_name="result",
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
            name="WebhookMessage",
            fields=[
                (
                    "message_id",
                    models.CharField(max_length=255, primary_key=True, serialize=False, verbose_name="message ID"),
                ),
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
            },
        ),
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
                ],
                "verbose_name": "payout",
                "verbose_name_plural": "payouts",
            },
        ),
        migrations.RemoveConstraint(
            model_name="payout",
            name="payout_due_is_open",
        ),
        migrations.RemoveConstraint(
            model_name="payout",
            name="payout_lease_has_an_end",
        ),
        migrations.AddField(
            model_name="payout",
            name="lost_leases",
            field=models.SmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="payout",
            name="news_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="event",
            name="event",
            field=models.CharField(
                choices=[
                    ("submitted", "submitted"),
                    ("approved", "approved"),
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
        migrations.AlterField(
            model_name="payout",
            name="attention",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", ""),
                    ("altered", "its row was changed outside the product"),
                    ("terms_changed", "the amount or the recipient differs from what was submitted"),
                    ("approvals_missing", "its approvals do not cover what would be paid"),
                    ("unreadable", "the recipient cannot be decrypted"),
                    ("unpayable", "its amount or currency cannot be paid"),
                    ("not_found", "the provider has nothing under its key, which may not be sent again"),
                    ("too_many_calls", "the provider was asked too often without a clear answer"),
                    ("unworkable", "the worker failed at it again and again"),
                    ("contradicted", "the provider says something else than what is recorded"),
                    ("amount_differs", "the provider reports another amount"),
                    ("missing", "the provider's report does not have it"),
                ],
                default="",
                max_length=32,
                verbose_name="needs attention",
            ),
        ),
        AddConstraintNotValid(
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
        AddConstraintNotValid(
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
    ]
