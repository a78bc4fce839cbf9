"""The access log names what was changed by a command on the server."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0032_client_seals_filled"),
    ]

    operations = [
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
                    ("password_set", "password changed"),
                    ("on_server", "configuration changed on the server"),
                ],
                max_length=32,
                verbose_name="what",
            ),
        ),
    ]
