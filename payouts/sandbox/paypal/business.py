"""The account that the sandbox plays at PayPal, as the environment describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from payouts.sandbox.environment import number, seconds

KEY_TTL: Final = timedelta(days=30)
TOKEN_LIFE: Final = timedelta(hours=9)


@dataclass(frozen=True, slots=True)
class Business:
    client_id: str
    secret: str = field(repr=False)
    webhook_url: str = ""
    webhook_id: str = ""
    key_ttl: timedelta = KEY_TTL
    """From a `sender_batch_id`'s first POST on; after it the same one is another payout."""
    token_life: timedelta = TOKEN_LIFE
    balance: Decimal | None = None
    """What there is to pay from, in a currency with two decimals; None: it never runs out."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Business | None":
        """Return None where there is none. Raises ValueError, with a sentence, for what makes no sense."""
        client_id = environment.get("SANDBOX_PAYPAL_CLIENT_ID", "")
        secret = environment.get("SANDBOX_PAYPAL_SECRET", "")
        if not client_id and not secret:
            return None
        if not client_id or not secret:
            raise ValueError("SANDBOX_PAYPAL_CLIENT_ID and SANDBOX_PAYPAL_SECRET must be set together.")
        url, webhook_id = (environment.get(f"SANDBOX_PAYPAL_WEBHOOK_{name}", "") for name in ("URL", "ID"))
        if url and not webhook_id:
            raise ValueError("SANDBOX_PAYPAL_WEBHOOK_URL needs SANDBOX_PAYPAL_WEBHOOK_ID.")
        balance = number(environment, "SANDBOX_PAYPAL_BALANCE")
        return cls(
            client_id=client_id,
            secret=secret,
            webhook_url=url,
            webhook_id=webhook_id,
            key_ttl=seconds(environment, "SANDBOX_PAYPAL_KEY_TTL_SECONDS", KEY_TTL),
            token_life=seconds(environment, "SANDBOX_PAYPAL_TOKEN_SECONDS", TOKEN_LIFE),
            balance=None if balance is None else balance.quantize(Decimal("0.01")),
        )
