"""The provider protocol of our own, at PROVIDER_URL."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.campaign.dialects import BalanceQuestion, LookUp, Notice, Order, Payment, Request, Said

MUTANTS: Final = (
    "new_key_per_call",
    "failing_by_age",
    "timeout_as_failure",
    "ignore_idempotency_key",
    "no_sweep",
    "post_past_ttl",
    "event_outside_transaction",
    "no_fencing",
    "no_watchdog",
    "approvals_not_rechecked",
    "random_keys",
    "no_recovery_mode",
    "no_velocity_limit",
    "no_dual_control",
    "unsealed_configuration",
)


class Http:
    account = "http"
    large_amounts = ("100000.00", "250000.50", "1000000.00")
    treatments: Final[dict[str, float]] = {}
    mutants = MUTANTS
    search_lag_seconds = 0.0
    cancels = False

    def settings(self, url: str) -> dict[str, str]:
        return {"PROVIDER_URL": url}

    def recipient(self, number: int) -> dict[str, Any]:
        return {"card": f"0000 1111 {number:08}", "intent": str(number)}

    def read(self, request: Request) -> Order | LookUp | BalanceQuestion | Said:
        if request.method == "GET":
            return LookUp(parse_qs(urlsplit(request.target).query)["reference"][0])
        order = json.loads(request.body)
        return Order(
            key=request.headers["idempotency-key"],
            intent=int(order["recipient"]["intent"]),
            **{name: order[name] for name in ("payout", "amount", "currency", "recipient")},
        )

    def paid(self, payment: Payment) -> Said:
        return Said(201, _shown(payment))

    def found(self, payments: Sequence[Payment], asked: LookUp) -> Said:
        return Said(200, {"data": [_shown(payment) for payment in payments]})

    def balance(self, amount: Decimal) -> Said:
        raise NotImplementedError("The protocol has no balance.")

    def refusal(self) -> Said:
        return Said(422, {"code": "recipient_blocked", "message": "The recipient cannot be paid."})

    def error(self) -> Said:
        return Said(500, {"code": "internal_error"})

    def limited(self) -> Said:
        return Said(429, {"code": "rate_limited"}, headers="Retry-After: 1\r\n")

    def notice(self, payment: Payment) -> Notice | None:
        return None


def _shown(payment: Payment) -> dict[str, str]:
    return {
        "id": payment.identity,
        "reference": payment.key,
        "amount": payment.amount,
        "currency": payment.currency,
        "status": payment.status,
    }
