"""What pays the same amount to the same recipient is found by an index, however many payouts the recipient gets.

The index that this replaces is dropped: the code that runs beside this migration finds recipients in the new one too.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from payouts.migrations._waits import concurrently

ALIKE = models.Index(fields=["recipient_index", "amount", "created_at"], name="payout_of_recipient_amount")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0026_submitted_sums_filled")]

    operations = [
        *concurrently(AddIndexConcurrently("payout", ALIKE)),
        RemoveIndexConcurrently("payout", "payout_of_recipient"),
    ]
