"""The interface between the back office and whoever moves the money.

To add a provider, add a folder beside `http/` with everything about it, and its line in `registry.py`.

A provider never raises for what a network or a provider does: every outcome is an `Answer`, and everything
that is not a documented answer is `Verdict.UNKNOWN`. No Django model is imported here.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Verdict(StrEnum):
    """What a call has shown about one attempt.

    `SUCCEEDED` and `REFUSED` are final, except that the bank can give a payment back: `RETURNED`. `PENDING`
    is accepted and not final. `ABSENT` comes from a look-up only: it was answered properly and the provider has
    nothing for the reference. `UNKNOWN` is all the rest.
    """

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    REFUSED = "refused"
    RETURNED = "returned"
    UNKNOWN = "unknown"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One attempt to pay, as it goes to a provider."""

    reference: UUID
    """The attempt, which is also the idempotency key."""
    payout: UUID
    amount: Decimal
    """Positive, quantized to the currency's minor units."""
    currency: str
    """ISO 4217 letters."""
    recipient: dict[str, object] = field(repr=False)
    """In clear, of JSON types and Decimal; never in a repr, a log or an exception."""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one call. All strings are cleaned, capped and free of the recipient's details."""

    verdict: Verdict
    provider_id: str = ""
    """The provider's name for the payment, at most 128 characters."""
    code: str = ""
    """A machine code of at most 64 characters: the provider's for REFUSED, ours for UNKNOWN."""
    message: str = ""
    """At most 255 characters for a person: the provider's for REFUSED, ours for UNKNOWN."""
    http_status: int | None = None
    retry_after_seconds: int | None = None
    """What the provider asked for with a 429 or a 503, at most a day."""
    excerpt: str = ""
    """At most 300 characters of the raw answer, masked; empty for a plain success."""
    about: UUID | None = None
    """The other attempt that it is about, where that kept this one from being sent. No provider sets it."""

    @property
    def is_outage(self) -> bool:
        """Whether it is about the provider or the way to it, and not about one payment: no answer, or an error."""
        return self.verdict is Verdict.UNKNOWN and self.code not in ABOUT_ONE_PAYMENT

    @property
    def is_heard(self) -> bool:
        """Whether the provider itself said something about the payment."""
        return not self.is_outage and self.code != "unsendable"


# The provider knows the key of a later attempt.
PAID_LATER = "later_key_known"
# Codes of UNKNOWN for one payment, while the provider may well serve the others.
ABOUT_ONE_PAYMENT = frozenset(
    (
        *("unsendable", "mismatch", "several_matches", "idempotency_conflict"),
        *("http_400", "http_409", "http_413", "http_415"),
        PAID_LATER,
    )
)


class Provider(Protocol):
    """Someone who pays. Both calls are safe from any number of threads."""

    name: str
    account: str
    """A fingerprint of whose money it pays with: what is sent to one account is never asked about at another.

    At most 16 characters; the same when only the credentials change. Empty where it cannot be told.
    """

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """Send one POST, never a second one; end by `deadline` on the clock of `time.monotonic()`."""

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """Ask once what became of `instruction.reference`; end by `deadline` likewise."""
