"""The dialect of our own provider protocol, /v1/payouts: what the provider `http` speaks."""

import hashlib
import hmac
import json
import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import standardwebhooks

from payouts import strict_json
from payouts.sandbox.dialect import Trouble, Webhook
from payouts.sandbox.exchange import BadRequestError, Reply, Request
from payouts.sandbox.ledger import DEFAULT_DIALECT, Ledger, Magic, Order, Outcome, Payment
from payouts.sandbox.till import Till
from payouts.strict_json import JsonError

LIST_LIMIT: Final = 100_000
_AMOUNT: Final = re.compile(r"[0-9]{1,14}(?:\.[0-9]{1,4})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_OUTCOMES: Final[dict[Magic | None, Outcome]] = {
    Magic.REJECTED: Outcome("rejected", "account_closed", "The recipient's account is closed."),
    Magic.PENDING_THEN_SETTLED: Outcome("pending", settles_to="succeeded"),
    Magic.PENDING_THEN_REJECTED: Outcome("pending", settles_to="rejected"),
    Magic.PENDING_FOR_EVER: Outcome("pending"),
    Magic.PAID_THEN_RETURNED: Outcome("succeeded", settles_to="returned"),
}


class Protocol:
    """A `Dialect`. Webhooks are Standard Webhooks."""

    name = DEFAULT_DIALECT
    prefix = "/v1/payouts"
    paths = re.compile("/v1/payouts")

    def __init__(
        self, ledger: Ledger, till: Till, *, token: str, webhook_url: str = "", webhook_secret: str = ""
    ) -> None:
        self._ledger = ledger
        self._till = till
        self._authorization = f"Bearer {token}".encode()
        self._webhook_url = webhook_url
        self._signer = standardwebhooks.Webhook(webhook_secret) if webhook_secret else None

    def key(self, request: Request) -> str:
        return request.headers.get("idempotency-key") or request.query.get("reference", [""])[0]

    async def answer(self, request: Request) -> Reply:
        if not self.paths.fullmatch(request.path):
            return Reply(404, problem("not_found", "There is nothing here."))
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._authorization):
            return Reply(401, problem("unauthorized", "The token is wrong."))
        try:
            if request.method == "POST":
                return await self._pay(request)
            if request.method == "GET":
                return self._show(request)
        except BadRequestError as error:
            return Reply(400, problem("bad_request", str(error)))
        return Reply(405, problem("method_not_allowed", "Only GET and POST."), headers="Allow: GET, POST\r\n")

    async def _pay(self, request: Request) -> Reply:
        order = read_order(request.body)
        if request.headers.get("idempotency-key") != order.reference:
            raise BadRequestError("Idempotency-Key must be the reference.")
        return await self._till.pay(order, self)

    def _show(self, request: Request) -> Reply:
        references = request.query.get("reference")
        if references is not None:
            found = [self._ledger.find(reference) for reference in references]
            return Reply(200, {"data": [_shown(one) for one in found if one and one.dialect == self.name]})
        limit = request.query.get("limit", [str(LIST_LIMIT)])[0]
        if not re.fullmatch(r"[0-9]{1,6}", limit):
            raise BadRequestError("limit must be a whole number.")
        newest = self._ledger.newest(min(int(limit), LIST_LIMIT), self.name)
        return Reply(200, {"data": [_shown(one) for one in newest], "count": self._ledger.count(self.name)})

    def outcome(self, order: Order) -> Outcome:
        return _OUTCOMES.get(order.magic, Outcome("succeeded"))

    def paid(self, payment: Payment, *, is_new: bool) -> Reply:
        return Reply(201 if is_new else 200, _shown(payment))

    def trouble(self, trouble: Trouble) -> Reply:
        return _TROUBLES[trouble]

    def webhook(self, payment: Payment) -> Webhook | None:
        if not self._webhook_url or self._signer is None:
            return None
        body = json.dumps({"type": "payout.updated", "data": _shown(payment)})
        message_id = f"msg_{payment.id}"
        at = datetime.now(UTC)
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message_id, at, body),
        }
        return Webhook(self._webhook_url, body.encode(), headers)


def read_order(body: bytes) -> Order:
    """Read the body of POST /v1/payouts. Raises `BadRequestError`."""
    try:
        order = strict_json.read(body, fraction=float)
    except JsonError:
        raise BadRequestError("The body is not a JSON object.") from None
    if set(order) != {"reference", "payout", "amount", "currency", "recipient"}:
        raise BadRequestError("The body must have reference, payout, amount, currency and recipient alone.")
    amount, currency = order["amount"], order["currency"]
    if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount) or not Decimal(amount):
        raise BadRequestError("amount must be a positive decimal number in a string.")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise BadRequestError("currency must be three capital letters.")
    if not isinstance(order["recipient"], dict) or not order["recipient"]:
        raise BadRequestError("recipient must be an object with something in it.")
    return Order(
        dialect=DEFAULT_DIALECT,
        id=f"sbx_{uuid.uuid4().hex}",
        reference=_uuid(order["reference"], "reference"),
        payout=_uuid(order["payout"], "payout"),
        amount=amount,
        currency=currency,
        fingerprint=hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest(),
    )


def problem(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _shown(payment: Payment) -> dict[str, str]:
    shown = {
        "id": payment.id,
        "reference": payment.reference,
        "amount": payment.amount,
        "currency": payment.currency,
        "status": payment.status,
    }
    return shown | problem(payment.code, payment.message) if payment.code else shown


def _uuid(text: object, name: str) -> str:
    try:
        known = str(uuid.UUID(text)) if isinstance(text, str) else None
    except ValueError:
        known = None
    if known is None or known != text:
        raise BadRequestError(f"{name} must be a UUID in its usual form.")
    return known


_TROUBLES: Final = {
    Trouble.KEY_REUSED: Reply(409, problem("idempotency_key_reuse", "The key came with another body before.")),
    Trouble.REFUSED: Reply(422, problem("recipient_blocked", "The recipient cannot be paid.")),
    Trouble.BROKEN_BEFORE_PAYING: Reply(500, problem("internal_error", "Something went wrong before paying.")),
    Trouble.BROKEN_AFTER_PAYING: Reply(500, problem("internal_error", "Something went wrong after paying.")),
    Trouble.RATE_LIMITED: Reply(429, problem("rate_limited", "Too many requests."), headers="Retry-After: 1\r\n"),
}
