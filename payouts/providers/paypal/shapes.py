"""What PayPal documents of its objects, as far as we read it.

https://developer.paypal.com/docs/api/payments.payouts-batch/v1/
"""

import re
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from payouts.providers import Verdict
from payouts.providers.shapes import Amount

BATCH_ID: Final = r"[0-9A-Za-z-]{1,30}"  # goes into the path of a request
_PAYOUT_PATH: Final = re.compile(rf"/v1/payments/payouts/({BATCH_ID})/?\Z")

ITEM_VERDICTS: Final = {
    "SUCCESS": Verdict.SUCCEEDED,
    "PENDING": Verdict.PENDING,
    "ONHOLD": Verdict.PENDING,
    "UNCLAIMED": Verdict.PENDING,  # the recipient has 30 days to open an account, then it is RETURNED
    "FAILED": Verdict.REFUSED,
    "BLOCKED": Verdict.REFUSED,
    "DENIED": Verdict.REFUSED,
    "RETURNED": Verdict.RETURNED,
    "REFUNDED": Verdict.RETURNED,
    "REVERSED": Verdict.RETURNED,
}
# Of a batch whose item says nothing yet.
BATCH_VERDICTS: Final = {
    "ACKNOWLEDGED": Verdict.PENDING,
    "PENDING": Verdict.PENDING,
    "PROCESSING": Verdict.PENDING,
    "DENIED": Verdict.REFUSED,  # "so they were not processed"
}

type ItemStatus = Literal[
    "SUCCESS",
    "PENDING",
    "ONHOLD",
    "UNCLAIMED",
    "FAILED",
    "BLOCKED",
    "DENIED",
    "RETURNED",
    "REFUNDED",
    "REVERSED",
]
type BatchId = Annotated[str, Meta(pattern=rf"\A{BATCH_ID}\Z")]


class Hyperlink(Struct, frozen=True):
    href: str


class Detail(Struct, frozen=True):
    issue: str = ""
    field: str = ""
    link: list[Hyperlink] = []
    links: list[Hyperlink] = []


class Problem(Struct, frozen=True):
    """The body of an error, and what an item or a batch says of why it was refused."""

    name: str
    message: str = ""
    details: list[Detail] = []
    links: list[Hyperlink] = []

    @property
    def named_batch(self) -> str:
        """The id of the payout that it links to; empty where there is none, or several."""
        hrefs = [*self.links, *(link for detail in self.details for link in (*detail.link, *detail.links))]
        found = {match[1] for link in hrefs if (match := _PAYOUT_PATH.search(link.href))}
        return found.pop() if len(found) == 1 else ""


class SenderHeader(Struct, frozen=True):
    sender_batch_id: str = ""


class Header(Struct, frozen=True):
    payout_batch_id: BatchId
    batch_status: Literal["ACKNOWLEDGED", "PENDING", "PROCESSING", "SUCCESS", "DENIED", "CANCELED"]
    sender_batch_header: SenderHeader
    errors: Problem | None = None


class Made(Struct, frozen=True):
    """The answer to the POST that makes a batch."""

    batch_header: Header


class Sent(Struct, frozen=True, rename={"payee": "receiver"}):
    """An item as it was sent."""

    amount: Amount
    payee: str
    sender_item_id: str = ""


class Item(Struct, frozen=True):
    payout_batch_id: BatchId
    payout_item: Sent
    transaction_status: ItemStatus | None = None
    payout_item_fee: Amount | None = None
    errors: Problem | None = None
    sender_batch_id: str = ""
    """Only where the item is told of by itself."""


class Batch(Struct, frozen=True):
    batch_header: Header
    items: list[Item] = []


class Event(Struct, frozen=True):
    """A webhook; `resource` is an Item where `event_type` is about one."""

    id: Annotated[str, Meta(min_length=1)]
    event_type: str
    resource: dict[str, object] = {}


class Verification(Struct, frozen=True):
    verification_status: Literal["SUCCESS", "FAILURE"]
