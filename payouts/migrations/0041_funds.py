"""The balances that providers tell; what they took for a payment; an event of payouts that wait for funds.

The columns have defaults in the database, so that the code that runs beside this migration can go on.
"""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0040_routes_enforced")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="AccountBalance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32, verbose_name="account")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("amount", models.DecimalField(verbose_name="balance")),
                ("at", models.DateTimeField(verbose_name="asked at")),
                ("committed", models.DecimalField(default=0, editable=False)),
            ],
            options={
                "verbose_name": "account balance",
                "verbose_name_plural": "account balances",
                "ordering": ["account", "currency"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("account", "currency"), name="account_balance_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="account_balance_currency"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("committed__gte", 0)), name="account_balance_committed"
                    ),
                ],
            },
        ),
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
                    ("routed", "routed to another account"),
                    ("cancelled", "cancelled"),
                    ("withdrawn", "withdrawn"),
                    ("settled", "settled by hand"),
                    ("claimed", "sent to the provider"),
                    ("accepted", "accepted by the provider"),
                    ("succeeded", "paid"),
                    ("refused", "refused by the provider"),
                    ("lacked_funds", "refused for want of funds"),
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
        migrations.AddField(
            model_name="attempt",
            name="fee",
            field=models.DecimalField(null=True, verbose_name="provider's fee"),
        ),
    ]
