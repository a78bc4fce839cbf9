"""Unsigned news that the provider is asked about before people are; accounts that are not what their settings say."""

from django.db import migrations, models
from django.db.models.functions import Now

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0044_days")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="UnsignedNews",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32, verbose_name="account")),
                ("provider_id", models.CharField(max_length=128, verbose_name="provider's ID")),
                ("reference", models.UUIDField(verbose_name="idempotency key")),
                ("reported", models.CharField(max_length=16, verbose_name="reported status")),
                ("amount", models.DecimalField(null=True, verbose_name="amount")),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                ("message_id", models.CharField(max_length=255, verbose_name="message ID")),
                ("heard_at", models.DateTimeField(db_default=Now(), verbose_name="heard at")),
                ("ask_at", models.DateTimeField(db_default=Now(), db_index=True, verbose_name="to be asked at")),
                ("asked", models.PositiveSmallIntegerField(default=0, verbose_name="times asked")),
            ],
            options={
                "verbose_name": "unsigned news",
                "verbose_name_plural": "unsigned news",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("account", "provider_id"), name="unsigned_news_once"),
                    models.CheckConstraint(
                        condition=models.Q(("provider_id", ""), _negated=True),
                        name="unsigned_news_can_be_asked_about",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WrongAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32, verbose_name="account")),
                ("code", models.CharField(max_length=64, verbose_name="code")),
                ("message", models.CharField(max_length=255, verbose_name="message")),
                ("first_at", models.DateTimeField(db_default=Now(), verbose_name="first seen at")),
                ("last_at", models.DateTimeField(db_default=Now(), verbose_name="last seen at")),
            ],
            options={
                "verbose_name": "wrong account",
                "verbose_name_plural": "wrong accounts",
                "ordering": ["account", "code"],
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("account", "code"), name="wrong_account_once")],
            },
        ),
    ]
