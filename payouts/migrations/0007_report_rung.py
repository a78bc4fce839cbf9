"""Expand: a report says when its task last gave a sign."""

from django.db import migrations, models

from payouts.migrations._waits import briefly


class Migration(migrations.Migration):
    dependencies = [("payouts", "0006_news_enforced")]

    operations = [
        briefly(),
        migrations.AddField(
            model_name="providerreport",
            name="rung_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
