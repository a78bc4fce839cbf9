"""Each recipient has a data key of their own: to erase the recipient is to erase the key."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0050_by_minute"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="RecipientKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recipient_index", models.BinaryField(max_length=32)),
                ("number", models.PositiveIntegerField()),
                ("wrapped", models.TextField(editable=False, null=True)),
                ("made_at", models.DateTimeField()),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="confirmed by",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="proposed by",
                    ),
                ),
                ("on_server", models.CharField(blank=True, max_length=200, verbose_name="on the server")),
                ("reason", models.CharField(blank=True, max_length=1000, verbose_name="reason")),
                ("erased_at", models.DateTimeField(null=True, verbose_name="erased at")),
                ("facts_seal", models.BinaryField(max_length=36)),
                ("listed_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "key of a recipient",
                "verbose_name_plural": "keys of recipients",
                "permissions": [("erase_recipientkey", "Can erase recipients")],
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("erased_at__isnull", False), ("listed_at", None)),
                        fields=["id"],
                        name="recipient_key_to_list",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("recipient_index", "number"), name="recipient_key_numbered"),
                    models.UniqueConstraint(
                        condition=models.Q(("erased_at", None)),
                        fields=("recipient_index",),
                        name="recipient_key_one_in_use",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("confirmed_by", None),
                                ("erased_at", None),
                                ("on_server", ""),
                                ("proposed_by", None),
                                ("reason", ""),
                                ("wrapped__isnull", False),
                            ),
                            models.Q(
                                ("erased_at__isnull", False),
                                ("wrapped", None),
                                models.Q(("reason", ""), _negated=True),
                                models.Q(("on_server", ""), ("proposed_by", None), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="recipient_key_erased_by",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confirmed_by", None),
                            models.Q(("confirmed_by", models.F("proposed_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="recipient_key_takes_two_people",
                        violation_error_message="You proposed it, so another person must confirm it.",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="keyrotation",
            name="keys_renewed",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="keyrotation",
            name="last_key_id",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="keyrotation",
            name="unfit_keys",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), db_default=[], default=list
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
                    ("other_account", "it was sent to another account than the one in the settings"),
                    ("erased", "there is news of it, and its recipient was erased, so the provider cannot be asked"),
                ],
                default="",
                max_length=32,
                verbose_name="needs attention",
            ),
        ),
    ]
