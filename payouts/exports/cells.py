"""What an export's file says of a payout, cell by cell."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from payouts import money
from payouts.models import Payout
from payouts.plain_text import key_without_cards, marked, without_cards
from payouts.recipients import name_and_account

FORMULA_SIGNS = ("=", "+", "-", "@", "\N{MINUS SIGN}")
type Cell = str | int | Decimal | None


# What a spreadsheet may take for a formula's beginning, where a cell begins: at the text's, and in the text where a
# program that separates by semicolons or tabs would begin another.
_CELL = re.compile(r"(^|[;\t\r\n])([^;\t\r\n]+)")


def safe(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet might run (OWASP, CSV Injection).

    Leading spaces, invisible characters and full-width signs do not hide a formula.
    """
    text = marked(text)
    if text[:1] in ("\t", "\r", "\n"):
        text = f"'{text}"
    return _CELL.sub(lambda found: found[1] + ("'" if _is_formula(found[2]) else "") + found[2], text)


def _is_formula(text: str) -> bool:
    for sign in text:
        if sign.isspace() or unicodedata.category(sign) in ("Cc", "Cf"):
            continue
        return unicodedata.normalize("NFKC", sign)[:1] in FORMULA_SIGNS
    return False


def _exact(payout: Payout) -> Decimal:
    """The amount with its currency's decimals, unless it has more."""
    try:
        return money.exact(payout.amount, payout.currency)
    except money.AmountError:  # a currency that the standard has given up since
        return payout.amount


def _time(moment: datetime | None) -> str:
    """ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else ""


# What each column says of a payout, in this order. Texts from outside are made safe; numbers and times are our own.
COLUMNS: dict[str, Callable[[Payout], Cell]] = {
    "id": lambda payout: payout.pk,
    "reference": lambda payout: str(payout.reference),
    "created_at": lambda payout: _time(payout.created_at),
    "status": lambda payout: payout.status,
    "stage": lambda payout: payout.stage.value,
    "amount": _exact,
    "currency": lambda payout: safe(payout.currency),
    "recipient_name": lambda payout: safe(name_and_account(payout.recipient_masked)[0]),
    "recipient_account": lambda payout: safe(name_and_account(payout.recipient_masked)[1]),
    "user_id": lambda payout: payout.user_id,
    "client": lambda payout: safe(payout.client.name if payout.client else ""),
    "maker": lambda payout: safe(payout.maker.get_username() if payout.maker else ""),
    "provider": lambda payout: safe(payout.provider),
    "approvals_given": lambda payout: payout.approvals_given,
    "approvals_required": lambda payout: payout.approvals_required,
    "held_at": lambda payout: _time(payout.held_at),
    "attention": lambda payout: payout.attention,
    "failure_code": lambda payout: safe(payout.failure_code),
    "failure_message": lambda payout: safe(payout.failure_message),
    "processed_at": lambda payout: _time(payout.processed_at),
    "comment": lambda payout: safe(without_cards(payout.comment)),
    "idempotency_key": lambda payout: safe(key_without_cards(payout.idempotency_key or "")),
    "fee": lambda payout: getattr(payout, "fee", None),  # of the attempt that paid, as write.py reads it
}


def cells(payout: Payout) -> list[Cell]:
    """A payout's cells, in the order of COLUMNS."""
    return [cell(payout) for cell in COLUMNS.values()]


def texts(row: list[Cell]) -> list[str]:
    return [money.plain(cell) if isinstance(cell, Decimal) else "" if cell is None else str(cell) for cell in row]


def as_csv(rows: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
