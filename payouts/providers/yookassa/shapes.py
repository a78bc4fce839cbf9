"""What YooKassa documents of its objects, as far as we read it.

https://yookassa.ru/developers/api#payout_object, https://yookassa.ru/developers/using-api/response-handling/response-format
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from payouts.providers import Verdict
from payouts.providers.shapes import Amount

STATUS_VERDICTS: Final = {
    "succeeded": Verdict.SUCCEEDED,
    "pending": Verdict.PENDING,
    "canceled": Verdict.REFUSED,  # final, and the money stayed with us
}

PAYOUT_ID: Final = r"[0-9A-Za-z-]{36,50}"  # goes into the path of a request
BANK_ID: Final = "[0-9A-Za-z]{12}"
PAGE_SIZE: Final = 100  # the most that a list gives at once
CURSOR_LIMIT: Final = 200


class SignedAmount(Struct, frozen=True):
    """A balance, which may be below zero."""

    value: Annotated[str, Meta(pattern=r"\A-?[0-9]{1,20}(?:\.[0-9]{1,10})?\Z")]
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]


class SbpDestination(Struct, frozen=True, tag_field="type", tag="sbp"):
    phone: str
    bank_id: str


class WalletDestination(Struct, frozen=True, tag_field="type", tag="yoo_money"):
    account_number: str


class CardDigits(Struct, frozen=True):
    first6: str
    last4: str


class CardDestination(Struct, frozen=True, tag_field="type", tag="bank_card"):
    card: CardDigits | None = None


type Told = SbpDestination | WalletDestination | CardDestination


class Cancellation(Struct, frozen=True):
    party: str
    reason: str


class ListedPayout(Struct, frozen=True, kw_only=True):
    """What a list is read for: a payout that somebody else made may go wherever it goes."""

    id: Annotated[str, Meta(pattern=rf"\A{PAYOUT_ID}\Z")]
    amount: Amount
    status: Literal["succeeded", "pending", "canceled"]
    test: bool
    created_at: str = ""
    metadata: dict[str, str | None] = {}

    @property
    def verdict(self) -> Verdict:
        return STATUS_VERDICTS[self.status]

    @property
    def attempt(self) -> str:
        """The reference that we gave it; empty for a payout that was made without us."""
        return self.metadata.get("attempt") or ""


class Payout(ListedPayout, frozen=True, kw_only=True):
    payout_destination: Told
    cancellation_details: Cancellation | None = None


class PayoutList(Struct, frozen=True):
    type: Literal["list"]
    items: list[Payout]
    next_cursor: str | None = None


class PayoutPage(Struct, frozen=True):
    """A page of `GET /payouts`."""

    type: Literal["list"]
    items: Annotated[list[ListedPayout], Meta(max_length=PAGE_SIZE)]
    next_cursor: Annotated[str, Meta(max_length=CURSOR_LIMIT)] | None = None


class Participant(Struct, frozen=True):
    """A bank of SBP. https://yookassa.ru/developers/api#sbp_banks"""

    bank_id: Annotated[str, Meta(pattern=rf"\A{BANK_ID}\Z")]
    name: str


class Participants(Struct, frozen=True):
    type: Literal["list"]
    items: list[Participant]


class PersonalData(Struct, frozen=True):
    """The recipient's name, kept by YooKassa. https://yookassa.ru/developers/api#personal_data_object"""

    id: Annotated[str, Meta(pattern=r"\A[0-9A-Za-z-]{36,50}\Z")]
    type: Literal["sbp_payout_recipient"]
    status: Literal["waiting_for_operation", "active", "canceled"]


class Gateway(Struct, frozen=True):
    """What `GET /me` says of the gateway. https://yookassa.ru/developers/api#me_object"""

    account_id: str
    test: bool
    status: Literal["enabled", "disabled"]
    payout_balance: SignedAmount | None = None


class Problem(Struct, frozen=True):
    """The body of an error, or of a 202 (`processing`)."""

    type: Literal["error", "processing"]
    code: str = ""
    description: str = ""
    parameter: str = ""
    retry_after: int | None = None
    """Milliseconds."""
