"""Indexes by which the events and the answers of a minute are found; of a few pages, whatever the table's size."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from payouts.migrations._waits import concurrently

EVENTS = BrinIndex(fields=["at"], autosummarize=True, pages_per_range=16, name="event_by_minute")
ANSWERS = BrinIndex(fields=["answered_at"], autosummarize=True, pages_per_range=16, name="exchange_by_minute")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payouts", "0049_minutes")]

    operations = [
        *concurrently(AddIndexConcurrently("event", EVENTS)),
        *concurrently(AddIndexConcurrently("exchange", ANSWERS)),
    ]
