"""Routes, which say from which account a payout is paid, and their history; payouts can be routed anew, in bulk too.

The rows of bulk decisions are held to the wider rule by the next migration.
"""

from decimal import Decimal
from typing import Any

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import payouts.models.routes
from payouts.migrations._waits import briefly

GUARD = """
CREATE TRIGGER route_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_historicalroute
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_refuse_change();
"""
NO_GUARD = "DROP TRIGGER route_history_append_only ON payouts_historicalroute;"


def columns() -> list[tuple[str, Any]]:
    """Of a route and of its history, but for its key and its client."""
    return [
        (
            "position",
            models.PositiveIntegerField(
                help_text="The lowest is tried first. Leave gaps, as in 10, 20, 30.", verbose_name="position"
            ),
        ),
        (
            "currency",
            models.CharField(
                blank=True, help_text="Empty for every currency.", max_length=3, verbose_name="currency"
            ),
        ),
        (
            "recipient_kind",
            models.CharField(
                blank=True,
                choices=payouts.models.routes.recipient_kind_choices,
                max_length=32,
                verbose_name="kind of recipient",
            ),
        ),
        (
            "from_amount",
            models.DecimalField(blank=True, help_text="This amount and more.", null=True, verbose_name="from amount"),
        ),
        (
            "below_amount",
            models.DecimalField(blank=True, help_text="Not this amount.", null=True, verbose_name="below amount"),
        ),
        (
            "account",
            models.CharField(
                choices=payouts.models.routes.account_choices,
                help_text="With a provider, as the settings name it.",
                max_length=32,
                verbose_name="account",
            ),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0038_logins_sealed"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="HistoricalRoute",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                *columns(),
                ("history_id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "client",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Empty for every client, and for what people enter.",
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
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
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
            name="Route",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                *columns(),
                (
                    "client",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="Empty for every client, and for what people enter.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.apiclient",
                        verbose_name="client",
                    ),
                ),
            ],
            options={"verbose_name": "route", "verbose_name_plural": "routes", "ordering": ["position"]},
        ),
        migrations.AddConstraint(
            "route",
            models.UniqueConstraint(
                fields=("position",),
                name="route_position_unique",
                violation_error_message="There is a route at this position already: give another number.",
            ),
        ),
        migrations.AddConstraint(
            "route",
            models.CheckConstraint(
                condition=models.Q(currency="") | models.Q(currency__regex="^[A-Z]{3}$"),
                name="route_currency",
                violation_error_message="A currency is three capital letters, as in RUB.",
            ),
        ),
        migrations.AddConstraint(
            "route",
            models.CheckConstraint(
                condition=(
                    models.Q(from_amount=None)
                    | models.Q(from_amount__gte=0, from_amount__lt=Decimal("100000000000000"))
                )
                & (
                    models.Q(below_amount=None)
                    | models.Q(below_amount__gt=0, below_amount__lt=Decimal("100000000000000"))
                ),
                name="route_amounts",
                violation_error_message="The amount must be zero or more.",
            ),
        ),
        migrations.AddConstraint(
            "route",
            models.CheckConstraint(
                condition=models.Q(from_amount=None)
                | models.Q(below_amount=None)
                | models.Q(from_amount__lt=models.F("below_amount")),
                name="route_amounts_in_order",
                violation_error_message="No amount is both from the first and below the second.",
            ),
        ),
        migrations.AddConstraint(
            "route",
            models.CheckConstraint(
                condition=models.Q(from_amount=None, below_amount=None) | ~models.Q(currency=""),
                name="route_amount_of_currency",
                violation_error_message="Say in which currency the amounts are.",
            ),
        ),
        migrations.AddConstraint(
            "route", models.CheckConstraint(condition=~models.Q(account=""), name="route_names_an_account")
        ),
        migrations.RunSQL(GUARD, NO_GUARD),
        migrations.AlterModelOptions(
            "payout",
            {
                "default_permissions": ["view", "add"],
                "ordering": ["-id"],
                "permissions": [
                    ("approve_payout", "Can approve and reject payouts"),
                    ("hold_payout", "Can hold and release payouts"),
                    ("cancel_payout", "Can cancel payouts"),
                    ("retry_payout", "Can retry failed payouts"),
                    ("route_payout", "Can route payouts anew"),
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
        migrations.RemoveConstraint("bulkdecision", "bulk_decision_verb_known"),
        migrations.AlterField(
            "bulkdecision",
            "verb",
            models.CharField(
                choices=[
                    ("approve", "approve"),
                    ("hold", "hold"),
                    ("release", "release"),
                    ("retry", "retry"),
                    ("cancel", "cancel"),
                    ("route", "route anew"),
                ],
                max_length=16,
                verbose_name="decision",
            ),
        ),
        AddConstraintNotValid(
            "bulkdecision",
            models.CheckConstraint(
                condition=models.Q(verb__in=["approve", "hold", "release", "retry", "cancel", "route"]),
                name="bulk_decision_verb_known",
            ),
        ),
        migrations.AlterField(
            "event",
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
                    ("routed", "routed to another account"),
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
    ]
