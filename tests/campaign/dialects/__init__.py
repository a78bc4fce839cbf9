"""What the campaign needs of a provider, one small object each: how it is asked, what it answers, what it forgets.

To run the campaign on another provider, add a module here and its line in spoken.py; `CAMPAIGN_PROVIDER` names it.
The faults, the strikes and the ledger are the same for all of them (provider.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Order:
    """A request to pay."""

    key: str
    """The idempotency key."""
    intent: int
    payout: str
    amount: str
    currency: str
    recipient: dict[str, Any]
    """As the client gave it to the product."""


@dataclass(frozen=True)
class LookUp:
    """A question about one payment, by one of the two."""

    key: str = ""
    identity: str = ""
    """The provider's name for the payment."""


@dataclass(frozen=True)
class BalanceQuestion:
    """What is there to pay from?"""


@dataclass(frozen=True)
class Payment:
    """As it stands now."""

    identity: str
    key: str
    payout: str
    amount: str
    currency: str
    recipient: dict[str, Any]
    at: float
    """By time.time()."""
    status: str
    """`succeeded`, `pending` or `canceled`."""


@dataclass(frozen=True)
class Said:
    """What goes out: JSON, unless there is a body as it is."""

    status: int
    content: object = None
    raw: bytes | None = None
    headers: str = ""


@dataclass(frozen=True)
class Notice:
    """A webhook."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    account: str
    """As the settings name it."""
    large_amounts: Sequence[str]
    """In RUB, that need approvals and can be paid."""
    treatments: Mapping[str, float]
    """What else befalls payouts here (faults.py), and the share of them."""
    mutants: Sequence[str]
    """Those that `--mutants` runs."""
    search_lag_seconds: float
    """How old a payment is before a question by its key finds it."""
    cancels: bool
    """Whether a refusal can be a payment that was canceled, with a name of its own."""

    def settings(self, url: str) -> dict[str, str]:
        """The product's, when the provider is at this address."""

    def recipient(self, number: int) -> dict[str, Any]:
        """Of an intent, as the client gives it to the product."""

    def read(self, request: Request) -> Order | LookUp | BalanceQuestion | Said:
        """What is asked for, or the answer to what cannot be read."""

    def paid(self, payment: Payment) -> Said:
        """To an order."""

    def found(self, payments: Sequence[Payment], asked: LookUp) -> Said: ...

    def balance(self, amount: Decimal) -> Said: ...

    def refusal(self) -> Said: ...

    def error(self) -> Said: ...

    def limited(self) -> Said:
        """429, to be asked again in a second."""

    def notice(self, payment: Payment) -> Notice | None:
        """What tells that it is final; None where nobody is told."""
