"""Which of the payouts that could be paid now fit under the velocity limits, exactly, and what the limits have used.

A claim asks last of all, before it writes (`admit`): the claims of one currency wait for each other there, shortly,
and nothing else does. A new attempt counts, a retry again; look-ups do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from payouts.models import Payout, VelocityLimit


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one limit is used now; of a limit by provider, client or recipient the fullest key."""

    limit: VelocityLimit
    key: str
    """The provider's name, the client's number or the recipient's index in hexadecimal; empty for all payouts."""
    count: int
    amount: Decimal
    waiting: int
    """How many payouts wait for this limit, 1,000 at most."""
    waiting_since: datetime | None


def admit(payouts: Sequence[Payout]) -> dict[int, str]:
    """Say of each payout that exceeds a limit which, by its id; the others' use is written. Oldest first.

    In the claim's transaction, with these rows locked, and nothing slow after it.
    """
    return {}


def use() -> list[Use]:
    """The limits in force, and how much of each is used now, for the Operations page."""
    return []
