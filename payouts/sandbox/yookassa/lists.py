"""The queries of GET /v3/payouts and GET /v3/payouts/search."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from payouts.sandbox.ledger import Search
from payouts.sandbox.yookassa.objects import STATUSES, InvalidRequestError
from payouts.sandbox.yookassa.orders import DESTINATION_TYPES, METADATA_VALUE_LIMIT

LISTED_FOR: Final = timedelta(days=3 * 365)
SEARCHED_FOR: Final = timedelta(days=90)
_LIMIT_DEFAULT: Final = 10
_LIMIT_MOST: Final = 100
_MADE: Final = {
    "created_at.gte": ">=",
    "created_at.gt": ">",
    "created_at.lte": "<=",
    "created_at.lt": "<",
}
_PAGES: Final = {"limit", "cursor", *_MADE}
_METADATA: Final = re.compile(r"metadata\[(?P<name>.{1,32})\]")
type Query = Mapping[str, list[str]]


def listed(query: Query, *, dialect: str) -> Search:
    """Raises `InvalidRequestError`."""
    values = _single(query)
    _refuse_others(values, _PAGES | {"status", "payout_destination.type"})
    status = values.get("status")
    if status is not None and status not in STATUSES:
        raise InvalidRequestError("There is no such status", "status")
    kind = values.get("payout_destination.type")
    if kind is not None and kind not in DESTINATION_TYPES:
        raise InvalidRequestError("There is no such type of destination", "payout_destination.type")
    return Search(
        dialect,
        _limit(values),
        before=values.get("cursor", ""),
        status=STATUSES[status] if status else "",
        made=(*_made(values), (">=", datetime.now(UTC) - LISTED_FOR)),
        detail=("$.payout_destination.type", kind) if kind else None,
    )


def searched(query: Query, *, dialect: str, lag: timedelta) -> Search:
    """A payout is found once it is older than `lag`. Raises `InvalidRequestError`."""
    values = _single(query)
    pairs = {found["name"]: values[name] for name in values if (found := _METADATA.fullmatch(name))}
    _refuse_others(values, _PAGES | {f"metadata[{name}]" for name in pairs})
    if len(pairs) > 1 or any(len(value) > METADATA_VALUE_LIMIT for value in pairs.values()):
        raise InvalidRequestError("Only one pair of metadata can be searched by", "metadata")
    now = datetime.now(UTC)
    return Search(
        dialect,
        _limit(values),
        before=values.get("cursor", ""),
        made=(*_made(values), (">=", now - SEARCHED_FOR), ("<=", now - lag)),
        metadata=next(iter(pairs.items()), None),
    )


def _single(query: Query) -> dict[str, str]:
    for name, values in query.items():
        if len(values) != 1:
            raise InvalidRequestError("A parameter comes twice", name if name in _PAGES else "")
    return {name: value for name, (value,) in query.items()}


def _refuse_others(values: Mapping[str, str], names: set[str]) -> None:
    if values.keys() - names:
        raise InvalidRequestError("Unknown parameter")


def _limit(values: Mapping[str, str]) -> int:
    text = values.get("limit", str(_LIMIT_DEFAULT))
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= _LIMIT_MOST:
        raise InvalidRequestError("limit must be from 1 to 100", "limit")
    return int(text)


def _made(values: Mapping[str, str]) -> tuple[tuple[str, datetime], ...]:
    return tuple((sign, _moment(values[name], name)) for name, sign in _MADE.items() if name in values)


def _moment(text: str, parameter: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequestError("The time must be in ISO 8601, with its zone", parameter)
