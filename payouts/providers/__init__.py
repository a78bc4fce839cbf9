"""The interface between the back office and whoever moves the money.

A provider never raises for what a network or a provider does: every outcome is an `Answer`, and everything
that is not a documented answer is `Verdict.UNKNOWN`. No Django model is imported here.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Protocol
from uuid import UUID


class Verdict(StrEnum):
    """What a call has shown about one attempt.

    `SUCCEEDED` and `REFUSED` are final, but that a payment which succeeded can be `RETURNED` by the bank. `PENDING`
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

    @property
    def is_outage(self) -> bool:
        """It tells of the provider, or of our way to it, and not of one payment: no answer, an error, a failure."""
        return self.verdict is Verdict.UNKNOWN and self.code not in ABOUT_ONE_PAYMENT

    @property
    def is_heard(self) -> bool:
        """The provider itself has said something about the payment."""
        return not self.is_outage and self.code != "unsendable"


# Codes of UNKNOWN for one payment, while the provider may well serve the others.
ABOUT_ONE_PAYMENT = frozenset(
    (
        *("unsendable", "mismatch", "several_matches", "idempotency_conflict"),
        *("http_400", "http_409", "http_413", "http_415"),
    )
)


class Provider(Protocol):
    """Someone who pays. Both calls are safe from any number of threads."""

    name: str

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """Send one POST, never a second one; end by `deadline` on the clock of `time.monotonic()`."""

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """Ask once what became of `instruction.reference`; end by `deadline` likewise."""


class UnknownProviderError(LookupError):
    """No provider goes by that name."""


_registered: dict[str, Provider] = {}


def register(provider: Provider) -> None:
    """Make `provider` the one that `get_provider` returns for its name, in this process."""
    _registered[provider.name] = provider


def unregister(name: str) -> None:
    """Undo `register`; a name that is not registered is no error."""
    _registered.pop(name, None)


def known_names() -> list[str]:
    """The names that `get_provider` takes, sorted."""
    return sorted({"http", *_registered})


def get_provider(name: str = "http") -> Provider:
    """Return the provider of that name.

    `http` is made from `PROVIDER_URL` and `PROVIDER_TOKEN` of the settings unless another one is registered
    under the name. Raises `UnknownProviderError`, and `ValueError` for settings that cannot work.
    """
    if provider := _registered.get(name):
        return provider
    if name != "http":
        raise UnknownProviderError(f"There is no provider named {name!r}.")

    from django.conf import settings  # a double needs no settings

    return _http_provider(settings.PROVIDER_URL, settings.PROVIDER_TOKEN)


@cache
def _http_provider(url: str, token: str) -> Provider:
    from payouts.providers.http import HttpProvider  # it imports this module

    return HttpProvider(url, token)
