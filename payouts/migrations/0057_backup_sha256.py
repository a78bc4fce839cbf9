"""What each backup was, to be compared with what is put back."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0056_queue_tells")]

    operations = [
        briefly(),
        migrations.AddField(
            "backup",
            "sha256",
            models.CharField(blank=True, db_default="", default="", max_length=64, verbose_name="SHA-256"),
        ),
    ]
