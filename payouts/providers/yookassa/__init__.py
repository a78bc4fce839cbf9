"""The provider `yookassa`: payouts through YooKassa's gateway, API v3 (https://yookassa.ru/developers/payouts/overview)."""

from datetime import timedelta

from payouts.providers import AccountSetting, Kind
from payouts.providers.yookassa.client import from_account, recipients_of, way_of
from payouts.providers.yookassa.destinations import RECIPIENTS
from payouts.providers.yookassa.reasons import SENTENCES
from payouts.providers.yookassa.register import REGISTER
from payouts.providers.yookassa.webhook import hear

KIND = Kind(
    name="yookassa",
    label="YooKassa",
    settings=(
        AccountSetting("GATEWAY_ID", "The number of the payouts gateway (agentId)."),
        AccountSetting("SECRET", "The gateway's secret key."),
        AccountSetting("API_URL", "Where the API is: https://api.yookassa.ru/v3 unless said.", is_required=False),
        AccountSetting("TEST", "`on` for a test gateway: it moves no money.", is_required=False),
        AccountSetting(
            "CARD_NUMBERS",
            "`on` to pay to cards by number, for which a live gateway asks for PCI DSS. Tokens need nothing.",
            is_required=False,
        ),
        AccountSetting(
            "CHECK_NAMES",
            "`on` to have the recipient's bank compare the name before a payout by SBP; an agreement with YooKassa.",
            is_required=False,
        ),
        AccountSetting(
            "WEBHOOK_NETWORKS",
            "The networks that webhooks may come from, comma-separated, instead of those that YooKassa publishes.",
            is_required=False,
        ),
    ),
    make=from_account,
    hear=hear,
    is_signed=False,
    heard_status=200,
    tells_balance=True,
    lists_payments=True,
    lists_banks=True,
    key_life=timedelta(hours=24),
    recipients=RECIPIENTS,
    reports=(REGISTER,),
    recipients_of=recipients_of,
    way_of=way_of,
    sentences=SENTENCES,
)
