"""Expand: review rules, limits, the release delay, and approvals that can be taken back. Old code runs beside it."""

from decimal import Decimal

from django.apps.registry import Apps
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from payouts.migrations._waits import briefly

# What asks for one approval more, to begin with; the rest is shown. Staff change it in the back office.
DEFAULTS = {
    "possible_duplicate": "ask",
    "above_recipient_limit": "ask",
    "above_day_limit": "ask",
    "card_checksum": "note",
    "iban_checksum": "note",
}


def add_rules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rule = apps.get_model("payouts", "ReviewRule")
    rule.objects.bulk_create(rule(flag=flag, effect=effect) for flag, effect in DEFAULTS.items())


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0009_attempt_day_index"),
    ]

    operations = [
        briefly(),
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
                ("used_amount", models.DecimalField(db_default=0, default=0, editable=False)),
            ],
            options={
                "verbose_name": "limit",
                "verbose_name_plural": "limits",
                "ordering": ["currency"],
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
                                "the same amount for the same recipient and user came in within ten minutes before",
                            ),
                            ("above_recipient_limit", "with it, the recipient's limit of 24 hours is exceeded"),
                            ("above_day_limit", "with it, the day's limit of the currency is exceeded"),
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
                        choices=[("note", "note: shown to staff"), ("ask", "ask: one approval more")],
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
            },
        ),
        migrations.RemoveConstraint(
            model_name="approval",
            name="approval_resolution_has_evidence",
        ),
        migrations.AddField(
            model_name="approval",
            name="number",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, help_text="Of this person's voices on this payout.", verbose_name="number"
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="release_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Until then the last approval can be taken back.",
                null=True,
                verbose_name="released at",
            ),
        ),
        migrations.AlterField(
            model_name="approval",
            name="decision",
            field=models.CharField(
                choices=[
                    ("approve", "approve"),
                    ("withdraw", "take the approval back"),
                    ("paid", "was paid"),
                    ("not_paid", "was not paid"),
                ],
                max_length=16,
                verbose_name="decision",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="event",
            field=models.CharField(
                choices=[
                    ("submitted", "submitted"),
                    ("approved", "approved"),
                    ("approval_withdrawn", "approval taken back"),
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
                    ("asked", "the provider is to be asked now"),
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
        AddConstraintNotValid(
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
        AddConstraintNotValid(
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
            model_name="payoutlimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                name="payout_limit_currency",
                violation_error_message="A currency is three capital letters, as in RUB.",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutlimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("recipient_amount__isnull", False), ("day_amount__isnull", False), _connector="OR"
                ),
                name="payout_limit_says_something",
                violation_error_message="Give at least one of the two limits.",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutlimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("recipient_amount", None),
                        models.Q(("recipient_amount__gt", 0), ("recipient_amount__lt", Decimal("100000000000000"))),
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
        ),
        migrations.AddConstraint(
            model_name="reviewrule",
            constraint=models.CheckConstraint(
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
        ),
        migrations.AddConstraint(
            model_name="reviewrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("effect__in", ["note", "ask"])), name="review_rule_effect_known"
            ),
        ),
        migrations.RunPython(add_rules, migrations.RunPython.noop),
    ]
