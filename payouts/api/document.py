"""The OpenAPI document: what ninja reads off the code, and the rest of the contract.

Ninja knows the calls and the shapes of bodies. Added here: the headers, that errors are problems, and the examples.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from payouts.api import examples
from payouts.api.problems import PROBLEM, problem_content
from payouts.api.schemas import ETAG, IDEMPOTENCY_KEY, RECIPIENT_VALUE, REFERRED

type Json = dict[str, Any]

ABOUT = """
Instructions to pay a recipient: submit, follow, cancel.

- **Keys.** Send yours as `Authorization: Bearer KEY`. It has scopes; each call names the one that it needs. A client
  sees its own payouts only: another's are not found.
- **Pay once.** Give each payout an `Idempotency-Key` of its own, and send a request that was not answered again with
  the same key: it gives the same payout, for ever. The same request twice within ten minutes without a key makes two
  payouts, and the second waits for an approval; its `approvals` and `status_detail` say so.
- **Amounts** are exact in and out, with at most the decimals that the currency has. Nothing is rounded.
- **Errors** are problems (`application/problem+json`, RFC 9457): unknown addresses and methods too.
- **`X-Request-ID`** ties a request to our records: yours is taken (1 to 128 of `A-Z a-z 0-9 . _ -`), or one is made.
  It comes back with every answer.
- **Language.** Sentences for people come in English or Russian, as `Accept-Language` says. Programs read the codes.
"""


def _text(description: str, **more: Any) -> Json:
    return {"schema": {"type": "string", **more}, "description": description}


SEEN = _text('The ETag of what you saw, such as `"1"`: 412 when it has changed since.')
# Headers that a call reads, by its name.
TAKEN: dict[str, dict[str, Json]] = {
    "submit_payout": {
        "Idempotency-Key": _text(
            "Your name for this payout, the same whenever you send it again: 1 to 255 printable ASCII characters.",
            pattern=f"^{IDEMPOTENCY_KEY.pattern}$",
        )
    },
    "get_payout": {"If-None-Match": _text('The ETag of what you have, such as `"1"`: 304 while it is that.')},
    "change_status": {"If-Match": SEEN},
    "withdraw_payout": {"If-Match": SEEN},
    "hear_provider": {
        name: {**_text(f"As Standard Webhooks say: {what}."), "required": True}
        for name, what in (
            ("webhook-id", "the message's own id, the same when it is sent again"),
            ("webhook-timestamp", "seconds since 1970, at most 300 away from now"),
            ("webhook-signature", "`v1,` and the HMAC-SHA256 of id, time and body in base64"),
        )
    },
}
# Headers that come back: with every answer, with these statuses, and with these answers.
GIVEN: dict[str, Json] = {
    "X-Request-ID": _text("Yours, or one that was made.") | {"example": examples.TRACE_ID},
    "Content-Language": _text("Of the sentences for people.", enum=["en", "ru"]) | {"example": "en"},
    "ETag": _text("The payout's version.", pattern=f"^{ETAG.pattern}$") | {"example": '"1"'},
    "Location": _text("Where the payout is.") | {"example": "/api/payouts/1/"},
    "Idempotent-Replayed": _text("This payout was there already.", const="true") | {"example": "true"},
    "WWW-Authenticate": _text("What the call wants to see.") | {"example": 'Bearer realm="payouts"'},
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 1},
        "description": "Seconds until it makes sense to come back.",
        "example": 5,
    },
}
ALWAYS = ("X-Request-ID", "Content-Language")
BY_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
BY_ANSWER = {
    ("submit_payout", 200): ("ETag", "Location", "Idempotent-Replayed"),
    ("submit_payout", 201): ("ETag", "Location"),
    ("get_payout", 200): ("ETag",),
    ("get_payout", 304): ("ETag",),
    ("change_status", 200): ("ETag",),
}
NOTES = {
    ("submit_payout", 200): "The key was used before: the same payout, as it is now",
    ("get_payout", 304): "Still the version of If-None-Match",
    ("list_payouts", 404): "There is no such page",
}


def for_readers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The document or its page: to be read alone, and not there while API_DOCS is off."""

    @require_safe
    def shown(request: HttpRequest, *given: Any, **named: Any) -> HttpResponse:
        if not settings.API_DOCS:
            raise Http404
        return view(request, *given, **named)

    return shown


class DocumentedApi(NinjaAPI):
    """An API whose document has all of the contract, and an example of everything."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        for path in document["paths"].values():
            for operation in path.values():
                _complete(operation)
        components = document["components"]
        components["headers"] = GIVEN
        components["schemas"]["RecipientValue"] = RECIPIENT_VALUE
        components["schemas"]["PayoutIn"]["properties"]["recipient_details"]["additionalProperties"] = REFERRED
        for schema in components["schemas"]["Problem"]["properties"].values():
            _never_null(schema)
        return document

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


def _complete(operation: Json) -> None:
    name = operation["operationId"]
    call = examples.CALLS[name]
    taken = [
        {"in": "header", "name": header, "required": False, **more} for header, more in TAKEN.get(name, {}).items()
    ]
    operation["parameters"] += taken
    for parameter in operation["parameters"]:
        _fill_in(parameter)
    if call.body:
        operation["requestBody"]["content"]["application/json"]["example"] = call.body
    answers = operation["responses"]
    operation["responses"] = {status: _answer(name, status, answers[status]) for status in sorted(answers)}


def _fill_in(parameter: Json) -> None:
    _never_null(parameter["schema"])
    name = parameter["name"]
    if name in examples.SENT:
        parameter["example"] = examples.SENT[name]
    else:
        parameter["schema"]["examples"] = [examples.SHOWN[name]]


def _answer(name: str, status: int, answer: Json) -> Json:
    call = examples.CALLS[name]
    headers = (*ALWAYS, *BY_STATUS.get(status, ()), *BY_ANSWER.get((name, status), ()))
    answer["headers"] = {header: {"$ref": f"#/components/headers/{header}"} for header in headers}
    if note := NOTES.get((name, status)):
        answer["description"] = note
    if status >= 400:
        told = call.problems.get(status, examples.PROBLEMS[status])
        with translation.override("en"):
            example = problem_content(status, trace_id=examples.TRACE_ID, **told)
        answer["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    elif status in call.answers:
        answer["content"]["application/json"]["examples"] = {
            title: {"summary": title, "value": value} for title, value in call.answers[status].items()
        }
    return answer


def _never_null(schema: Json) -> None:
    """What is left out is not null: a query cannot carry one, and a problem has none."""
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    if kinds:
        schema.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    if schema.get("default", ...) is None:
        del schema["default"]
