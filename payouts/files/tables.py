"""Tables that people upload, CSV and XLSX, read into rows of texts. Whatever is in the file, reading it is bounded.

A cell's number is spelled exactly as the file has it; a formula or an error is marked.
"""

import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from openpyxl import load_workbook

from payouts.files.limits import FILE_BYTES

NAME_LIMIT = 255  # of the file, as it is kept
UNPACKED_LIMIT = 100 * 1024 * 1024
PARTS_LIMIT = 500
COLUMNS_LIMIT = 50
CELL_LIMIT = 1_000
TOO_LONG = "…" * (CELL_LIMIT + 1)  # stands for every text that is too long
# As many as Excel has; a file may claim any number.
SHEET_ROWS_LIMIT = 1_048_576
# Beyond them Excel has rounded the number.
EXACT_DIGITS = 15
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DELIMITERS = ";,\t"
WINDOWS = "cp1251"

type Mark = Literal["formula", "error", "number"]
type Format = Literal["csv", "xlsx"]


class SheetError(Exception):
    """The file is not a table. `faults` are codes with parameters, which SENTENCES has in words."""

    def __init__(self, code: str, **parameters: object) -> None:
        super().__init__(code)
        self.faults: list[tuple[str, dict[str, object]]] = [(code, parameters)]


@dataclass(slots=True)
class Row:
    """A row that is not blank: `number` is its line in the file, from 1, and `marks` go by the cell's place."""

    number: int
    texts: list[str]
    marks: dict[int, Mark] = field(default_factory=dict)


SENTENCES: dict[str, Promise] = {
    "too_large": _("The file is larger than %(megabytes)s MB: split it."),
    "empty": _("The file is empty."),
    "old_excel": _("This is a file of an old Excel, or one with a password: save it as XLSX without a password."),
    "no_table": _("This is neither CSV nor XLSX: save the table as CSV UTF-8 or XLSX and try again."),
    "broken_line": _("Line %(number)s cannot be read: a quotation mark is missing, or a field is too long."),
    "unreadable_xlsx": _("The XLSX cannot be read: open it in Excel, save it as a new file and try again."),
    "unpacked_too_large": _("The unpacked XLSX is too large: split it, or save it as CSV."),
    "too_many_rows": _("The file has more than %(limit)s rows: split it."),
    "column_missing": _("The header has no column “%(column)s”."),
    "column_twice": _("The header has the column “%(column)s” twice."),
}


def look(content: bytes) -> tuple[Format, str]:
    """The file's format, and the encoding of a CSV, found at little cost. Raises SheetError."""
    check_size(content)
    if not content.strip():
        raise SheetError("empty")
    if content.startswith(OLE):
        raise SheetError("old_excel")
    if content.startswith(ZIP):
        _check_parts(content)
        return "xlsx", ""
    _text, encoding = _guessed(content)
    return "csv", encoding


def read(content: bytes, *, rows_limit: int) -> list[Row]:
    """The rows of the file, the header first. Raises SheetError, also for more than `rows_limit` rows under it."""
    kind, _encoding = look(content)
    rows = _xlsx_rows(content, rows_limit) if kind == "xlsx" else _csv_rows(_guessed(content)[0], rows_limit)
    if not rows:
        raise SheetError("empty")
    return rows


def places(names: Sequence[str], columns: Sequence[str], *, required: Sequence[str]) -> dict[str, int]:
    """Where each column stands in the header. Raises SheetError with everything that is wrong with it."""
    faults: list[tuple[str, dict[str, object]]] = [
        ("column_missing", {"column": column}) for column in required if column not in names
    ]
    faults += [("column_twice", {"column": column}) for column in columns if names.count(column) > 1]
    if faults:
        error = SheetError("header")
        error.faults = faults
        raise error
    return {column: names.index(column) for column in columns if column in names}


# CSV


def printable(name: str) -> str:
    """A file's name without the characters that cannot be shown."""
    return "".join(character for character in name if character.isprintable())


