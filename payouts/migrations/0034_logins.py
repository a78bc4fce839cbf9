"""Passkeys, who people are at the identity provider, and what the access log says of both."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0033_on_server"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        briefly(),
        migrations.AlterField(
            model_name="accessevent",
            name="kind",
            field=models.CharField(
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
                    ("passkey_accepted", "confirmed the second factor with a passkey"),
                    ("passkey_added", "added a passkey"),
                    ("passkey_removed", "removed a passkey"),
                    ("signed_on", "came by single sign-on"),
                    ("sign_on_refused", "single sign-on refused"),
                    ("sign_on_ended", "session ended by the identity provider"),
                    ("password_set", "password changed"),
                    ("on_server", "configuration changed on the server"),
                ],
                max_length=32,
                verbose_name="what",
            ),
        ),
        migrations.CreateModel(
            name="Passkey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                ("credential_id", models.BinaryField(max_length=1023)),
                ("public_key", models.BinaryField(max_length=2048)),
                ("sign_count", models.BigIntegerField(default=0)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="created at"
                    ),
                ),
                ("last_used_at", models.DateTimeField(null=True, verbose_name="last used")),
                ("facts_seal", models.BinaryField(max_length=36)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="passkeys",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "passkey",
                "verbose_name_plural": "passkeys",
                "ordering": ["pk"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("credential_id",), name="passkey_credential_once"),
                    models.UniqueConstraint(fields=("user", "name"), name="passkey_name_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SingleSignOn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                ("issuer", models.CharField(max_length=300)),
                ("subject", models.CharField(max_length=255)),
                ("refresh_token", models.TextField(blank=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("groups_named", models.JSONField(default=list)),
                ("facts_seal", models.BinaryField(max_length=36)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="single_sign_on",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "single sign-on",
                "verbose_name_plural": "single sign-on",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "subject"),
                        name="single_sign_on_subject_once",
                        violation_error_message="Somebody else is linked to this identifier.",
                    )
                ],
            },
        ),
    ]
