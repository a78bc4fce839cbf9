"""Who has seen recipients in clear of late is found by an index."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

from payouts.migrations._waits import concurrently

REVEALS = models.Index(fields=["actor", "at"], condition=Q(event="revealed"), name="event_reveals")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0036_sessions")]

    operations = concurrently(AddIndexConcurrently("event", REVEALS))
