"""Ask an account about something else than an attempt; what goes wrong with that is an answer, and never an error."""

import time
from collections.abc import Callable

import structlog
from django.conf import settings

from payouts.providers import ADAPTER_FAILED, Answer, logged_calls
from payouts.providers.registry import UnknownProviderError
from payouts.providers.words import unknown

log = structlog.get_logger(__name__)

NO_PROVIDER = "The account's settings make no provider that can be asked."


def ask[Able, Told](
    account: str, whom: Callable[[str], Able], what: Callable[[Able], Told], *, call: str
) -> Told | Answer:
    """What that account tells: `whom` of the registry makes its provider, `what` calls it; `call` is its name.

    UNKNOWN `unsendable` where the settings make no such provider, and `adapter_error` for an error that its adapter
    did not foresee: the log has either.
    """
    try:
        provider = whom(account)
    except (UnknownProviderError, ValueError) as error:
        log.warning("account_not_asked", account=account, reason=str(error))
        return unknown("unsendable", NO_PROVIDER)
    try:
        return logged_calls.logged(call, account, lambda: what(provider))
    except Exception:
        log.exception("provider_adapter_failed", provider=account)
        return ADAPTER_FAILED


def deadline(seconds: float) -> float:
    """That of a call for which nothing waits, on the clock of `time.monotonic()`."""
    longest: float = settings.PROVIDER_TIMEOUT_SECONDS
    return time.monotonic() + min(longest, seconds)
