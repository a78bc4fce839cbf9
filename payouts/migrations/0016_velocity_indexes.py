"""What is due is found by provider, so that a paused or silent one costs a claim nothing; what waits, by why.

The indexes that this replaces are dropped: the code that runs beside this migration finds what is due in the new ones
too, sorted anew each time.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

from payouts.migrations._waits import concurrently

DUE = models.Index(fields=["provider", "due_at"], condition=Q(due_at__isnull=False), name="payout_due_at_provider")
SUSPECTS = models.Index(
    fields=["provider", "due_at"],
    condition=Q(due_at__isnull=False, lost_leases__gte=1),
    name="payout_suspect_at_provider",
)
WAITING = models.Index(fields=["waits_for", "waits_since"], condition=~Q(waits_for=""), name="payout_waits")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0015_velocity")]

    operations = [
        *concurrently(AddIndexConcurrently("payout", DUE)),
        *concurrently(AddIndexConcurrently("payout", SUSPECTS)),
        *concurrently(AddIndexConcurrently("payout", WAITING)),
        RemoveIndexConcurrently("payout", "payout_due"),
        RemoveIndexConcurrently("payout", "payout_suspect"),
    ]
