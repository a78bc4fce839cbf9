"""What PayPal's REST API answers under /v1, from the ledger."""

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

from payouts import strict_json
from payouts.sandbox import paypal
from payouts.sandbox.dialect import Played, Trouble, Webhook
from payouts.sandbox.exchange import JSON, Reply, Request
from payouts.sandbox.ledger import Ledger, Magic, Order, Outcome, Payment
from payouts.sandbox.paypal.business import Business
from payouts.sandbox.paypal.objects import (
    ITEMS,
    PAYOUTS,
    InvalidRequestError,
    batch,
    duplicate,
    error,
    event,
    item,
    item_id,
    made,
)
from payouts.sandbox.paypal.orders import read_order, sender_batch_id
from payouts.sandbox.paypal.tokens import is_live, signature, token
from payouts.sandbox.till import Till
from payouts.strict_json import JsonError

_GRANT: Final = "/v1/oauth2/token"
_VERIFY: Final = "/v1/notifications/verify-webhook-signature"
_OUTCOMES: Final[dict[Magic | None, Outcome]] = {
    Magic.REJECTED: Outcome("rejected", "RECEIVER_ACCOUNT_LOCKED", "Receiver's account is locked or inactive"),
    Magic.PENDING_THEN_SETTLED: Outcome("pending", settles_to="succeeded"),
    Magic.PENDING_THEN_REJECTED: Outcome("pending", settles_to="rejected"),
    Magic.PENDING_FOR_EVER: Outcome("pending"),
    Magic.PAID_THEN_RETURNED: Outcome("succeeded", settles_to="returned"),
}

type Answer = Callable[[Request], Awaitable[Reply]]


