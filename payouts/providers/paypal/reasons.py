"""What people are told: why PayPal did not pay, why its answer settles nothing, and what they may do.

A refused payout has moved no money, so each can be retried. A retry pays the same recipient: another account or
amount takes a new payout. https://developer.paypal.com/docs/api/payments.payouts-batch/v1/#errors
"""

from typing import Final

from django.utils.translation import gettext_noop

LACKS_FUNDS: Final = "INSUFFICIENT_FUNDS"
_RECIPIENT: Final = gettext_noop(
    "The recipient's PayPal account cannot take the money. Ask the recipient to contact PayPal."
)
_LIMIT: Final = gettext_noop(
    "The amount is over a limit at PayPal. Create smaller payouts, or ask PayPal to raise it."
)
_COMPLIANCE: Final = gettext_noop("PayPal blocked the payment. Check the recipient, and ask PayPal before you retry.")
REASONS: Final = {
    LACKS_FUNDS: gettext_noop("The balance at PayPal is too low. Top it up: the payout then goes by itself."),
    "RECEIVER_ACCOUNT_LOCKED": _RECIPIENT,
    "RECEIVER_COUNTRY_NOT_ALLOWED": _RECIPIENT,
    "RECEIVER_STATE_RESTRICTED": _RECIPIENT,
    "RECEIVER_YOUTH_ACCOUNT": _RECIPIENT,
    "RECEIVING_LIMIT_EXCEEDED": _LIMIT,
    "SPENDING_LIMIT_EXCEEDED": _LIMIT,
    "TRANSACTION_LIMIT_EXCEEDED": _LIMIT,
    "RECEIVER_UNCONFIRMED": gettext_noop(
        "The recipient has not confirmed this address or number with PayPal. Ask the recipient to do so, then retry."
    ),
    "RECEIVER_REFUSED": gettext_noop("The recipient declined the money. Ask the recipient before you retry."),
    "SELF_PAY_NOT_ALLOWED": gettext_noop(
        "The recipient is our own PayPal account. Create a payout to another recipient."
    ),
    "REGULATORY_BLOCKED": _COMPLIANCE,
    "RISK_DECLINE": _COMPLIANCE,
}
OTHER_REASON: Final = gettext_noop("PayPal did not pay. Ask PayPal why before you retry.")

KEY_KNOWN: Final = gettext_noop("PayPal knows this payment already, and did not make it again.")
NO_ACCESS: Final = gettext_noop("PayPal gave no access token (HTTP %(status)s); nothing was sent.")
NO_ID: Final = gettext_noop(
    "PayPal can be asked only by its own ID, which it has not told. Look for the payment in PayPal's account."
)
SEVERAL: Final = gettext_noop("PayPal's payout has several items, and ours have one.")
UNKNOWN_ID: Final = gettext_noop("PayPal does not know the payout that it named before.")
UNPAYABLE_AMOUNT: Final = gettext_noop("PayPal cannot pay such an amount; nothing was sent.")
UNPAYABLE_RECIPIENT: Final = gettext_noop("PayPal cannot pay such a recipient; nothing was sent.")

SENTENCES: Final = (
    *dict.fromkeys(REASONS.values()),
    OTHER_REASON,
    KEY_KNOWN,
    NO_ACCESS,
    NO_ID,
    SEVERAL,
    UNKNOWN_ID,
    UNPAYABLE_AMOUNT,
    UNPAYABLE_RECIPIENT,
)
