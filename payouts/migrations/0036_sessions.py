"""Sessions have a table of their own, which says whose they are; everybody logs in once more."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0035_password_links"),
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
                    ("sessions_ended", "ended other sessions"),
                    ("on_server", "configuration changed on the server"),
                ],
                max_length=32,
                verbose_name="what",
            ),
        ),
        migrations.CreateModel(
            name="StaffSession",
            fields=[
                (
                    "session_key",
                    models.CharField(
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                        verbose_name="session key",
                    ),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("address", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("device", models.CharField(blank=True, max_length=60, verbose_name="device")),
                ("began_at", models.DateTimeField(null=True, verbose_name="began at")),
                ("seen_at", models.DateTimeField(null=True, verbose_name="last seen at")),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
                "default_permissions": (),
            },
        ),
    ]
