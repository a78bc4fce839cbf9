"""The OpenAPI document as a promise: what it says of a call is held against what was answered."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from payouts.api import api

type Json = dict[str, Any]

FORMATS = FormatChecker(formats=["uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def _is_a_time(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@cache
def document() -> Json:
    return json.loads(json.dumps(api.get_openapi_schema()))  # type: ignore[no-any-return]


def calls() -> Iterator[tuple[str, str, Json]]:
    """Method, path and operation of each."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def check(schema: Json, value: object) -> None:
    """Raises jsonschema.ValidationError."""
    whole = {**schema, "components": document()["components"]}
    Draft202012Validator(whole, format_checker=FORMATS).validate(value)


def operation(method: str, address: str) -> Json | None:
    """The one that the address reaches, with or without its last slash; None for what is no call."""
    path = address.partition("?")[0].rstrip("/") + "/"
    for of, template, found in calls():
        if of == method and re.fullmatch(re.sub(r"\{\w+\}", r"[0-9]+", template), path):
            return found
    return None


def hold(method: str, address: str, response: Any) -> None:
    """Assert that the answer is one that the document tells of: its status, its headers, its body."""
    call = operation(method, address)
    if call is None:
        return
    told = call["responses"].get(str(response.status_code))
    assert told, f"{method} {address} answers {response.status_code}, which its document does not tell of"
    for name, reference in told["headers"].items():
        assert name in response.headers, f"{method} {address} {response.status_code} lacks {name}"
        header = document()["components"]["headers"][reference["$ref"].rpartition("/")[2]]
        value = response.headers[name]
        check(header["schema"], int(value) if header["schema"]["type"] == "integer" else value)
    for name in document()["components"]["headers"]:
        assert name in told["headers"] or name not in response.headers, f"{method} {address} has an untold {name}"
    contents = told.get("content", {})
    if not contents:
        assert response.content == b""
        return
    assert response.headers["Content-Type"] in contents
    body = json.loads(response.content)
    check(contents[response.headers["Content-Type"]]["schema"], body)
