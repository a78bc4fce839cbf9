"""What a batch file says: the one place that knows its columns.

A CSV (commas, semicolons or tabs; UTF-8, Windows-1251 or what Excel calls Unicode text) or an XLSX (its first sheet
that is not hidden), with a header. The columns stand in any order, and other columns are ignored.

| column     | holds |
|------------|-------|
| `user_id`  | the recipient's number in the client's systems: a whole number from 1 |
| `amount`   | 1234.50, 1 234,50 or 1,234.50, with no more decimals than the currency has (`files/amounts.py`) |
| `currency` | three letters of ISO 4217, as in RUB |
| `kind`     | card, iban, phone, wallet, token (of a card) or other |
| `account`  | the number of a card, IBAN, phone or wallet, the token, or what `other` is paid to; in an XLSX a text |
| `name`     | who is paid; may be empty |
| `bank`     | the recipient's; may be empty, but for a phone: an id or name of the providers' list, if any |
| `comment`  | what the payment is for; may be empty |

A template to download has these columns and EXAMPLES. `files/rows.py` and its neighbours bound what any file may
hold, `check.py` the number of its rows. A column that is stored is also a field of BatchRow and of its seal
(`models/batches.py`), filled in by `check.py`, submitted by `submit.py` and shown by `admin/batches/rows.py`.

A fault is a column, a code and parameters, so that it can be kept and told to each reader in their language.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payouts import money, recipients, vault
from payouts.database.storable import is_storable
from payouts.files import amounts, tables
from payouts.files.amounts import AmbiguousError, TextError
from payouts.files.rows import CELL_LIMIT, Row
from payouts.files.tables import EXACT_DIGITS
from payouts.models import NO_BANKS, Bank, BankList
from payouts.money import AmountError
from payouts.plain_text import turns, without_cards
from payouts.providers import payable
from payouts.providers.payable import Obstacle
from payouts.recipients import RecipientError

REQUIRED = ("user_id", "amount", "currency", "kind", "account")
COLUMNS = (*REQUIRED, "name", "bank", "comment")
# An example must not be paid when somebody forgets to delete it: zero is refused.
EXAMPLES = (
    ("1001", "0.00", "RUB", "card", "4111111111111111", "Иван Петров", "", "example: delete this row"),
    ("1002", "0.00", "EUR", "iban", "DE89370400440532013000", "Anna Schmidt", "Commerzbank", "example"),
    ("1003", "0.00", "RUB", "phone", "+79123456789", "Мария Иванова", "Т-Банк", "example"),
    ("1004", "0.00", "USD", "other", "wallet 77-AB-1204", "Ann Lee", "", "example"),
)
# Other names for the columns, in lower case with spaces.
NAMES: dict[str, str] = {
    "user id": "user_id",
    "id пользователя": "user_id",
    "ид пользователя": "user_id",
    "пользователь": "user_id",
    "сумма": "amount",
    "валюта": "currency",
    "тип": "kind",
    "вид": "kind",
    "способ": "kind",
    "счёт": "account",
    "счет": "account",
    "реквизит": "account",
    "реквизиты": "account",
    "имя": "name",
    "фио": "name",
    "получатель": "name",
    "банк": "bank",
    "комментарий": "comment",
    "назначение": "comment",
}
KINDS = {
    "карта": "card",
    "телефон": "phone",
    "сбп": "phone",
    "кошелёк": "wallet",
    "кошелек": "wallet",
    "токен": "token",
    "другое": "other",
    "иное": "other",
}
USER_ID = re.compile(r"[0-9]{1,19}")
# A number as long as a card's, wherever it stands in a text.

type Fault = tuple[str, str, dict[str, Any]]

# The account that would pay the row cannot; its parameters are a code of payable.py and that one's own.
UNPAYABLE = "unpayable"
SENTENCES: dict[str, Any] = {
    # Of the file
    **tables.SENTENCES,
    "no_rows": gettext_lazy("The file has a header and no rows."),
    "worker_failed": gettext_lazy("The worker failed on this file several times. See its log."),
    "unreadable": gettext_lazy("It cannot be decrypted with the present keys."),
    # Of a row
    "recipient_key": gettext_lazy(
        "This recipient cannot be paid: their key was changed outside the product. manage.py audit names it."
    ),
    "fields": gettext_lazy("The line has %(found)s fields, and the header has %(wanted)s."),
    "formula": gettext_lazy("The cell has a formula: paste its value instead."),
    "cell_error": gettext_lazy("The cell has an error instead of a value."),
    "too_long": gettext_lazy("Give at most 1000 characters, all of them printable."),
    "turns": gettext_lazy("A character here changes the direction of text (such as U+202E). Leave it out."),
    "missing": gettext_lazy("It is missing."),
    "user_id": gettext_lazy("The user ID must be a positive whole number."),
    "currency": gettext_lazy("This is not a currency code of ISO 4217, as in RUB."),
    "kind": gettext_lazy("The kind must be card, iban, phone, wallet, token or other."),
    "amount": TextError.sentence,
    "amount_ambiguous": AmbiguousError.sentence,
    "account_digits": gettext_lazy(
        "Excel keeps only 15 digits of a number: format the column as text, and type the account in again."
    ),
    "number_digits": gettext_lazy(
        "Excel keeps only 15 digits of a number, so this is not what was typed: format the cell as text, and type it"
        " in again."
    ),
    # Of a row that became no payout
    "refused": gettext_lazy("It was refused: %(text)s"),
    "row_altered": gettext_lazy("The row was changed outside the product."),
    "row_failed": gettext_lazy("An unexpected error. See the worker's log."),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What a row's cells say, by column. `width`: the row's number of fields and the header's, where they differ."""

    texts: dict[str, str]
    marks: dict[str, str] = field(default_factory=dict)
    width: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        return {"texts": self.texts, "marks": self.marks, "width": self.width}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Given":
        width = content["width"]
        return cls(content["texts"], content["marks"], (int(width[0]), int(width[1])) if width else None)