class PayPal:
    """A `Dialect`."""

    name = "paypal"
    manual = paypal.__doc__ or ""
    example = '"currency": "USD", "recipient_details": {"email": "payee@example.com"}'
    prefix = "/v1/"
    paths = re.compile(rf"{_GRANT}|{_VERIFY}|{PAYOUTS}(?:-item)?(?:/[0-9A-Z]{{1,30}})?")

    def __init__(self, ledger: Ledger, till: Till, business: Business) -> None:
        self._ledger = ledger
        self._till = till
        self._business = business
        known = base64.b64encode(f"{business.client_id}:{business.secret}".encode())
        self._authorization = b"Basic " + known

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Callable[[Ledger, Till], PayPal] | None":
        """None where the environment has no account. Raises ValueError."""
        business = Business.of(environment)
        return partial(cls, business=business) if business else None

    @staticmethod
    def played(*, secret: str, sandbox: str, webhook: str) -> Played:
        client_id, webhook_id = "sandbox", "SANDBOXWEBHOOK"
        account = {
            "API_URL": sandbox,
            "CLIENT_ID": client_id,
            "SECRET": secret,
            "TEST": "on",
            "WEBHOOK_ID": webhook_id,
        }
        environment = {
            "SANDBOX_PAYPAL_CLIENT_ID": client_id,
            "SANDBOX_PAYPAL_SECRET": secret,
            "SANDBOX_PAYPAL_WEBHOOK_ID": webhook_id,
            "SANDBOX_PAYPAL_WEBHOOK_URL": webhook,
        }
        return Played(account, environment)

    def key(self, request: Request) -> str:
        if request.path != PAYOUTS:
            return ""
        return sender_batch_id(request.body)

    async def answer(self, request: Request) -> Reply:
        known: dict[str, dict[str, Answer]] = {
            _GRANT: {"POST": self._grant},
            PAYOUTS: {"POST": self._create},
            _VERIFY: {"POST": self._verify},
        }
        single: dict[str, Answer] = {"GET": self._one}
        methods = known.get(request.path, single if request.path.startswith((f"{PAYOUTS}/", f"{ITEMS}/")) else {})
        if not methods:
            return error(404, "RESOURCE_NOT_FOUND", "The specified resource does not exist.")
        if request.method not in methods:
            return error(405, "METHOD_NOT_SUPPORTED", "The server does not implement the requested HTTP method.")
        if request.path != _GRANT and not self._has_access(request):
            return Reply(401, {"error": "invalid_token", "error_description": "Token signature verification failed"})
        try:
            return await methods[request.method](request)
        except InvalidRequestError as refusal:
            return refusal.reply

    def _has_access(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and is_live(self._business.secret, given)

    async def _grant(self, request: Request) -> Reply:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._authorization):
            return Reply(401, {"error": "invalid_client", "error_description": "Client Authentication failed"})
        if request.body != b"grant_type=client_credentials":
            return Reply(400, {"error": "unsupported_grant_type", "error_description": "unsupported grant_type"})
        seconds = self._business.token_life.total_seconds()
        return Reply(
            200,
            {
                "scope": "https://uri.paypal.com/payments/payouts",
                "access_token": token(self._business.secret, life_seconds=seconds),
                "token_type": "Bearer",
                "app_id": "APP-80W284485P519543T",
                "expires_in": int(seconds),
            },
        )

    async def _create(self, request: Request) -> Reply:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            return error(415, "UNSUPPORTED_MEDIA_TYPE", "The media type is not supported.")
        key = sender_batch_id(request.body)
        if not key:
            raise InvalidRequestError("Value is missing", "sender_batch_header.sender_batch_id")
        reference = self._ledger.live_reference(self.name, key, remembered=self._business.key_ttl)
        if known := self._ledger.find(reference):
            return duplicate(known.id)
        order = read_order(request.body, dialect=self.name, reference=reference)
        balance = self._business.balance
        if balance is not None and Decimal(order.amount) > balance - self._ledger.spent(self.name):
            message = "Sender does not have sufficient funds. Please add funds and retry."
            return error(422, "INSUFFICIENT_FUNDS", message)
        return await self._till.pay(order, self)

    async def _one(self, request: Request) -> Reply:
        path, _, given = request.path.rpartition("/")
        payment = self._ledger.named(self.name, given.removeprefix("I") if path == ITEMS else given)
        if payment is None or (path == ITEMS and given != item_id(payment.id)):
            return error(404, "INVALID_RESOURCE_ID", "Requested resource ID was not found.")
        return Reply(200, item(payment) if path == ITEMS else batch(payment))

    async def _verify(self, request: Request) -> Reply:
        try:
            asked = strict_json.read(request.body, fraction=float)
        except JsonError:
            raise InvalidRequestError("The body is not a JSON object", "body") from None
        names = ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time", "webhook_id")
        if not all(isinstance(asked.get(name), str) for name in names) or not isinstance(
            asked.get("webhook_event"), dict
        ):
            raise InvalidRequestError("A field is missing", "body")
        expected = signature(
            self._business.secret,
            message_id=asked["transmission_id"],
            at=asked["transmission_time"],
            webhook_id=self._business.webhook_id,
            event=asked["webhook_event"],
        )
        is_ours = asked["webhook_id"] == self._business.webhook_id and hmac.compare_digest(
            expected.encode(), asked["transmission_sig"].encode()
        )
        return Reply(200, {"verification_status": "SUCCESS" if is_ours else "FAILURE"})

    def outcome(self, order: Order) -> Outcome:
        outcome = _OUTCOMES.get(order.magic, Outcome("succeeded"))
        if self._business.webhook_url and outcome.status != "pending" and outcome.settles_to is None:
            return replace(outcome, settles_to=outcome.status, settles_after_seconds=0.0)
        return outcome

    def paid(self, payment: Payment, *, is_new: bool) -> Reply:
        return Reply(201, made(payment)) if is_new else duplicate(payment.id)

    def trouble(self, trouble: Trouble) -> Reply:
        match trouble:
            case Trouble.KEY_REUSED:
                return duplicate("")
            case Trouble.REFUSED:
                return InvalidRequestError("The recipient cannot be paid", "items[0].receiver").reply
            case Trouble.RATE_LIMITED:
                return error(429, "RATE_LIMIT_REACHED", "Too many requests.", headers="Retry-After: 1\r\n")
            case Trouble.BROKEN_BEFORE_PAYING | Trouble.BROKEN_AFTER_PAYING:
                return error(500, "INTERNAL_ERROR", "An internal service error has occurred.")

    def webhook(self, payment: Payment) -> Webhook | None:
        if not self._business.webhook_url:
            return None
        told = event(payment)
        message_id, at = payment.id.lower(), datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        signed = signature(
            self._business.secret, message_id=message_id, at=at, webhook_id=self._business.webhook_id, event=told
        )
        headers = {
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
            "PAYPAL-CERT-URL": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-sandbox",
            "PAYPAL-TRANSMISSION-ID": message_id,
            "PAYPAL-TRANSMISSION-SIG": signed,
            "PAYPAL-TRANSMISSION-TIME": at,
        }
        return Webhook(self._business.webhook_url, json.dumps(told).encode(), headers)
