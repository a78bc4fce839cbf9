"""Rows of batches are found by their recipient: an erasure looks for those that nobody has decided on."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

from payouts.migrations._waits import concurrently

OF_RECIPIENT = models.Index(
    fields=["recipient_index"], condition=Q(recipient_index__isnull=False), name="batch_row_of_recipient"
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0052_erased_stays_erased")]

    operations = [*concurrently(AddIndexConcurrently("batchrow", OF_RECIPIENT))]
