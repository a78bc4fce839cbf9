"""What the audit says is wrong."""

from dataclasses import dataclass

from payouts.models import Event

# The invariant that is broken, and how.
type Finding = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken invariant of one payout; without a payout it is the database's own, or of what is configured."""

    payout_id: int | None
    invariant: str
    detail: str


def fact(event: Event, name: str) -> str | None:
    """An event that SQL put in may hold any JSON."""
    value = event.facts.get(name) if isinstance(event.facts, dict) else None
    return None if value is None else str(value)
