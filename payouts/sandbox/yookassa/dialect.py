"""What YooKassa's API answers under /v3, from the ledger."""

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final

from payouts.sandbox import yookassa
from payouts.sandbox.dialect import Played, Trouble, Webhook
from payouts.sandbox.exchange import JSON, Reply, Request
from payouts.sandbox.ledger import Ledger, Magic, Order, Outcome, Payment, Search
from payouts.sandbox.till import Till
from payouts.sandbox.yookassa.banks import BANKS
from payouts.sandbox.yookassa.gateway import Gateway
from payouts.sandbox.yookassa.lists import listed, searched
from payouts.sandbox.yookassa.names import new_id, personal_data, read_name
from payouts.sandbox.yookassa.objects import InvalidRequestError, error, notification, payout
from payouts.sandbox.yookassa.orders import DESTINATION_TYPES, KEY, read_order

_PAYOUTS: Final = "/v3/payouts"
_NAMES: Final = "/v3/personal_data"
# The documented test wallets that are not paid; any other is.
_CANCELED_WALLETS: Final = {
    "41001614575572": "one_time_limit_exceeded",
    "41001614575643": "periodic_limit_exceeded",
    "410011806060766": "insufficient_funds",
    "410011788545536": "general_decline",
}
# Money that comes back after it was paid is no status of a payout here.
_OUTCOMES: Final[dict[Magic | None, Outcome]] = {
    Magic.REJECTED: Outcome("rejected", "general_decline"),
    Magic.PENDING_THEN_SETTLED: Outcome("pending", settles_to="succeeded"),
    Magic.PENDING_THEN_REJECTED: Outcome("pending", settles_to="rejected"),
    Magic.PENDING_FOR_EVER: Outcome("pending"),
}
_OVERDRAWN: Final = Outcome("rejected", "insufficient_funds")
_NOTICE: Final = range(200, 201)  # any other answer to a notification means that it did not come


