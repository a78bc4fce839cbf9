"""The banks that providers list, for people to choose a recipient's from."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0045_unsigned_news")]

    operations = [
        briefly(),
        migrations.CreateModel(
            name="Bank",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=32, verbose_name="kind of provider")),
                ("bank_id", models.CharField(max_length=64, verbose_name="bank's ID")),
                ("name", models.CharField(max_length=255, verbose_name="name")),
                ("seen_at", models.DateTimeField(verbose_name="seen at")),
            ],
            options={
                "verbose_name": "bank",
                "verbose_name_plural": "banks",
                "ordering": ["kind", "name", "bank_id"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "bank_id"), name="bank_unique"),
                    models.CheckConstraint(condition=models.Q(("bank_id", ""), _negated=True), name="bank_has_an_id"),
                ],
            },
        ),
    ]
