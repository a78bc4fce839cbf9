"""Pages of what the worker changes meanwhile: read as of one moment, and reloaded while there is news."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from payouts.database.snapshot import snapshot

# A task that gives signs of life has done something since the last look.
REFRESHED_FOR = timedelta(minutes=2)


def has_news(seen_at: datetime | None) -> bool:
    """Whether its task was started or gave a sign of life lately, so that the page should reload itself."""
    return seen_at is not None and timezone.now() - seen_at < REFRESHED_FOR


class SnapshotMixin:
    """For a ModelAdmin: an object's page is read as of one moment, whatever the worker does meanwhile."""

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        with snapshot():
            response: HttpResponse = super().change_view(request, object_id, *args, **kwargs)  # type: ignore[misc]
        return response
