"""The backups that were made, and whether each was put back and audited."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0046_banks")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64, unique=True, verbose_name="name")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("bytes", models.BigIntegerField(default=0, verbose_name="bytes")),
                ("checked_at", models.DateTimeField(null=True, verbose_name="checked at")),
                ("fault", models.TextField(blank=True, default="", verbose_name="fault")),
            ],
            options={
                "verbose_name": "backup",
                "verbose_name_plural": "backups",
                "ordering": ["-started_at"],
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("checked_at", None),
                            models.Q(("fault", ""), ("finished_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="backup_checked_is_whole",
                    )
                ],
            },
        ),
    ]
