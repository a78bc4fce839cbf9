"""The gateway that the sandbox plays, as the environment describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from payouts.sandbox.environment import number, seconds

KEY_TTL: Final = timedelta(hours=24)
SEARCH_LAG: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Gateway:
    id: str
    secret: str = field(repr=False)
    notification_url: str = ""
    key_ttl: timedelta = KEY_TTL
    """From a key's first POST on; after it the same key is another payout."""
    search_lag: timedelta = SEARCH_LAG
    """How old a payout is before a search finds it."""
    balance: Decimal | None = None
    """Roubles that there are to pay from; None: a test gateway, which never runs out."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Gateway | None":
        """Return None where there is none. Raises ValueError, with a sentence, for what makes no sense."""
        gateway_id, secret = environment.get("SANDBOX_GATEWAY_ID", ""), environment.get("SANDBOX_SECRET", "")
        if not gateway_id and not secret:
            return None
        if not gateway_id or not secret:
            raise ValueError("SANDBOX_GATEWAY_ID and SANDBOX_SECRET must be set together.")
        balance = number(environment, "SANDBOX_BALANCE")
        return cls(
            id=gateway_id,
            secret=secret,
            notification_url=environment.get("SANDBOX_NOTIFICATION_URL", ""),
            key_ttl=seconds(environment, "SANDBOX_KEY_TTL_SECONDS", KEY_TTL),
            search_lag=seconds(environment, "SANDBOX_SEARCH_LAG_SECONDS", SEARCH_LAG),
            balance=None if balance is None else balance.quantize(Decimal("0.01")),
        )
