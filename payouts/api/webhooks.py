"""Takes the providers' webhooks; each provider's own code says whether it sent them. Each schedules a look-up."""

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router

from payouts import actions
from payouts.api.auth import refuse_throttled, throttle_failures
from payouts.api.schemas import problems
from payouts.providers import UnreadableError, UnsignedError, Webhook, logged_calls, registry
from payouts.staff.client_address import client_address

log = structlog.get_logger(__name__)

NEWS = registry.KINDS[registry.UNNAMED].webhook_schema

router = Router(tags=["webhooks"])


class SignatureError(Exception):
    """Not signed with our secret within the last 300 seconds."""

    def __init__(self) -> None:
        super().__init__(_("The signature is missing, wrong, or too old."))


@router.post(
    "/provider/",
    auth=None,
    response={204: None, **problems(408, 411, 413)},
    summary="News of a payment, from the provider at PROVIDER_URL",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": NEWS}}}},
)
def hear_provider(request: HttpRequest) -> HttpResponse:
    """Ask the provider what became of the payment. The same `webhook-id` again changes nothing."""
    return _hear(request, registry.UNNAMED)


@router.post("/{account}/", auth=None, response={204: None}, include_in_schema=False)
def hear_account(request: HttpRequest, account: str) -> HttpResponse:
    """The same for the provider of an account, in its own words: they are no part of our contract."""
    return _hear(request, account)


def _hear(request: HttpRequest, name: str) -> HttpResponse:
    """Raises SignatureError, for an account that there is not too: strangers learn no names."""
    webhook = Webhook(request.body, request.headers, client_address(request))
    try:
        account, kind = registry.find(name)
        if kind.asks_to_hear:
            refuse_throttled(request)
            message = logged_calls.logged("hear", name, lambda: kind.hear(account, webhook))
        else:
            message = kind.hear(account, webhook)
    except (registry.UnknownProviderError, UnsignedError) as error:
        throttle_failures(request)
        raise SignatureError from error
    except UnreadableError as error:
        log.warning("webhook_unreadable", provider=name)
        raise actions.InvalidError({"body": [_("This is not a payment that the protocol describes.")]}) from error
    news = message.news
    if news is None:
        return HttpResponse(status=kind.heard_status)
    named = {"provider": name, "attempt": str(news.reference), "reported": news.reported.value}
    try:
        is_news = actions.hear(
            provider=name,
            message_id=message.id,
            reference=news.reference,
            reported=news.reported,
            amount=news.amount,
            currency=news.currency,
            provider_id=news.provider_id,
        )
    except actions.AlteredError:
        log.exception("webhook_for_altered_payout", **named)
        return HttpResponse(status=kind.heard_status)
    log.info("webhook_heard", message=message.id, is_news=is_news, **named)
    return HttpResponse(status=kind.heard_status)
