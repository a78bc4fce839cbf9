"""A new reason for which a payout needs attention: only its words, which the database does not know."""

from django.db import migrations, models

REASONS = [
    ("", ""),
    ("altered", "its row was changed outside the product"),
    ("terms_changed", "the amount or the recipient differs from what was submitted"),
    ("approvals_missing", "its approvals do not match its amount and recipient"),
    ("unreadable", "the recipient cannot be decrypted"),
    ("unpayable", "its amount or currency cannot be paid"),
    ("not_found", "the provider has no record of this payment, and it is too late to resend it safely"),
    ("too_many_calls", "the provider was asked too often without a clear answer"),
    ("unworkable", "the worker failed on it several times"),
    ("contradicted", "the provider's answer contradicts our record"),
    ("amount_differs", "the provider reports another amount"),
    ("missing", "the provider's report does not have it"),
    ("other_account", "it was sent to another account than the one in the settings"),
]


class Migration(migrations.Migration):
    dependencies = [("payouts", "0010_confirmations")]

    operations = [
        migrations.AlterField(
            "payout",
            "attention",
            models.CharField(blank=True, choices=REASONS, default="", max_length=32, verbose_name="needs attention"),
        ),
    ]
