"""YooKassa's daily register of payouts that succeeded, a CSV that comes by e-mail.

https://yookassa.ru/developers/payouts/after-the-payout/reports. It names a payout by YooKassa's own id alone. Of the
recipient's details, which it has too, nothing is read.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts.providers import Payment, ReportFormat, Verdict
from payouts.providers.csv_report import amount_fault

ZONE: Final = "Europe/Moscow"
ID, AMOUNT, CURRENCY, FEE, TIME = COLUMNS = (
    "идентификатор выплаты",
    "сумма выплаты",
    "валюта выплаты",
    "комиссия",
    "время операции",
)
PAYOUT_ID = re.compile(r"[!-~]{1,128}")
LETTERS = re.compile(r"[A-Z]{3}")
TIME_FORMAT = "%d.%m.%Y %H:%M:%S"


def read(row: Mapping[str, str]) -> Payment:
    """Raises ValueError."""
    faults = [
        "" if PAYOUT_ID.fullmatch(row[ID]) else _("The payout's ID is missing, or is none of YooKassa's."),
        amount_fault(row[AMOUNT]),
        "" if LETTERS.fullmatch(row[CURRENCY]) else _("The currency is no code of three letters, as in RUB."),
        amount_fault(row[FEE]) and _("The fee is not of digits, with a point before decimals, as in 15.00."),
        "" if (at := _at(row[TIME])) else _("The time is not as in 18.06.2026 17:46:58."),
    ]
    if any(faults):
        raise ValueError(*filter(None, faults))
    return Payment(
        provider_id=row[ID],
        reference=None,
        verdict=Verdict.SUCCEEDED,
        amount=Decimal(row[AMOUNT]),
        currency=row[CURRENCY],
        created_at=at,
        fee=Decimal(row[FEE]),
    )


def _at(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=ZoneInfo(ZONE))
    except ValueError:
        return None


REGISTER = ReportFormat(
    name="yookassa_register",
    label=gettext_lazy("YooKassa's daily register"),
    columns=COLUMNS,
    read=read,
    zone=ZONE,
    lists=frozenset((Verdict.SUCCEEDED,)),
)
