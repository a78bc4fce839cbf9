"""The provider `paypal`: payouts to PayPal accounts, Payouts API v1 (https://developer.paypal.com/docs/payouts/)."""

from datetime import timedelta

from payouts.providers import AccountSetting, Kind
from payouts.providers.paypal.client import from_account, way_of
from payouts.providers.paypal.payees import RECIPIENTS
from payouts.providers.paypal.reasons import SENTENCES
from payouts.providers.paypal.webhook import hear

KIND = Kind(
    name="paypal",
    label="PayPal",
    settings=(
        AccountSetting("CLIENT_ID", "The client ID of the REST app."),
        AccountSetting("SECRET", "The app's secret."),
        AccountSetting(
            "WEBHOOK_ID", "The ID of the app's webhook. Without it no webhook is heard.", is_required=False
        ),
        AccountSetting("TEST", "`on` for PayPal's sandbox: it moves no money.", is_required=False),
        AccountSetting(
            "API_URL",
            "Where the API is: https://api-m.paypal.com, or https://api-m.sandbox.paypal.com with TEST, unless said.",
            is_required=False,
        ),
    ),
    make=from_account,
    hear=hear,
    asks_to_hear=True,
    heard_status=200,
    key_life=timedelta(days=30),
    recipients=RECIPIENTS,
    way_of=way_of,
    is_asked_by_reference=False,
    sentences=SENTENCES,
)
