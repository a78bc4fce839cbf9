"""Two people confirm that a payout which was flagged as altered is unchanged."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0009_rotation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.AlterField(
            model_name="event",
            name="event",
            field=models.CharField(
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
                    ("confirmed", "confirmed as unchanged"),
                    ("revealed", "recipient revealed"),
                ],
                max_length=32,
                verbose_name="event",
            ),
        ),
        migrations.CreateModel(
            name="Confirmation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                ("said_at", models.DateTimeField(verbose_name="at")),
                ("evidence", models.CharField(max_length=1000, verbose_name="evidence")),
                ("mac", models.BinaryField(max_length=36)),
                (
                    "agreed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="agreed by",
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="confirmations",
                        to="payouts.payout",
                        verbose_name="payout",
                    ),
                ),
                (
                    "said_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="confirmed by",
                    ),
                ),
            ],
            options={
                "verbose_name": "confirmation",
                "verbose_name_plural": "confirmations",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("payout", "version"), name="confirmation_once"),
                    models.CheckConstraint(
                        condition=models.Q(("evidence", ""), _negated=True), name="confirmation_has_evidence"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("agreed_by", None),
                            models.Q(("agreed_by", models.F("said_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="confirmation_takes_two_people",
                        violation_error_message="You have confirmed it, so another person must agree.",
                    ),
                ],
            },
        ),
    ]
