"""The gateway that the sandbox plays, as the environment describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

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
        balance = _number(environment, "SANDBOX_BALANCE")
        return cls(
            id=gateway_id,
            secret=secret,
            notification_url=environment.get("SANDBOX_NOTIFICATION_URL", ""),
            key_ttl=_seconds(environment, "SANDBOX_KEY_TTL_SECONDS", KEY_TTL),
            search_lag=_seconds(environment, "SANDBOX_SEARCH_LAG_SECONDS", SEARCH_LAG),
            balance=None if balance is None else balance.quantize(Decimal("0.01")),
        )


def _seconds(environment: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    number = _number(environment, name)
    return default if number is None else timedelta(seconds=float(number))


def _number(environment: Mapping[str, str], name: str) -> Decimal | None:
    text = environment.get(name, "")
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number < 10**12:
        raise ValueError(f"{name} must be a number from 0 on.")
    return number
