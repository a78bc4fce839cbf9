"""What a masked recipient is called by: found among the names under which clients send it."""

from typing import Any

from payouts.vault import BULLET

NAME_KEYS = (
    "name",
    "full_name",
    "fullname",
    "holder",
    "card_holder",
    "cardholder",
    "account_holder",
    "recipient_name",
    "recipient",
    "beneficiary",
    "company",
    "фио",
    "получатель",
)
ACCOUNT_KEYS = ("card", "card_number", "pan", "account", "account_number", "iban", "phone", "wallet")


def recipient_pair(masked: Any) -> tuple[str, str]:
    """What to call the recipient by, and the masked account; either may be empty."""
    if not isinstance(masked, dict):
        return "", ""
    texts: dict[str, str] = {
        str(key).lower(): value for key, value in masked.items() if isinstance(value, str) and value
    }
    name = next((texts[key] for key in NAME_KEYS if key in texts), "")
    account = next((texts[key] for key in ACCOUNT_KEYS if key in texts), "")
    if not account:
        account = next((text for text in texts.values() if BULLET in text and text != name), "")
    if not name and not account:
        name = next(iter(texts.values()), "")
    return name, account
