"""JSON in and out without a surprise: exact numbers, no duplicate names, nothing that PostgreSQL cannot store."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from payouts.database.storable import is_storable

NUMBER_LIMIT = 64
INTEGERS = range(-(2**63), 2**63)

_encoder = msgspec.json.Encoder(decimal_format="number")


class BodyError(ValueError):
    """The body is no JSON object that we take; the text is a sentence for the caller."""


class MediaTypeError(BodyError):
    """The body is not declared as JSON."""


def loads(body: bytes) -> dict[str, Any]:
    """A JSON object (RFC 8259) with fractions as Decimal. Raises BodyError."""
    try:
        content = json.loads(
            body.decode("utf-8"),
            parse_float=_fraction,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except BodyError:
        raise
    except (ValueError, RecursionError) as error:
        raise BodyError(_("The body is not valid JSON in UTF-8.")) from error
    if not is_storable(content):
        raise BodyError(_("The body has a character that cannot be stored, or is nested too deeply."))
    if not isinstance(content, dict):
        raise BodyError(_("The body must be a JSON object."))
    return content


def dumps(content: object) -> bytes:
    """Decimals become numbers with all their digits, times RFC 3339 in UTC."""
    return _encoder.encode(content)


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise MediaTypeError(_("Send the body as application/json."))
        return loads(request.body)


class ExactRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return dumps(data)


def _fraction(text: str) -> Decimal:
    try:
        if len(text) <= NUMBER_LIMIT:
            return Decimal(text)
    except InvalidOperation:
        pass
    raise BodyError(_("A number in the body is out of range."))


def _integer(text: str) -> int:
    if len(text) > NUMBER_LIMIT or int(text) not in INTEGERS:
        raise BodyError(_("A number in the body is out of range."))
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise BodyError(_("%(name)s is not a number that JSON knows.") % {"name": name})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise BodyError(_("A name stands twice in the same object."))
    return content
