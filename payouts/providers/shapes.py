"""Reading a provider's JSON into the shapes that it documents; whatever has another shape is not read at all."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from payouts import strict_json
from payouts.providers.words import exact_amount
from payouts.strict_json import JsonError


class Amount(Struct, frozen=True):
    value: str
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]

    @property
    def exact(self) -> Decimal | None:
        """None for what is no plain decimal."""
        return exact_amount(self.value)


def read[Shape: Struct](body: bytes, shape: type[Shape]) -> Shape | None:
    """None for what is no JSON object, or has another shape."""
    try:
        return shaped(strict_json.read(body), shape)
    except JsonError:
        return None


def shaped[Shape: Struct](content: object, shape: type[Shape]) -> Shape | None:
    """None for what has another shape."""
    try:
        return msgspec.convert(content, shape)
    except msgspec.ValidationError:
        return None
