"""How a moment is spelled where it is sealed or hashed."""

from datetime import UTC, datetime


def stamp(moment: datetime | None) -> str | None:
    """One spelling for one instant, whatever its zone."""
    return moment.astimezone(UTC).isoformat() if moment else None
