"""Tables that people upload, CSV and XLSX, read into rows of texts. Whatever is in the file, reading it is bounded.

A file is read by a process of its own (apart.py, child.py); rows.py and the two formats' modules have the caps.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payouts.files import apart
from payouts.files.apart import Table
from payouts.files.rows import SheetError
from payouts.files.wire import Kind

NAME_LIMIT = 255  # of the file, as it is kept
# Beyond them Excel has rounded the number.
EXACT_DIGITS = 15

SENTENCES: dict[str, Promise] = {
    "too_large": _("The file is larger than %(megabytes)s MB: split it."),
    "empty": _("The file is empty."),
    "old_excel": _("This is a file of an old Excel, or one with a password: save it as XLSX without a password."),
    "no_table": _("This is neither CSV nor XLSX: save the table as CSV UTF-8 or XLSX and try again."),
    "broken_line": _("Line %(number)s cannot be read: a quotation mark is missing, or a field is too long."),
    "line_too_long": _("Line %(number)s has more than %(limit)s characters."),
    "too_many_fields": _("Line %(number)s has more than %(limit)s fields."),
    "unreadable_xlsx": _("The XLSX cannot be read: open it in Excel, save it as a new file and try again."),
    "unpacked_too_large": _("The XLSX unpacks to more than %(megabytes)s MB: split it, or save it as CSV."),
    "packed_too_tightly": _("The XLSX unpacks to more than %(limit)s times its size: save it as CSV."),
    "too_many_parts": _("The XLSX has more than %(limit)s parts: save it as CSV."),
    "too_deep": _("The XLSX is nested more than %(limit)s levels deep: save it as CSV."),
    "too_many_rows": _("The file has more than %(limit)s rows: split it."),
    "too_many_cells": _(
        "The file has more than %(limit)s cells: delete the columns that are not needed, or split it."
    ),
    "too_much_text": _("The file has more than %(millions)s million characters: split it."),
    "too_much_memory": _("Reading the file takes more than %(megabytes)s MB of memory: split it, or save it as CSV."),
    "too_much_work": _("Reading the file takes more than %(seconds)s seconds: split it, or save it as CSV."),
    "reader_ended": _("The file could not be read to its end: try again, and if that does not help, save it as CSV."),
    "column_missing": _("The header has no column “%(column)s”."),
    "column_twice": _("The header has the column “%(column)s” twice."),
}


def filled(sentence: object, parameters: Mapping[str, Any]) -> str:
    """The sentence with its parameters, limits as people write large numbers."""
    limit = {"limit": number_format(parameters["limit"], force_grouping=True)} if "limit" in parameters else {}
    return str(sentence) % {**parameters, **limit}


@contextmanager
def opened(content: bytes, *, rows_limit: int) -> Iterator[Table]:
    """The table in a CSV of any spelling or in an XLSX. Raises SheetError, also for more than `rows_limit` rows."""
    with apart.opened(content, Kind.TABLE, rows_limit=rows_limit) as table:
        yield table


@contextmanager
def opened_plain(content: bytes, *, rows_limit: int) -> Iterator[Table]:
    """The table in a CSV in UTF-8, separated by commas or semicolons. Raises SheetError, also for too many rows."""
    with apart.opened(content, Kind.PLAIN, rows_limit=rows_limit) as table:
        yield table


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


def printable(name: str) -> str:
    """A file's name without the characters that cannot be shown."""
    return "".join(character for character in name if character.isprintable())
