"""The interface between the back office and whoever moves the money.

To add a provider, add a folder beside `http/` with everything about it, its declaration (`KIND`), and its line in
`registry.py`. What others need to know of it they read in the declaration: nobody asks for a provider by name.

A provider never raises for what a network or a provider does: every outcome is an `Answer`, and everything
that is not a documented answer is `Verdict.UNKNOWN`. No Django model is imported here.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from django.utils.functional import Promise


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
    provider_id: str = ""
    """What the provider called the payment when it last spoke of it."""
    age: timedelta = timedelta()
    """How long ago the attempt was made, by the database's clock: nothing was sent under its reference before. At
    least so long: it is of the moment in which the payout was claimed."""
    quiet: timedelta | None = None
    """At least how long ago it may have been sent last, where another key is paid if nothing is found; None: as long
    as `age`, because the worst that follows is the same key again."""

    @property
    def searched_after(self) -> timedelta:
        """How long what was sent has had to be found."""
        return self.age if self.quiet is None else self.quiet


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
    told_by: str = ""
    """The other account that said it, where the payment's own was not the only one asked. No provider sets it."""
    lacks_funds: bool = False
    """Refused for want of money in our account, which is no fault of the payment."""
    fee: Decimal | None = None
    """What the provider says that it took for the payment, in the payment's currency."""

    @property
    def is_outage(self) -> bool:
        """Whether it is about the provider or the way to it, and not about one payment: no answer, or an error."""
        return self.verdict is Verdict.UNKNOWN and self.code not in ABOUT_ONE_PAYMENT

    @property
    def is_heard(self) -> bool:
        """Whether the provider itself said something about the payment."""
        return not self.is_outage and self.code not in NOTHING_SAID


ADAPTER_ERROR = "adapter_error"
# For an error that an adapter did not foresee.
ADAPTER_FAILED = Answer(
    Verdict.UNKNOWN, code=ADAPTER_ERROR, message="The provider's adapter failed: see the worker's log."
)
# The provider knows the key of a later attempt.
PAID_LATER = "later_key_known"
# Another account than the one that it is to be sent to knows the attempt's own key.
PAID_ELSEWHERE = "key_known_elsewhere"
# The provider cannot be asked about such a key at all, or no longer.
OUT_OF_REACH = "out_of_reach"
# The provider can be asked only by an id of its own, which it has not told; the same key asks it within its life.
ID_NOT_TOLD = "id_not_told"
# The money is of another kind than the account's: of tests for a live one, or the reverse.
TEST_MISMATCH = "test_mismatch"
# Codes of UNKNOWN that show that an account's settings are not what they seem: people are told at once.
WRONG_ACCOUNT = frozenset((TEST_MISMATCH,))
# Codes of UNKNOWN with which the provider has said nothing: nothing was sent, or a search proves nothing.
NOTHING_SAID = frozenset(("unsendable", "not_found_yet", OUT_OF_REACH, ID_NOT_TOLD))
# Codes of UNKNOWN for one payment, while the provider may well serve the others.
ABOUT_ONE_PAYMENT = frozenset(
    (
        *("mismatch", "several_matches", "idempotency_conflict"),
        *("http_400", "http_409", "http_413", "http_415"),
        PAID_LATER,
        PAID_ELSEWHERE,
        *NOTHING_SAID,
    )
)


class Provider(Protocol):
    """Someone who pays. Both calls are safe from any number of threads."""

    name: str
    """Of the account, as the environment names it."""
    account: str
    """A fingerprint of whose money it pays with: what is sent to one account is never asked about at another.

    Of `fingerprint`; the same when only the credentials change. Empty where it cannot be told.
    """

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        """Send one POST, never a second one; end by `deadline` on the clock of `time.monotonic()`."""

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        """Ask once what became of `instruction.reference`; end by `deadline` likewise."""


