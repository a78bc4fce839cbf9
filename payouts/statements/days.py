"""The days of a report: of the time zone whose days its provider counts."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def bounds(first: date, last: date, zone: str) -> tuple[datetime, datetime]:
    """When the first day begins and the last one ends, aware."""
    begins, ends = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, last + timedelta(days=1)))
    return begins, ends
