"""Numbers from the sandbox's environment."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation


def seconds(environment: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    """Raises ValueError, with a sentence, for what is no number from 0 on."""
    given = number(environment, name)
    return default if given is None else timedelta(seconds=float(given))


def number(environment: Mapping[str, str], name: str) -> Decimal | None:
    """None for what is not given. Raises ValueError, with a sentence, for what is no number from 0 on."""
    text = environment.get(name, "")
    if not text:
        return None
    try:
        given = Decimal(text)
    except InvalidOperation:
        given = Decimal("NaN")
    if not given.is_finite() or not 0 <= given < 10**12:
        raise ValueError(f"{name} must be a number from 0 on.")
    return given
