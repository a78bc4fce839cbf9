"""Takes a provider's webhooks, signed as Standard Webhooks say (standardwebhooks.com). Each schedules a look-up."""

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router

from payouts import actions
from payouts.api.auth import throttle_failures
from payouts.api.schemas import problems
from payouts.providers.http.answers import STATUS_VERDICTS
from payouts.providers.http.webhook import UnreadableError, UnsignedError, read_news, verified_id

log = structlog.get_logger(__name__)

# For the document alone: the body is read as bytes, because the signature is over them.
PAYMENT: dict[str, Any] = {
    "type": "object",
    "required": ["reference", "status"],
    "properties": {
        "reference": {"type": "string", "description": "The key of our attempt."},
        "status": {"type": "string", "enum": [*STATUS_VERDICTS]},
        "id": {"description": "The provider's own name for the payment, a text."},
        "amount": {"description": "The amount in digits, such as `100.50`."},
        "currency": {"description": "A code of ISO 4217."},
    },
}
NEWS: dict[str, Any] = {
    "type": "object",
    "properties": {"type": {"description": "Anything but `payout.updated` is taken and does nothing."}},
    "if": {"required": ["type"], "properties": {"type": {"const": "payout.updated"}}},
    "then": {"required": ["data"], "properties": {"data": PAYMENT}},
}

router = Router(tags=["webhooks"])


class SignatureError(Exception):
    """Not signed with our secret within the last 300 seconds."""

    def __init__(self) -> None:
        super().__init__(_("The signature is missing, wrong, or too old."))


@router.post(
    "/provider/",
    auth=None,
    response={204: None, **problems(408, 411, 413)},
    summary="News of a payment, from the provider",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": NEWS}}}},
)
def hear_provider(request: HttpRequest) -> HttpResponse:
    """Ask the provider what became of the payment. The same `webhook-id` again changes nothing."""
    message_id = _verified(request)
    try:
        news = read_news(request.body)
    except UnreadableError as error:
        log.warning("webhook_unreadable", message=message_id)
        raise actions.InvalidError({"body": [_("This is not a payment that the protocol describes.")]}) from error
    if news is None:
        return HttpResponse(status=204)
    named = {"attempt": str(news.reference), "reported": news.reported.value}
    try:
        is_news = actions.hear(
            message_id=message_id,
            reference=news.reference,
            reported=news.reported,
            amount=news.amount,
            currency=news.currency,
            provider_id=news.provider_id,
        )
    except actions.AlteredError:
        log.exception("webhook_for_altered_payout", **named)
        return HttpResponse(status=204)
    log.info("webhook_heard", message=message_id, is_news=is_news, **named)
    return HttpResponse(status=204)


def _verified(request: HttpRequest) -> str:
    """The message's id. Raises SignatureError, ThrottledError."""
    try:
        return verified_id(request.body, request.headers)
    except UnsignedError as error:
        throttle_failures(request)
        raise SignatureError from error
