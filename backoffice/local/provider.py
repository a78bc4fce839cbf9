"""The provider that `make run` starts: the sandbox, as a provider of the kind that PROVIDER names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from backoffice.environment import SettingError
from payouts.sandbox.dialects import SPOKEN

OURS = "http"
EXAMPLE = '"currency": "RUB", "recipient_details": {"card": "0000 1111 2222 3333"}'
KINDS = (OURS, *(spoken.name for spoken in SPOKEN))


@dataclass(frozen=True, slots=True)
class Played:
    port: int
    settings: Mapping[str, str] = field(repr=False)
    """The product's, with which it finds the sandbox."""
    environment: Mapping[str, str] = field(repr=False)
    """The sandbox's own."""
    example: str = EXAMPLE
    """The currency and the recipient of a payout that it pays, in JSON."""


def played(secrets: Mapping[str, str], *, port: int, web_port: str) -> Played:
    """The sandbox and the web server on these ports of this machine. Raises SettingError for an unknown kind."""
    kind = os.environ.get("PROVIDER", "").strip() or OURS
    sandbox, web = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{web_port}/api/webhooks"
    if kind == OURS:
        settings = {"PROVIDER_URL": sandbox, "PROVIDER_ACCOUNT": "sandbox"}  # its port may change between two starts
        return Played(port, settings, {"SANDBOX_WEBHOOK_URL": f"{web}/provider/"})
    spoken = next((spoken for spoken in SPOKEN if spoken.name == kind), None)
    if spoken is None:
        raise SettingError(f"PROVIDER must be {' or '.join(KINDS)}, which the sandbox can play, and is {kind}.")
    its = spoken.played(secret=secrets["PROVIDER_TOKEN"], sandbox=sandbox, webhook=f"{web}/main/")
    account = {f"PROVIDER_MAIN_{name}": value for name, value in its.account.items()}
    return Played(port, {"PROVIDERS": f"main={kind}"} | account, its.environment, spoken.example)