def fingerprint(whose: str) -> str:
    """Of whose money it is, in 16 characters."""
    return hashlib.sha256(whose.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Balance:
    """What there is to pay from in an account, in one currency; payments that it has accepted are taken off."""

    currency: str
    """ISO 4217 letters."""
    amount: Decimal
    """Below zero where the account owes."""


@runtime_checkable
class TellsBalance(Protocol):
    """A provider whose kind declares `tells_balance`."""

    def balances(self, *, deadline: float) -> Sequence[Balance] | Answer:
        """Ask once, by `deadline`: what is told, by currency, or an UNKNOWN Answer where nobody said anything."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, as a provider's list or report tells it."""

    provider_id: str
    """The provider's name for it, at most 128 characters."""
    reference: UUID | None
    """Our attempt. None: it was made elsewhere, or only the provider's id is told."""
    verdict: Verdict
    """SUCCEEDED, PENDING, REFUSED or RETURNED."""
    amount: Decimal
    currency: str
    """ISO 4217 letters."""
    created_at: datetime | None
    """Aware. None: not told."""
    fee: Decimal | None = None
    """In the payment's currency."""


@dataclass(frozen=True, slots=True)
class PaymentsPage:
    payments: Sequence[Payment]
    cursor: str
    """What the next page is asked for by; empty at the end."""


@runtime_checkable
class ListsPayments(Protocol):
    """A provider whose kind declares `lists_payments`."""

    def payments(self, since: datetime, until: datetime, *, cursor: str, deadline: float) -> PaymentsPage | Answer:
        """Ask once, by `deadline`, for a page of those made in [since, until); the first one has an empty `cursor`.

        An UNKNOWN Answer where nobody said anything that can be believed whole.
        """


@runtime_checkable
class TellsPayment(Protocol):
    """A provider whose kind's webhooks are unsigned."""

    def payment(self, provider_id: str, *, deadline: float) -> Payment | Answer:
        """Ask once, by `deadline`, for the payment of that name, which anybody may have made up.

        ABSENT where the provider has none of that name, and UNKNOWN where it did not say.
        """


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank that a payment by phone number can go to."""

    id: str
    """The provider's, as a recipient's `bank_id`."""
    name: str
    """As the provider tells it: in Russian."""


@runtime_checkable
class ListsBanks(Protocol):
    """A provider whose kind declares `lists_banks`."""

    def banks(self, *, deadline: float) -> Sequence[Bank] | Answer:
        """Ask once, by `deadline`: all of them, or an UNKNOWN Answer."""


# What a provider tells by itself


class UnsignedError(ValueError):
    """Nothing shows that the provider sent it."""


class UnreadableError(ValueError):
    """The provider sent it, and it is not what the provider documents."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as it came."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    address: str | None
    """Whose it is: the caller's, as the trusted proxies say."""


@dataclass(frozen=True, slots=True)
class News:
    """What a webhook says of a payment. It only makes us ask; the rest is for a payment that we do not know."""

    reference: UUID
    reported: Verdict
    amount: Decimal | None
    currency: str
    provider_id: str


MESSAGE_ID_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    """At most MESSAGE_ID_LIMIT characters. The same message again has the same."""
    news: News | None
    """None: it is about something else."""


# What a provider declares


@dataclass(frozen=True, slots=True)
class Account:
    """One account with a provider, as the environment names it."""

    name: str
    kind: str
    values: Mapping[str, str] = field(repr=False)
    """By the names of the kind's settings; empty for what is not given."""

    def is_on(self, name: str) -> bool:
        """Whether that setting is `on`. Raises ValueError where it is neither that nor `off` nor empty."""
        value = self.values.get(name, "").lower()
        if value not in {"", "on", "off"}:
            raise ValueError(f"{name} must be on or off.")
        return value == "on"


@dataclass(frozen=True, slots=True)
class AccountSetting:
    """A variable of the environment: PROVIDER_<ACCOUNT>_<name>, or the path of a file with it in …_FILE."""

    name: str
    meaning: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class RecipientKind:
    """A way to be paid that the provider has."""

    name: str
    fields: tuple[str, ...]
    """Those of the recipient that it takes, in clear."""
    currencies: Mapping[str, tuple[Decimal, Decimal]]
    """ISO 4217 letters, and the least and the most of one payment."""
    whole: frozenset[str] = frozenset()
    """Currencies of which it takes no decimals, whatever ISO 4217 says."""
    label: str | Promise = ""
    """For people; lazily translated. Without one they see the name."""


REPORTED = frozenset((Verdict.SUCCEEDED, Verdict.PENDING, Verdict.REFUSED, Verdict.RETURNED))


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """A file of payments that people get from the provider."""

    name: str
    """Kept with the report."""
    label: str | Promise
    """For people; lazily translated."""
    columns: tuple[str, ...]
    """Required in the header, in lower case."""
    read: Callable[[Mapping[str, str]], Payment]
    """One row by column, without white space around. Raises ValueError with a sentence for people for each fault."""
    zone: str = "UTC"
    """Whose days its period counts."""
    lists: frozenset[Verdict] = REPORTED
    """What it lists at all: a register of successes says nothing of refusals."""


@dataclass(frozen=True, eq=False)
class Kind:
    """The declaration of a provider: what the worker, the pages, the API and the reports know of it."""

    name: str
    label: str
    settings: tuple[AccountSetting, ...]
    make: Callable[[Account], Provider]
    """Raises ValueError for values that cannot work."""
    hear: Callable[[Account, Webhook], Message]
    """Raises UnsignedError and UnreadableError."""
    webhook_schema: Mapping[str, object] | None = None
    """Of a webhook's body, in JSON Schema, where our own API's document tells of it."""
    is_signed: bool = True
    """Whether its webhooks prove their sender. Else its providers are `TellsPayment`, and are asked about a payment
    that we do not know before people are."""
    asks_to_hear: bool = False
    """Whether the provider is called to tell a webhook of its own from others: not for whoever has sent too many."""
    heard_status: int = 204
    """The HTTP status that tells it that its webhook came; without it the webhook comes again."""
    tells_balance: bool = False
    """Whether its providers are `TellsBalance`: no more is sent than the balance covers."""
    lists_payments: bool = False
    """Whether its providers are `ListsPayments`."""
    lists_banks: bool = False
    """Whether its providers are `ListsBanks`."""
    reports: tuple[ReportFormat, ...] = ()
    """Beside the CSV that our documents describe: reference, status, amount."""
    key_life: timedelta | None = None
    """How long it remembers an idempotency key; None: PROVIDER_KEY_TTL_SECONDS."""
    recipients: tuple[RecipientKind, ...] | None = None
    """None: whatever it is given."""
    recipients_of: Callable[[Account], tuple[RecipientKind, ...]] | None = None
    """Those of `recipients` that one account has, and what they ask for there; None: all of them, as they are.

    Raises ValueError for values that cannot work.
    """
    way_of: Callable[[Account, Mapping[str, object]], str] | None = None
    """The name of the way in which one account would pay a recipient in clear; empty where it could send nothing to
    such a recipient. None: any way all of whose fields are given.

    Raises ValueError for values that cannot work.
    """
    is_asked_by_reference: bool = True
    """False: it can be asked only by its own id, so the id that a webhook tells is kept where no answer told one."""
    sentences: tuple[str, ...] = ()
    """Our own in its answers, in English as they are kept: pages show them in the reader's language."""
