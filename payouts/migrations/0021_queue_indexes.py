"""Expand: what waits for approval and what is on hold, oldest first, without a look at all that is pending."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0020_views_and_bulks")]

    operations = [
        *concurrently(
            AddIndexConcurrently(
                model_name="payout",
                index=models.Index(
                    condition=models.Q(approvals_given__lt=models.F("approvals_required"), status="pending"),
                    fields=["id"],
                    name="payout_awaits_approval",
                ),
            )
        ),
        *concurrently(
            AddIndexConcurrently(
                model_name="payout",
                index=models.Index(
                    condition=models.Q(held_at__isnull=False, status="pending"),
                    fields=["id"],
                    name="payout_on_hold",
                ),
            )
        ),
    ]
