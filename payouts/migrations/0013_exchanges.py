"""Expand: every answer of the provider is kept, and webhooks say what they were about."""

import django.db.models.deletion
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0012_review_enforced")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Exchange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                ("call", models.PositiveSmallIntegerField(verbose_name="call")),
                ("called_at", models.DateTimeField(verbose_name="called at")),
                ("answered_at", models.DateTimeField(verbose_name="answered at")),
                ("verdict", models.CharField(max_length=16, verbose_name="understood as")),
                ("http_status", models.PositiveSmallIntegerField(null=True, verbose_name="HTTP status")),
                ("code", models.CharField(blank=True, max_length=64, verbose_name="code")),
                ("message", models.CharField(blank=True, max_length=255, verbose_name="message")),
                ("excerpt", models.CharField(blank=True, max_length=1000, verbose_name="answer, masked")),
            ],
            options={
                "verbose_name": "exchange",
                "verbose_name_plural": "exchanges",
                "ordering": ["attempt", "call"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("attempt", "call"), name="exchange_once_per_call"),
                ],
            },
        ),
        migrations.AddField(
            model_name="webhookmessage",
            name="reference",
            field=models.UUIDField(
                help_text="Of the attempt that it is about.", null=True, verbose_name="idempotency key"
            ),
        ),
        migrations.AddField(
            model_name="webhookmessage",
            name="reported",
            field=models.CharField(blank=True, db_default="", max_length=16, verbose_name="reported status"),
        ),
    ]
