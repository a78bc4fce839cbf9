"""Our own CSV of payments: `reference`, `status` and `amount`, for providers that have no register of theirs."""

import re
from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.providers import Payment, ReportFormat, Verdict

PAYMENTS = "payments"
STATUSES = {
    "succeeded": Verdict.SUCCEEDED,
    "pending": Verdict.PENDING,
    "rejected": Verdict.REFUSED,
    "returned": Verdict.RETURNED,
}
WORDS = {verdict: status for status, verdict in STATUSES.items()}
REFERENCE_LIMIT = 64
AMOUNT = re.compile(r"[0-9]{1,14}(\.[0-9]{1,8})?")
KEY = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


def read(row: Mapping[str, str]) -> Payment:
    """A reference that is no key of ours stands in place of the provider's id. Raises ValueError."""
    reference, status, amount = row["reference"], row["status"], row["amount"]
    faults = [each for each in (_reference_fault(reference), _status_fault(status), amount_fault(amount)) if each]
    if faults:
        raise ValueError(*faults)
    is_key = KEY.fullmatch(reference)
    return Payment(
        provider_id="" if is_key else reference,
        reference=UUID(reference) if is_key else None,
        verdict=STATUSES[status.lower()],
        amount=Decimal(amount),
        currency="",
        created_at=None,
    )


def amount_fault(amount: str) -> str:
    """Why the amount is not taken exactly, as a sentence, or nothing."""
    if AMOUNT.fullmatch(amount):
        return ""
    text = _("The amount is “%(amount)s”: give digits, with a point before decimals and nothing else, as in 1234.50.")
    return text % {"amount": amount[:40]}


def _reference_fault(reference: str) -> str:
    if not reference:
        return _("The reference is missing.")
    if len(reference) > REFERENCE_LIMIT or not reference.isprintable():
        return _("The reference is longer than 64 characters, or has some that cannot be printed.")
    return ""


def _status_fault(status: str) -> str:
    if status.lower() in STATUSES:
        return ""
    text = _("The status is “%(status)s”, and not succeeded, pending, rejected or returned.")
    return text % {"status": status[:40]}


CSV = ReportFormat(
    name=PAYMENTS,
    label=gettext_lazy("payments by our reference"),
    columns=("reference", "status", "amount"),
    read=read,
)
