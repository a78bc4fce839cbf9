"""Pages of what the worker goes through: whole as of one moment, and looked at again while there is news."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from payouts.database.snapshot import snapshot

# An object whose task gives signs of life has news at every look.
REFRESHED_FOR = timedelta(minutes=2)


def has_news(rung_at: datetime | None) -> bool:
    """Whether its task was rung for or gave a sign of life lately, so that the page should look again by itself."""
    return rung_at is not None and timezone.now() - rung_at < REFRESHED_FOR


class SnapshotMixin:
    """For a ModelAdmin: an object's page tells of one moment, whatever the worker does meanwhile."""

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        with snapshot():
            response: HttpResponse = super().change_view(request, object_id, *args, **kwargs)  # type: ignore[misc]
        return response
