"""The provider that `make run` starts: the sandbox, as a provider of the kind that PROVIDER names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from backoffice.environment import SettingError

KINDS = ("http", "yookassa")


@dataclass(frozen=True, slots=True)
class Played:
    port: int
    settings: Mapping[str, str] = field(repr=False)
    """The product's, with which it finds the sandbox."""
    environment: Mapping[str, str] = field(repr=False)
    """The sandbox's own."""


def played(secrets: Mapping[str, str], *, port: int, web_port: str) -> Played:
    """The sandbox and the web server on these ports of this machine. Raises SettingError for an unknown kind."""
    kind = os.environ.get("PROVIDER", "").strip() or "http"
    sandbox, web = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{web_port}/api/webhooks"
    match kind:
        case "http":
            settings = {
                "PROVIDER_URL": sandbox,
                "PROVIDER_ACCOUNT": "sandbox",
            }  # its port may change between two starts
            return Played(port, settings, {"SANDBOX_WEBHOOK_URL": f"{web}/provider/"})
        case "yookassa":
            gateway, secret = "501", secrets["PROVIDER_TOKEN"]
            settings = {
                "PROVIDERS": "main=yookassa",
                "PROVIDER_MAIN_API_URL": f"{sandbox}/v3",
                "PROVIDER_MAIN_GATEWAY_ID": gateway,
                "PROVIDER_MAIN_SECRET": secret,
                "PROVIDER_MAIN_TEST": "on",
                "PROVIDER_MAIN_CARD_NUMBERS": "on",
                "PROVIDER_MAIN_WEBHOOK_NETWORKS": "127.0.0.0/8",
            }
            environment = {
                "SANDBOX_GATEWAY_ID": gateway,
                "SANDBOX_SECRET": secret,
                "SANDBOX_NOTIFICATION_URL": f"{web}/main/",
            }
            return Played(port, settings, environment)
        case _:
            raise SettingError(f"PROVIDER must be {' or '.join(KINDS)}, which the sandbox can play, and is {kind}.")