def check_size(content: bytes) -> None:
    """Raises SheetError."""
    if len(content) > FILE_BYTES:
        raise SheetError("too_large", megabytes=FILE_BYTES // 1024**2)


def decoded(content: bytes, encodings: Sequence[str], no_text: re.Pattern[str]) -> tuple[str, str]:
    """The text, and its encoding: the first of `encodings` that fits. Raises SheetError, for an empty file too.

    A file in which `no_text` is found is not a text. UTF-8 fits little else; Windows-1251 fits nearly any bytes.
    """
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if no_text.search(text):
            break
        if not text.strip():
            raise SheetError("empty")
        return text, encoding.removesuffix("-sig")
    raise SheetError("no_table")


def csv_rows(text: str, delimiters: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line that it begins in. Raises SheetError.

    The delimiter is the one of `delimiters` that the first line has most of.
    """
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(delimiters, key=first.count), strict=True)
    number = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield number, cells
            number = reader.line_num + 1
    except csv.Error:
        raise SheetError("broken_line", number=number) from None


def _guessed(content: bytes) -> tuple[str, str]:
    """UTF-8, what Excel calls Unicode text, or else Windows-1251, which a Russian Excel writes. Raises SheetError."""
    is_unicode = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return decoded(content, ("utf-16",) if is_unicode else ("utf-8-sig", WINDOWS), CONTROL)


def _csv_rows(text: str, rows_limit: int) -> list[Row]:
    rows: list[Row] = []
    for number, cells in csv_rows(text, DELIMITERS):
        _check_count(rows, rows_limit)
        rows.append(Row(number, [_text(cell) for cell in cells]))
    return rows


# XLSX


def _check_parts(content: bytes) -> None:
    """Before anything is unpacked. Python reads no more of a part than its entry declares. Raises SheetError."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (BadZipFile, ValueError, OSError, NotImplementedError):
        raise SheetError("unreadable_xlsx") from None
    if len(parts) > PARTS_LIMIT or sum(part.file_size for part in parts) > UNPACKED_LIMIT:
        raise SheetError("unpacked_too_large")
    if not any(part.filename == "xl/workbook.xml" for part in parts):
        raise SheetError("no_table")


def _xlsx_rows(content: bytes, rows_limit: int) -> list[Row]:
    """The rows of the first sheet that is not hidden."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
            try:
                return _sheet_rows(_first_sheet(book), rows_limit)
            finally:
                book.close()
    except SheetError:
        raise
    except Exception:  # the library has no error of its own for what a hostile file can hold
        raise SheetError("unreadable_xlsx") from None


def _first_sheet(book: Any) -> Any:
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not sheets:
        raise SheetError("empty")
    sheets[0].reset_dimensions()  # the file claims them, and a wrong claim cuts off columns
    return sheets[0]


def _sheet_rows(sheet: Any, rows_limit: int) -> list[Row]:
    rows: list[Row] = []
    for number, cells in enumerate(sheet.iter_rows(max_col=COLUMNS_LIMIT), 1):
        if number > SHEET_ROWS_LIMIT:
            raise SheetError("unreadable_xlsx")
        row = _xlsx_row(number, cells)
        if any(row.texts):
            _check_count(rows, rows_limit)
            rows.append(row)
    return rows


def _xlsx_row(number: int, cells: Iterable[Any]) -> Row:
    row = Row(number, [])
    for place, cell in enumerate(cells):
        text, mark = _cell(cell)
        row.texts.append(text)
        if mark:
            row.marks[place] = mark
    while row.texts and not row.texts[-1]:
        row.texts.pop()
    return row


def _cell(cell: Any) -> tuple[str, Mark | None]:
    value = cell.value
    match cell.data_type, value:
        case _, None:
            return "", None
        case "f", _:
            return _text(value) if isinstance(value, str) else "=", "formula"
        case "e", _:
            return _text(str(value)), "error"
        case _, bool():
            return str(value).upper(), None
        case _, int() | float():
            return _text(_number(value)), "number"
        case _, datetime() | date() | time():
            return value.isoformat(), None
        case _:
            return _text(str(value)), None


def _number(value: float) -> str:
    """As the file has it: 1000.1, never 1000.10000000000002 and never 1e+16."""
    if isinstance(value, int):
        return str(value)
    exact = Decimal(repr(value))
    return str(int(value)) if exact.is_finite() and exact == exact.to_integral_value() else format(exact, "f")


def _text(text: str) -> str:
    """The text, cut just beyond the limit: a check still sees that it is too long, and it is not copied about."""
    return TOO_LONG if len(text) > CELL_LIMIT + 1 else text.strip()


def _check_count(rows: list[Row], rows_limit: int) -> None:
    """Raises SheetError. The first row is the header."""
    if len(rows) > rows_limit:
        raise SheetError("too_many_rows", limit=rows_limit)