class YooKassa:
    """A `Dialect`."""

    name = "yookassa"
    manual = yookassa.__doc__ or ""
    example = '"currency": "RUB", "recipient_details": {"phone": "+79123456789", "bank_id": "100000000111"}'
    prefix = "/v3/"
    paths = re.compile(
        r"/v3/(?:payouts(?:/search|/po-[0-9a-f-]{36})?|personal_data(?:/pd-[0-9a-f-]{36})?|sbp_banks|me)"
    )

    def __init__(self, ledger: Ledger, till: Till, gateway: Gateway) -> None:
        self._ledger = ledger
        self._till = till
        self._gateway = gateway
        known = base64.b64encode(f"{gateway.id}:{gateway.secret}".encode())
        self._authorization = b"Basic " + known

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Callable[[Ledger, Till], YooKassa] | None":
        """None where the environment has no gateway. Raises ValueError."""
        gateway = Gateway.of(environment)
        return partial(cls, gateway=gateway) if gateway else None

    @staticmethod
    def played(*, secret: str, sandbox: str, webhook: str) -> Played:
        gateway_id = "501"
        account = {
            "API_URL": f"{sandbox}/v3",
            "GATEWAY_ID": gateway_id,
            "SECRET": secret,
            "TEST": "on",
            "CARD_NUMBERS": "on",
            "WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        environment = {
            "SANDBOX_GATEWAY_ID": gateway_id,
            "SANDBOX_SECRET": secret,
            "SANDBOX_NOTIFICATION_URL": webhook,
        }
        return Played(account, environment)

    def key(self, request: Request) -> str:
        pairs = (values[0] for name, values in request.query.items() if name.startswith("metadata["))
        return request.headers.get("idempotence-key") or next(pairs, "")

    async def answer(self, request: Request) -> Reply:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._authorization):
            return error(401, "invalid_credentials", "Wrong gateway or secret key", parameter="Authorization")
        known: dict[str, dict[str, Callable[[Request], Awaitable[Reply]]]] = {
            _PAYOUTS: {"GET": self._list, "POST": self._create},
            f"{_PAYOUTS}/search": {"GET": self._search},
            "/v3/sbp_banks": {"GET": self._banks},
            "/v3/me": {"GET": self._me},
            _NAMES: {"POST": self._keep_name},
            f"{_PAYOUTS}/": {"GET": self._one},
            f"{_NAMES}/": {"GET": self._kept_name},
        }
        folder, _, last = request.path.rpartition("/")
        methods = known.get(request.path if request.path in known else f"{folder}/" if last else "", {})
        if not methods:
            return error(404, "not_found", "There is nothing here")
        if request.method not in methods:
            return Reply(405, raw=b"", headers=f"Allow: {', '.join(methods)}\r\n")
        if request.method == "POST" and _media_type(request) != JSON:
            return Reply(415, raw=b"")
        try:
            return await methods[request.method](request)
        except InvalidRequestError as refusal:
            return refusal.reply

    async def _create(self, request: Request) -> Reply:
        order = read_order(request.body, dialect=self.name, reference=self._reference(request, self.name))
        name_id = order.details.get("personal_data", "")
        if name_id and self._ledger.kept_name(self.name, name_id) is None:
            raise InvalidRequestError("There is no such personal data", "personal_data")
        return await self._till.pay(order, self)

    def _reference(self, request: Request, keys: str) -> str:
        """What the key of a POST stands for among these keys. Raises InvalidRequestError."""
        key = request.headers.get("idempotence-key", "")
        if not KEY.fullmatch(key):
            raise InvalidRequestError("Idempotence key is missing or has a wrong form", "Idempotence-Key")
        return self._ledger.live_reference(keys, key, remembered=self._gateway.key_ttl)

    async def _keep_name(self, request: Request) -> Reply:
        reference = self._reference(request, f"{self.name}-names")
        fingerprint, is_owner = read_name(request.body)
        kept = self._ledger.keep_name(self.name, reference, fingerprint, name_id=new_id(), is_owner=is_owner)
        return Reply(200, personal_data(kept)) if kept else self.trouble(Trouble.KEY_REUSED)

    async def _kept_name(self, request: Request) -> Reply:
        kept = self._ledger.kept_name(self.name, request.path.rpartition("/")[2])
        if kept is None:
            return error(404, "not_found", "There is no such personal data", parameter="personal_data_id")
        return Reply(200, personal_data(kept))

    async def _one(self, request: Request) -> Reply:
        payment = self._ledger.named(self.name, request.path.rpartition("/")[2])
        if payment is None:
            return error(404, "not_found", "There is no such payout", parameter="payout_id")
        return Reply(200, payout(payment))

    async def _list(self, request: Request) -> Reply:
        return self._page(listed(request.query, dialect=self.name))

    async def _search(self, request: Request) -> Reply:
        return self._page(searched(request.query, dialect=self.name, lag=self._gateway.search_lag))

    def _page(self, search: Search) -> Reply:
        if search.before and self._ledger.named(self.name, search.before) is None:
            raise InvalidRequestError("The cursor is not of this list", "cursor")
        found = self._ledger.search(replace(search, limit=search.limit + 1))
        shown = found[: search.limit]
        content: dict[str, object] = {"type": "list", "items": [payout(payment) for payment in shown]}
        if len(found) > len(shown):
            content["next_cursor"] = shown[-1].id
        return Reply(200, content)

    async def _banks(self, request: Request) -> Reply:
        return Reply(200, {"type": "list", "items": list(BANKS)})

    async def _me(self, request: Request) -> Reply:
        return Reply(
            200,
            {
                "account_id": self._gateway.id,
                "status": "enabled",
                "test": True,
                "name": "Sandbox",
                "payout_methods": sorted(DESTINATION_TYPES),
                "payout_balance": {"value": f"{self._balance():.2f}", "currency": "RUB"},
            },
        )

    def _balance(self) -> Decimal:
        """Below zero on a test gateway, as theirs is."""
        return (self._gateway.balance or Decimal(0)) - self._ledger.spent(self.name)

    def outcome(self, order: Order) -> Outcome:
        wallet = order.details["payout_destination"].get("account_number", "")
        name_id = order.details.get("personal_data", "")
        name = self._ledger.kept_name(self.name, name_id) if name_id else None
        if name and not name.is_owner:
            outcome = Outcome("rejected", "recipient_check_failed")
        elif reason := _CANCELED_WALLETS.get(wallet):
            outcome = Outcome("rejected", reason)
        elif self._gateway.balance is not None and Decimal(order.amount) > self._balance():
            outcome = _OVERDRAWN
        else:
            outcome = _OUTCOMES.get(order.magic, Outcome("succeeded"))
        if self._gateway.notification_url and outcome.status != "pending":
            return replace(outcome, settles_to=outcome.status, settles_after_seconds=0.0)
        return outcome

    def paid(self, payment: Payment, *, is_new: bool) -> Reply:
        return Reply(200, payout(payment))

    def trouble(self, trouble: Trouble) -> Reply:
        match trouble:
            case Trouble.KEY_REUSED:
                return InvalidRequestError("Idempotence key duplicated", "Idempotence-Key").reply
            case Trouble.REFUSED:
                return InvalidRequestError("The recipient cannot be paid", "payout_destination_data").reply
            case Trouble.RATE_LIMITED:
                return error(429, "too_many_requests", "Too many requests", retry_after_milliseconds=1000)
            case Trouble.BROKEN_BEFORE_PAYING | Trouble.BROKEN_AFTER_PAYING:
                return error(500, "internal_server_error", "Internal server error")

    def webhook(self, payment: Payment) -> Webhook | None:
        if not self._gateway.notification_url:
            return None
        body = json.dumps(notification(payment)).encode()
        return Webhook(self._gateway.notification_url, body, accepted=_NOTICE)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
