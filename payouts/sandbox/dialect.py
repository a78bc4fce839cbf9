"""What a dialect is: one provider's way to be asked for the payments of the one ledger."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from payouts.sandbox.exchange import Reply, Request
from payouts.sandbox.ledger import Order, Outcome, Payment


class Trouble(Enum):
    """What the till answers with instead of a payment; each dialect says it in its own words."""

    KEY_REUSED = auto()
    REFUSED = auto()
    BROKEN_BEFORE_PAYING = auto()
    BROKEN_AFTER_PAYING = auto()
    RATE_LIMITED = auto()


@dataclass(frozen=True, slots=True)
class Webhook:
    """What tells a receiver how a payment has ended."""

    url: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    accepted: range = range(200, 300)
    """The statuses that mean that it was taken; after any other it is sent again."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a product and a sandbox on one machine find each other."""

    account: Mapping[str, str] = field(repr=False)
    """The account's settings, by the names that its kind declares."""
    environment: Mapping[str, str] = field(repr=False)
    """The sandbox's own."""


class Dialect(Protocol):
    name: str
    """As the ledger writes it."""
    prefix: str
    """What all of its paths begin with."""
    paths: re.Pattern[str]
    """The paths that it knows, which may be logged."""

    def key(self, request: Request) -> str:
        """What the log names a request by: its idempotency key, or what it looks up."""

    async def answer(self, request: Request) -> Reply: ...

    def outcome(self, order: Order) -> Outcome:
        """What becomes of an order that is paid now."""

    def paid(self, payment: Payment, *, is_new: bool) -> Reply: ...

    def trouble(self, trouble: Trouble) -> Reply: ...

    def webhook(self, payment: Payment) -> Webhook | None:
        """None where nobody is told."""
