"""The shapes of contract: what comes in, strictly, and what goes out."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from payouts.api.status_detail import ReasonCode
from payouts.states import Status

PLAIN_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")


def _exact_number(given: object) -> Decimal:
    match given:
        case bool():
            pass
        case Decimal() | int():
            return Decimal(given)
        case str() if PLAIN_NUMBER.fullmatch(given):
            return Decimal(given)
    raise PydanticCustomError("exact_number", "not an exact number")


Amount = Annotated[
    Decimal,
    BeforeValidator(_exact_number),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10**14, "examples": [100.5]}),
]
AmountOut = Annotated[Decimal, WithJsonSchema({"type": "number", "examples": [100.5]})]
Currency = Annotated[StrictStr, WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["RUB"]})]
StatusName = Literal[*Status.values]  # type: ignore[valid-type]


class PayoutIn(Schema):
    model_config = ConfigDict(extra="forbid")

    user_id: Annotated[StrictInt, Field(ge=1, le=2**63 - 1)]
    amount: Amount
    currency: Currency
    recipient_details: dict[str, Any]
    comment: Annotated[StrictStr, Field(max_length=1000)] = ""


class StatusIn(Schema):
    model_config = ConfigDict(extra="forbid")

    status: StatusName


class PublicPayout(Schema):
    id: int
    reference: UUID
    user_id: int
    amount: AmountOut
    currency: str
    status: StatusName
    created_at: datetime
    updated_at: datetime
    processed_at: datetime | None


class ApprovalReason(Schema):
    code: ReasonCode
    detail: str


class Approvals(Schema):
    required: int
    given: int
    reasons: list[ApprovalReason]


class Failure(Schema):
    code: str
    message: str


class OnePayout(PublicPayout):
    version: int
    approvals: Approvals
    failure: Failure | None
    status_detail: str


class FullPayout(OnePayout):
    recipient_details: dict[str, Any]
    comment: str


class Page(Schema):
    count: int
    next: str | None
    previous: str | None
    results: list[PublicPayout]


class EventOut(Schema):
    seq: int
    event: str
    from_status: StatusName | None
    to_status: StatusName
    at: datetime
    actor: str
    reason: str


class Events(Schema):
    results: list[EventOut]


class Problem(Schema):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    trace_id: str
    errors: dict[str, list[str]] | None = None
    current_status: StatusName | None = None
    allowed_transitions: list[str] | None = None


PUBLIC_FIELDS = tuple(PublicPayout.model_fields)
