"""Each kind of provider with its simulator behind it, as the contract tests run it.

A new kind is one line in SIMULATED. The kinds differ in their own words only.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from payouts.providers import Account, Provider, registry
from tests.payouts.providers.paypal.followed import Followed
from tests.payouts.providers.paypal.objects import ADDRESS
from tests.payouts.providers.programs import TOKEN, SandboxProgram, sandbox
from tests.payouts.sandbox import paypal
from tests.payouts.sandbox.yookassa import GATEWAY_ID, SBP, SECRET, gateway

ANY_CURRENCY = (("100.50", "RUB"), ("0.01", "USD"), ("99999999999999.99", "EUR"), ("1000", "JPY"), ("0.001", "KWD"))


@dataclass(frozen=True, slots=True)
class Simulated:
    """How a kind says what all of them say."""

    running: Callable[[Path], AbstractContextManager[SandboxProgram]]
    """Run the simulator, with its ledger in a folder."""
    values: Callable[[str], dict[str, str]]
    """What an account's settings are, for the simulator's URL."""
    refusal: tuple[str, int, str]
    """Of a request: the code, the HTTP status and the message."""
    rejection: str
    """The code of a payment that it made and rejected."""
    conflict: str
    """The code of an answer to a key that it knows with another amount."""
    ordinary: tuple[tuple[str, str], ...] = ANY_CURRENCY
    """Amounts and currencies that it pays."""
    recipient: Mapping[str, object] = field(
        default_factory=lambda: {"card": "0000 1111 2222 3333", "name": "Иван П."}
    )
    wrapped: Callable[[Provider], Provider] = lambda provider: provider
    """What stands before its adapter in the tests."""


SIMULATED = {
    "http": Simulated(
        sandbox,
        lambda url: {"URL": url, "TOKEN": TOKEN},
        ("recipient_blocked", 422, "The recipient cannot be paid."),
        "account_closed",
        "http_409",
    ),
    "yookassa": Simulated(
        gateway,
        lambda url: {"GATEWAY_ID": GATEWAY_ID, "SECRET": SECRET, "API_URL": f"{url}/v3", "TEST": "on"},
        ("invalid_request", 400, "payout_destination_data: The recipient cannot be paid"),
        "general_decline",
        "idempotency_conflict",
        ordinary=(("1.00", "RUB"), ("500000.00", "RUB")),
        recipient={name: SBP[name] for name in ("phone", "bank_id")},
    ),
    "paypal": Simulated(
        paypal.business,
        lambda url: {"CLIENT_ID": paypal.CLIENT_ID, "SECRET": paypal.SECRET, "API_URL": url, "TEST": "on"},
        ("VALIDATION_ERROR", 400, "items[0].receiver: The recipient cannot be paid"),
        "RECEIVER_ACCOUNT_LOCKED",
        "mismatch",
        ordinary=(("0.01", "USD"), ("20000.00", "USD"), ("1000", "JPY"), ("1000.00", "HUF")),
        recipient={"email": ADDRESS},
        wrapped=Followed,
    ),
}


def made(kind: str, url: str) -> Provider:
    """The adapter of an account `main` with the simulator at the URL."""
    simulated = SIMULATED[kind]
    account = Account("main", kind, simulated.values(url))
    return simulated.wrapped(registry.KINDS[kind].make(account))