@dataclass(frozen=True, slots=True)
class Order:
    """What a valid row asks to be paid; `notes` are review flags."""

    user_id: int
    amount: Decimal
    currency: str
    kind: str
    recipient: dict[str, Any]
    comment: str
    notes: list[str]


# Read


def places(header: Row) -> dict[str, int]:
    """Where each column stands in the header. Raises SheetError with everything that is wrong with it."""
    return tables.places([_column(text) for text in header.texts], COLUMNS, required=REQUIRED)


def _column(text: str) -> str:
    name = " ".join(text.lower().split())
    return NAMES.get(name, name.replace(" ", "_"))


def given(row: Row, header: Row, places: Mapping[str, int], *, is_csv: bool) -> Given:
    """The row's cells by column. A comma inside an amount of a CSV would be one field more, and shift the cells."""
    texts = {column: row.texts[place] if place < len(row.texts) else "" for column, place in places.items()}
    marks = {column: str(row.marks[place]) for column, place in places.items() if place in row.marks}
    width = (len(row.texts), len(header.texts)) if is_csv and len(row.texts) != len(header.texts) else None
    return Given(texts, marks, width)


def read(given: Given, banks: BankList = NO_BANKS) -> tuple[Order | None, list[Fault]]:
    """What the row asks for, or all that is wrong with it; `banks` are those that a phone's can be one of."""
    if given.width:
        return None, [("", "fields", {"found": given.width[0], "wanted": given.width[1]})]
    texts = {column: given.texts.get(column, "") for column in COLUMNS}
    faults = _cell_faults(given, texts)
    wrong = {column for column, _code, _parameters in faults}
    if "user_id" not in wrong and not _is_user_id(texts["user_id"]):
        faults.append(("user_id", "user_id", {}))
    currency = texts["currency"].upper()
    if "currency" not in wrong and not _is_currency(currency):
        faults.append(("currency", "currency", {}))
        wrong.add("currency")
    amount: Decimal | None = None
    if "amount" not in wrong:
        try:
            amount = _amount(given, "" if "currency" in wrong else currency)
        except AmbiguousError:
            faults.append(("amount", "amount_ambiguous", {}))
        except TextError:
            faults.append(("amount", "amount", {}))
        except AmountError:
            faults.append(("amount", "amount_exact", {}))
    kind = KINDS.get(texts["kind"].lower(), texts["kind"].lower())
    if "kind" not in wrong and kind not in recipients.Kind.values:
        faults.append(("kind", "kind", {}))
        wrong.add("kind")
    recipient: dict[str, Any] = {}
    if not wrong & {"kind", "account", "name", "bank"}:
        try:
            recipient = _recipient(kind, texts, currency, banks)
        except RecipientError as error:
            faults += [(column, "recipient", {}) for column in error.errors]
    if faults:
        return None, sorted(faults, key=lambda fault: COLUMNS.index(fault[0]))
    assert amount is not None
    notes = [str(flag) for flag in recipients.findings(recipient)]
    return Order(int(texts["user_id"]), amount, currency, kind, recipient, texts["comment"], notes), []


