"""The provider `http`: any service that speaks the provider protocol at a URL; the sandbox is one."""

from payouts.providers import AccountSetting, Kind
from payouts.providers.http.client import from_account
from payouts.providers.http.webhook import SCHEMA, hear

KIND = Kind(
    name="http",
    label="HTTP",
    settings=(
        AccountSetting("URL", "Where payouts are paid: `https://…`, or `http://…` on a closed network."),
        AccountSetting("TOKEN", "What the provider knows us by."),
        AccountSetting(
            "ACCOUNT",
            "A name for the account that the token is of, to be kept when the address changes. Without it the "
            "address stands for the account.",
            is_required=False,
        ),
        AccountSetting(
            "WEBHOOK_SECRET",
            "Signs its webhooks (Standard Webhooks, `whsec_…`); several, comma-separated, while it is being rotated.",
            is_required=False,
        ),
    ),
    make=from_account,
    hear=hear,
    webhook_schema=SCHEMA,
)
