"""What people are told: why YooKassa canceled a payout, why its answer settles nothing, and what they may do.

A canceled payout is final and has moved no money, so each can be retried. A retry pays the same recipient: another
account or amount takes a new payout. https://yookassa.ru/developers/payouts/after-the-payout/declined-payouts
"""

from typing import Final

from django.utils.translation import gettext_noop

LACKS_FUNDS: Final = "insufficient_funds"
REASONS: Final = {
    LACKS_FUNDS: gettext_noop("The balance at YooKassa is too low. Top it up: the payout then goes by itself."),
    "fraud_suspected": gettext_noop(
        "YooKassa suspects fraud. Check the recipient, and ask YooKassa before you retry."
    ),
    "one_time_limit_exceeded": gettext_noop(
        "The amount is over the recipient's limit for one payment. Create smaller payouts, or one to another account."
    ),
    "periodic_limit_exceeded": gettext_noop(
        "The recipient has reached the limit of the day or month. Retry when the next one begins."
    ),
    "rejected_by_payee": gettext_noop(
        "The recipient's bank or wallet did not take the money. Create a payout to another account."
    ),
    "general_decline": gettext_noop("YooKassa gave no reason. Ask YooKassa before you retry."),
    "issuer_unavailable": gettext_noop("The recipient's bank is not available. Retry later."),
    "recipient_not_found": gettext_noop(
        "No account at the bank has this phone number. Ask the recipient for the right one, and create a new payout."
    ),
    "recipient_check_failed": gettext_noop(
        "The account does not belong to the recipient. Check the recipient, and create a new payout."
    ),
    "identification_required": gettext_noop(
        "The recipient's wallet is not identified. Ask the recipient to identify it, then retry."
    ),
    "self_employed_annual_limit_exceeded": gettext_noop(
        "The self-employed recipient has reached the income limit of the year. Do not retry; pay in another way."
    ),
}
OTHER_REASON: Final = gettext_noop("YooKassa canceled the payout. Ask YooKassa why before you retry.")

KEY_CONFLICT: Final = gettext_noop("The provider knows the idempotency key with another request.")
NOT_FOUND_YET: Final = gettext_noop("YooKassa's search finds nothing yet, and may be behind.")
OUT_OF_REACH: Final = gettext_noop("YooKassa's search does not go back to this payment. Ask YooKassa.")
SAYS_LIVE: Final = gettext_noop("The account is for tests, but YooKassa paid with real money. Check the settings.")
SAYS_TEST: Final = gettext_noop("The account is live, but YooKassa paid with test money. Check the settings.")
SEVERAL: Final = gettext_noop("Several payouts at YooKassa have this reference.")
UNKNOWN_ID: Final = gettext_noop("YooKassa does not know the payout that it named before.")
OTHER_GATEWAY: Final = gettext_noop("YooKassa answered for another gateway than the one in the settings.")
UNREADABLE_BANKS: Final = gettext_noop("YooKassa's list of banks cannot be read.")
UNREADABLE_LIST: Final = gettext_noop("YooKassa's list of payouts cannot be read.")
UNREADABLE_PAYOUT: Final = gettext_noop("YooKassa's payout cannot be read.")
NAME_NOT_TAKEN: Final = gettext_noop(
    "YooKassa does not take the recipient's name. Create a new payout with the surname, then the first name."
)
NAME_NOT_KEPT: Final = gettext_noop("YooKassa has not kept the recipient's name; nothing was sent.")
UNCHECKABLE_NAME: Final = gettext_noop(
    "The account checks names, and the recipient has no surname and first name, in this order; nothing was sent."
)
UNPAYABLE_AMOUNT: Final = gettext_noop("YooKassa cannot pay such an amount; nothing was sent.")
UNPAYABLE_RECIPIENT: Final = gettext_noop("YooKassa cannot pay such a recipient; nothing was sent.")

SENTENCES: Final = (
    *REASONS.values(),
    OTHER_REASON,
    KEY_CONFLICT,
    NOT_FOUND_YET,
    OUT_OF_REACH,
    SAYS_LIVE,
    SAYS_TEST,
    SEVERAL,
    UNKNOWN_ID,
    OTHER_GATEWAY,
    UNREADABLE_BANKS,
    UNREADABLE_LIST,
    UNREADABLE_PAYOUT,
    NAME_NOT_TAKEN,
    NAME_NOT_KEPT,
    UNCHECKABLE_NAME,
    UNPAYABLE_AMOUNT,
    UNPAYABLE_RECIPIENT,
)
