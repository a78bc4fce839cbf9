"""The shapes of the API: what comes in, strictly, and what goes out."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from payouts import money
from payouts.actions.submission import NOTHING
from payouts.api.status_detail import ReasonCode
from payouts.states import Status

PLAIN_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
# A date, or a time with or without its zone: not the seconds since 1970, which pydantic would take too.
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ].*)?", re.ASCII)
# No NUL, and no mark that turns how a text is read (payouts/plain_text.py).
STORABLE = "^[^\\u0000\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*$"
ETAG = re.compile(r'"([0-9]{1,9})"')


def _exact_number(given: object) -> Decimal:
    match given:
        case bool():
            pass
        case Decimal() | int():
            return Decimal(given)
        case str() if PLAIN_NUMBER.fullmatch(given):
            return Decimal(given)
    raise PydanticCustomError("exact_number", "not an exact number")


def _as_iso_8601(given: object) -> object:
    if isinstance(given, str) and not MOMENT.fullmatch(given):
        raise PydanticCustomError("datetime_parsing", "not ISO 8601")
    return given


Moment = Annotated[
    datetime,
    BeforeValidator(_as_iso_8601),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_exact_number),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 10**14,
            "description": "Exact, with at most the currency's decimals. A string of the same digits is taken too.",
            "examples": [100.5],
        }
    ),
]
AmountOut = Annotated[Decimal, WithJsonSchema({"type": "number", "examples": [100.5]})]
Currency = Annotated[StrictStr, WithJsonSchema({"type": "string", "enum": money.codes(), "examples": ["RUB"]})]
StatusName = Literal[*Status.values]  # type: ignore[valid-type]


# What a recipient's details may hold, at any depth; the document refers to it by this name.
REFERRED = {"$ref": "#/components/schemas/RecipientValue"}
RECIPIENT_VALUE: dict[str, Any] = {
    "title": "RecipientValue",
    "anyOf": [
        {"type": "string", "pattern": STORABLE},
        {"type": "number", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": REFERRED},
        {
            "type": "object",
            "propertyNames": {"pattern": STORABLE},
            "additionalProperties": REFERRED,
        },
    ],
}


class PayoutIn(Schema):
    model_config = ConfigDict(extra="forbid")

    user_id: Annotated[
        StrictInt, Field(ge=1, le=2**63 - 1, description="Your own number for the person who is paid.")
    ]
    amount: Amount
    currency: Currency
    recipient_details: Annotated[
        dict[str, Any],
        Field(
            json_schema_extra={
                "minProperties": 1,
                "propertyNames": {"pattern": STORABLE},
                "not": {"additionalProperties": {"enum": [*NOTHING]}},
            },
            description="Where the money goes: at least one name with a value, such as `card`, `iban` or `phone`."
            " 8 KiB and 16 levels at most.",
        ),
    ]
    comment: Annotated[StrictStr, Field(max_length=1000, json_schema_extra={"pattern": STORABLE})] = ""


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
    processed_at: Annotated[datetime | None, Field(description="When it was paid; null until then.")]


class ApprovalReason(Schema):
    code: Annotated[
        ReasonCode,
        Field(
            description="`amount`: payouts of this amount need approval. `possible_duplicate`: it equals a payout of"
            " the ten minutes before and has no Idempotency-Key. `card_checksum`, `iban_checksum`: the number may be"
            " mistyped. `review`: staff look at it for another reason."
        ),
    ]
    detail: Annotated[str, Field(description="The same in a sentence.")]


class Approvals(Schema):
    required: int
    given: int
    reasons: Annotated[list[ApprovalReason], Field(description="Why they are required; empty if none is.")]


class Failure(Schema):
    code: str
    message: str


class OnePayout(PublicPayout):
    version: Annotated[int, Field(description="Counts what happened to it; the ETag has it too.")]
    approvals: Approvals
    failure: Annotated[Failure | None, Field(description="Why it failed; null while it has not.")]
    final: Annotated[
        bool,
        Field(
            description="Whether its status never changes again. A failed payout is not final: staff may send it"
            " again, or the provider may find that it was paid. Do not pay it in another way without asking."
        ),
    ]
    status_detail: Annotated[
        str,
        Field(description="What it waits for or how it ended, in a sentence for people. May change with time alone."),
    ]


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
    detail: Annotated[str, Field(description="What is wrong, in a sentence for people.")]
    trace_id: Annotated[str, Field(description="Quote it when you ask about this error; X-Request-ID has it too.")]
    errors: Annotated[
        dict[str, list[str]] | None,
        Field(
            description="With 400: what is wrong with each field. With 422: what the account that would pay cannot,"
            " if it is about that."
        ),
    ] = None
    current_status: Annotated[StatusName | None, Field(description="With 409: the payout's status.")] = None
    allowed_transitions: Annotated[
        list[str] | None, Field(description="With 409: the statuses that it can still move to.")
    ] = None


PUBLIC_FIELDS = tuple(PublicPayout.model_fields)


def problems(*statuses: int) -> dict[int, type[Problem]]:
    """The errors that a call documents: these, and those that every call can end in.

    400 and 403 are among the latter for another host's name and for plain HTTP.
    """
    return dict.fromkeys((400, 401, 403, *statuses, 429, 500, 503), Problem)
