"""The REST API, on django-ninja: thin calls of payouts.actions."""

from collections.abc import Callable
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja.errors import HttpError, ValidationError

from payouts import actions
from payouts.api import payouts, webhooks
from payouts.api.auth import KeyAuth, ScopeError, ThrottledError, UnauthorizedError
from payouts.api.body import BodyError, ExactRenderer, MediaTypeError, StrictParser
from payouts.api.document import ABOUT, DocumentedApi, for_readers
from payouts.api.problems import plain_problem, problem
from payouts.models import BundleError, ConfigurationAlteredError

# A person must look into it first.
ALTERED_RETRY_AFTER_SECONDS = 300

log = structlog.get_logger(__name__)

api = DocumentedApi(
    title="Payouts",
    version="1",
    description=ABOUT,
    openapi_url="schema/",
    docs_url="docs/",
    docs_decorator=for_readers,
    urls_namespace="api",
    auth=KeyAuth(),
    parser=StrictParser(),
    renderer=ExactRenderer(),
)
api.add_router("/payouts/", payouts.router)
api.add_router("/webhooks/", webhooks.router)

type Answer = Callable[[HttpRequest, Any], HttpResponse]


def _answers[Error: Exception](*errors: type[Error]) -> Callable[[Answer], Answer]:
    def register(answer: Answer) -> Answer:
        for error in errors:
            api.add_exception_handler(error, answer)
        return answer

    return register


@_answers(UnauthorizedError)
def _unauthorized(request: HttpRequest, error: UnauthorizedError) -> HttpResponse:
    detail = _("Send a valid API key as “Authorization: Bearer KEY”.")
    return problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="payouts"'})


@_answers(webhooks.SignatureError)
def _unsigned(request: HttpRequest, error: webhooks.SignatureError) -> HttpResponse:
    return problem(401, str(error), headers={"WWW-Authenticate": "Signature"})


@_answers(ScopeError)
def _forbidden(request: HttpRequest, error: ScopeError) -> HttpResponse:
    return problem(403, str(error))


@_answers(ThrottledError, actions.TooManyRevealsError)
def _throttled(request: HttpRequest, error: ThrottledError | actions.TooManyRevealsError) -> HttpResponse:
    return problem(429, str(error), headers={"Retry-After": str(error.retry_after_seconds)})


@_answers(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors: dict[str, list[str]] = {}
    for item in error.errors:
        # ("body", "payload", "amount"), ("query", "page"), ("path", "payout_id")
        place = [str(part) for part in item["loc"] if part not in ("payload", "filters")]
        errors.setdefault(place[1] if len(place) > 1 else "body", []).append(_sentence(item))
    return _bad_input(errors)


@_answers(actions.InvalidError)
def _refused(request: HttpRequest, error: actions.InvalidError) -> HttpResponse:
    return _bad_input(error.errors)


@_answers(actions.UnpayableError)
def _unpayable(request: HttpRequest, error: actions.UnpayableError) -> HttpResponse:
    return problem(422, str(error), title=_("The account cannot pay this"), errors=error.errors)


@_answers(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    match error.__cause__:
        case MediaTypeError() as cause:
            return problem(415, str(cause))
        case BodyError() as cause:
            return _bad_input({"body": [str(cause)]})
        case _other:
            return plain_problem(error.status_code)


@_answers(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return plain_problem(413)


@_answers(actions.NotFoundError)
def _absent(request: HttpRequest, error: actions.NotFoundError) -> HttpResponse:
    return problem(404, str(error))


@_answers(actions.NotAllowedError)
def _not_allowed(request: HttpRequest, error: actions.NotAllowedError) -> HttpResponse:
    return problem(409, str(error), current_status=error.status, allowed_transitions=error.allowed)


@_answers(actions.AlteredError)
def _altered(request: HttpRequest, error: actions.AlteredError) -> HttpResponse:
    return problem(409, str(error))


@_answers(actions.VersionError)
def _stale(request: HttpRequest, error: actions.VersionError) -> HttpResponse:
    return problem(412, str(error))


@_answers(actions.IdempotencyError)
def _key_reused(request: HttpRequest, error: actions.IdempotencyError) -> HttpResponse:
    return problem(422, str(error))


@_answers(OperationalError, InterfaceError)
def _database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    log.warning("database_failed", exc_info=error)
    return plain_problem(503)


@_answers(ConfigurationAlteredError)
def _configuration_altered(request: HttpRequest, error: ConfigurationAlteredError) -> HttpResponse:
    return problem(503, str(error), headers={"Retry-After": str(ALTERED_RETRY_AFTER_SECONDS)})


@_answers(actions.RecipientKeyError)
def _recipient_key_altered(request: HttpRequest, error: actions.RecipientKeyError) -> HttpResponse:
    return problem(503, str(error), headers={"Retry-After": str(ALTERED_RETRY_AFTER_SECONDS)})


@_answers(BundleError)
def _archive_altered(request: HttpRequest, error: BundleError) -> HttpResponse:
    log.error("archived_altered", path=request.path, reason=str(error))
    return problem(503, str(actions.AlteredError()), headers={"Retry-After": str(ALTERED_RETRY_AFTER_SECONDS)})


def _bad_input(errors: dict[str, list[str]]) -> HttpResponse:
    return problem(400, _("Some of the input cannot be used; nothing was changed."), errors=errors)


def _sentence(item: dict[str, Any]) -> str:
    """A validation error of pydantic in the caller's language."""
    context = item.get("ctx", {})
    match item["type"]:
        case "missing":
            return _("This field is required.")
        case "extra_forbidden":
            return _("There is no such field here.")
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return _("Give a whole number.")
        case "string_type":
            return _("Give a text.")
        case "dict_type":
            return _("Give a JSON object.")
        case "exact_number":
            return _("Give a number, such as 100.50.")
        case "greater_than_equal":
            return _("Give %(limit)s or more.") % {"limit": context.get("ge")}
        case "less_than_equal":
            return _("Give %(limit)s or less.") % {"limit": context.get("le")}
        case "string_too_long":
            return _("Give at most %(limit)s characters.") % {"limit": context.get("max_length")}
        case "literal_error":
            return _("Give one of %(choices)s.") % {"choices": context.get("expected")}
        case "datetime_from_date_parsing" | "datetime_parsing" | "datetime_type" | "datetime_object_invalid":
            return _("Give a date or a time in ISO 8601, such as 2026-01-14T12:00:00Z.")
        case _other:
            return _("This value cannot be used.")