def _cell_faults(given: Given, texts: Mapping[str, str]) -> list[Fault]:
    faults: list[Fault] = []
    for column, text in texts.items():
        mark = given.marks.get(column)
        if mark == "formula":
            faults.append((column, "formula", {}))
        elif mark == "error":
            faults.append((column, "cell_error", {}))
        elif len(text) > CELL_LIMIT or not is_storable(text):
            faults.append((column, "too_long", {}))
        elif turns(text):
            faults.append((column, "turns", {}))
        elif not text and column in REQUIRED:
            faults.append((column, "missing", {}))
        elif column == "account" and mark == "number" and (len(text) > EXACT_DIGITS or not text.isdigit()):
            faults.append((column, "account_digits", {}))
        elif mark == "number" and _digits(text) > EXACT_DIGITS:
            faults.append((column, "number_digits", {}))
    return faults


def _digits(number: str) -> int:
    """How many digits a spreadsheet had to keep of the number."""
    return len(number.lstrip("-0.").replace(".", ""))


def _is_user_id(text: str) -> bool:
    return bool(USER_ID.fullmatch(text)) and 1 <= int(text) < 2**63


def _is_currency(code: str) -> bool:
    try:
        money.minor_units(code)
    except AmountError:
        return False
    return bool(re.fullmatch("[A-Z]{3}", code))


def _amount(given: Given, currency: str) -> Decimal:
    """The exact amount; without a known currency its decimals are not checked. Raises TextError, AmountError."""
    text = given.texts.get("amount", "")
    if given.marks.get("amount") == "number":  # the spreadsheet's own, which means one thing
        return money.exact(Decimal(text), currency) if currency else Decimal(text)
    return amounts.read(text, currency)


def _recipient(kind: str, texts: Mapping[str, str], currency: str, banks: BankList) -> dict[str, Any]:
    """Raises RecipientError."""
    return recipients.build(
        kind, account=texts["account"], name=texts["name"], bank=texts["bank"], currency=currency, banks=banks
    )


def unpayable(obstacle: Obstacle) -> Fault:
    """A row's fault: the account that the routes choose cannot pay it."""
    column = "account" if obstacle.field == payable.RECIPIENT else obstacle.field
    return column, UNPAYABLE, {"why": obstacle.code, **obstacle.parameters}


# In words


def sentence(code: str, parameters: Mapping[str, Any]) -> str:
    """A fault of a file or a row, or why a row became no payout."""
    if code == UNPAYABLE:
        return payable.sentence(parameters["why"], parameters)
    return tables.filled(SENTENCES[code], parameters) if code in SENTENCES else code


def sentences(given: Given | None, faults: Sequence[Sequence[Any]]) -> list[tuple[str, str]]:
    """Each fault's column, and what is wrong there. Rules with words of their own are asked for them again."""
    found: list[tuple[str, str]] = []
    for column, code, parameters in faults:
        match code:
            case "recipient":
                found.append((column, _of_recipient(given, column)))
            case "amount_exact":
                found.append((column, _of_amount(given)))
            case _:
                found.append((column, sentence(code, parameters)))
    return found


def _of_recipient(given: Given | None, column: str) -> str:
    if given:
        banks = Bank.objects.offered() if column == "bank" else NO_BANKS
        texts = {name: given.texts.get(name, "") for name in COLUMNS}
        kind = KINDS.get(texts["kind"].lower(), texts["kind"].lower())
        currency = texts["currency"].upper()
        for asked_for in (currency, ""):
            try:
                _recipient(kind, texts, asked_for, banks)
            except RecipientError as error:
                if column in error.errors:
                    return error.errors[column]
    return _("Payment with these details is not possible.")


def _of_amount(given: Given | None) -> str:
    try:
        if given:
            _amount(given, given.texts.get("currency", "").upper())
    except (TextError, AmountError) as error:
        return str(error)
    return sentence("amount", {})


def masked(given: Given) -> dict[str, str]:
    """The cells as anyone may see them: the account masked, and numbers as long as one in every other column."""
    return {
        column: vault.masked_text(text) if column == "account" else without_cards(text)
        for column, text in given.texts.items()
    }
