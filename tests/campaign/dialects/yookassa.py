"""YooKassa's payouts, as the sandbox reads and says them: with a search that lags, and webhooks.

Its times are a fifth of YooKassa's, or less: a POST is worked on for up to 5.5 seconds (there 30), and the product
believes an empty search after plan.py's SEARCH_GRACE_SECONDS (a minute); a key is forgotten after KEY_TTL_SECONDS (24
hours).
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from payouts.sandbox import ledger
from payouts.sandbox.yookassa import objects
from payouts.sandbox.yookassa.objects import InvalidRequestError
from payouts.sandbox.yookassa.orders import read_order
from tests.campaign.dialects import BalanceQuestion, LookUp, Notice, Order, Payment, Request, Said

GATEWAY_ID: Final = "507000"
BANK: Final = "100000000111"
# Of the networks that YooKassa publishes: what the proxy in front of the product says of the caller.
ADDRESS: Final = "185.71.76.1"


class YooKassa:
    account = "main"
    large_amounts = ("100000.00", "250000.50", "500000.00")
    treatments: Final = {"lost": 0.01, "judged_anew": 0.02}
    # Those of look-ups, of keys and of their time, the last two of this provider alone.
    mutants = (
        "new_key_per_call",
        "timeout_as_failure",
        "post_past_ttl",
        "random_keys",
        "no_recovery_mode",
        "empty_search_believed",
        "long_key_life",
    )
    search_lag_seconds = 3.0
    cancels = True

    def settings(self, url: str) -> dict[str, str]:
        prefix = f"PROVIDER_{self.account.upper()}"
        return {
            "PROVIDER_URL": "",
            "PROVIDERS": f"{self.account}=yookassa",
            f"{prefix}_GATEWAY_ID": GATEWAY_ID,
            f"{prefix}_SECRET": "campaign",
            f"{prefix}_TEST": "on",
            f"{prefix}_API_URL": f"{url}/v3",
        }

    def recipient(self, number: int) -> dict[str, Any]:
        """Each third is a wallet."""
        if number % 3 == 0:
            return {"wallet": f"4100{number:011}"}
        return {"phone": f"+7900{number:07}", "bank_id": BANK}

    def read(self, request: Request) -> Order | LookUp | BalanceQuestion | Said:
        url = urlsplit(request.target)
        try:
            match request.method, url.path:
                case "POST", "/v3/payouts":
                    return self._order(request)
                case "GET", "/v3/payouts/search":
                    return LookUp(parse_qs(url.query)["metadata[attempt]"][0])
                case "GET", "/v3/me":
                    return BalanceQuestion()
                case "GET", path if named := re.fullmatch("/v3/payouts/([^/]+)", path):
                    return LookUp(identity=named[1])
        except InvalidRequestError as error:
            return _said(error.reply)
        return _said(objects.error(404, "not_found", "There is nothing here"))

    def _order(self, request: Request) -> Order:
        """Raises InvalidRequestError."""
        key = request.headers["idempotence-key"]
        order = read_order(request.body, dialect="yookassa", reference=key)
        if order.metadata.get("attempt") != key:
            raise InvalidRequestError("The key is not the attempt", "metadata")
        told = order.details["payout_destination"]
        if told["type"] == "sbp":
            recipient, intent = {"phone": f"+{told['phone']}", "bank_id": told["bank_id"]}, told["phone"][4:]
        else:
            recipient, intent = {"wallet": told["account_number"]}, told["account_number"][4:]
        return Order(key, int(intent), order.payout, order.amount, order.currency, recipient)

    def paid(self, payment: Payment) -> Said:
        return Said(200, objects.payout(_of_the_sandbox(payment)))

    def found(self, payments: Sequence[Payment], asked: LookUp) -> Said:
        if not asked.identity:
            items = [objects.payout(_of_the_sandbox(payment)) for payment in payments]
            return Said(200, {"type": "list", "items": items})
        if not payments:
            return _said(objects.error(404, "not_found", "There is no such payout", parameter="payout_id"))
        return self.paid(payments[0])

    def balance(self, amount: Decimal) -> Said:
        told = {"value": f"{amount:.2f}", "currency": "RUB"}
        return Said(200, {"account_id": GATEWAY_ID, "status": "enabled", "test": True, "payout_balance": told})

    def refusal(self) -> Said:
        return _said(InvalidRequestError("The recipient cannot be paid", "payout_destination_data").reply)

    def error(self) -> Said:
        return _said(objects.error(500, "internal_server_error", "Internal server error"))

    def limited(self) -> Said:
        return _said(objects.error(429, "too_many_requests", "Too many requests", retry_after_milliseconds=1000))

    def notice(self, payment: Payment) -> Notice | None:
        body = json.dumps(objects.notification(_of_the_sandbox(payment))).encode()
        return Notice(f"/api/webhooks/{self.account}/", body, {"X-Forwarded-For": ADDRESS})


def _said(reply: Any) -> Said:
    return Said(reply.status, reply.content, reply.raw, reply.headers)


def _of_the_sandbox(payment: Payment) -> ledger.Payment:
    at = datetime.fromtimestamp(payment.at, UTC)
    if wallet := payment.recipient.get("wallet"):
        told = {"type": "yoo_money", "account_number": wallet}
    else:
        phone, bank_id = payment.recipient["phone"].removeprefix("+"), payment.recipient["bank_id"]
        told = {"type": "sbp", "phone": phone, "bank_id": bank_id, "recipient_checked": False}
    is_canceled = payment.status == "canceled"
    return ledger.Payment(
        id=payment.identity,
        dialect="yookassa",
        reference=payment.key,
        payout=payment.payout,
        amount=payment.amount,
        currency=payment.currency,
        status=objects.STATUSES[payment.status],
        code="general_decline" if is_canceled else "",
        message="",
        at=at,
        settled_at=None if payment.status == "pending" else at,
        details={"payout_destination": told},
        metadata={"attempt": payment.key, "payout": payment.payout},
    )
