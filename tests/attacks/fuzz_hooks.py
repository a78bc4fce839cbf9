"""What schemathesis cannot know of the API. It loads this through SCHEMATHESIS_HOOKS.

Amounts: their decimals depend on the currency, and no generator of fractions keeps to that.
Whole numbers: to JSON Schema 822.0 is one, to the API it is not.
Webhooks: signed with the provider's secret, over the body as it is sent.
"""

import base64
import hmac
import os
import time
from typing import Any

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

from payouts import money

WEBHOOKS = "/api/webhooks/"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Make what is meant to be valid exact in its currency, and sign what is meant to come from the provider."""
    is_order = isinstance(case.body, dict) and "amount" in case.body
    if is_order and _is_meant(case, ParameterLocation.BODY):
        case.body["amount"] = _exact(case.body)
        case.body["user_id"] = _whole(case.body.get("user_id"))
    if case.path.startswith(WEBHOOKS) and _is_meant(case, ParameterLocation.HEADER):
        kwargs["auth"] = Signature()


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep the failure, unless it is a GET with a body: refused at the door, whatever methods the address takes."""
    return not (case.method.upper() in ("GET", "HEAD") and response.status_code == 400 and response.request.body)


def _is_meant(case: Any, location: ParameterLocation) -> bool:
    """Whether this part of the request is meant to be valid."""
    if case.meta is None:
        return True
    part = case.meta.components.get(location)
    return part is None or part.mode == GenerationMode.POSITIVE


def _exact(order: dict[str, Any]) -> Any:
    amount, currency = order["amount"], order.get("currency")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return amount
    units = money.minor_units(currency) if currency in money.codes() else 0
    return max(round(amount, units), 10**-units) if units else max(int(amount), 1)


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) else number


class Signature(requests.auth.AuthBase):
    """As Standard Webhooks say; by hand, because the library signs no body that is not UTF-8."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        body = prepared.body or b""
        name, stamp = f"msg_{os.urandom(8).hex()}", str(int(time.time()))
        key = base64.b64decode(os.environ["PROVIDER_WEBHOOK_SECRET"].removeprefix("whsec_"))
        signed = f"{name}.{stamp}.".encode() + (body.encode() if isinstance(body, str) else body)
        signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        prepared.headers.update(
            {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
        )
        return prepared
