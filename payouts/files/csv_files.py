"""CSV files, read line by line."""

import csv
import io
import re
from collections.abc import Iterator, Sequence

from payouts.files.rows import Row, SheetError, cut

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
DELIMITERS = ";,\t"
NUL = re.compile(r"\x00")
PLAIN_DELIMITERS = ",;"
WINDOWS = "cp1251"
FIELDS_LIMIT = 1_000
LINE_LIMIT = 1_000_000


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


def guessed(content: bytes) -> tuple[str, str]:
    """UTF-8, what Excel calls Unicode text, or else Windows-1251, which a Russian Excel writes. Raises SheetError."""
    is_unicode = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return decoded(content, ("utf-16",) if is_unicode else ("utf-8-sig", WINDOWS), CONTROL)


def rows(content: bytes) -> Iterator[Row]:
    """The rows that are not blank, of a file whose encoding is guessed. Raises SheetError."""
    for number, cells in lines(guessed(content)[0], DELIMITERS):
        yield Row(number, [cut(cell) for cell in cells])


def plain(content: bytes) -> Iterator[Row]:
    """The rows that are not blank, of a file in UTF-8 with commas or semicolons, their cells as they are."""
    for number, cells in lines(decoded(content, ("utf-8-sig",), NUL)[0], PLAIN_DELIMITERS):
        yield Row(number, cells)


def lines(text: str, delimiters: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line that it begins in. Raises SheetError.

    The delimiter is the one of `delimiters` that the first line has most of.
    """
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(_short(text), delimiter=max(delimiters, key=first.count), strict=True)
    number = 1
    try:
        for cells in reader:
            if len(cells) > FIELDS_LIMIT:
                raise SheetError("too_many_fields", number=number, limit=FIELDS_LIMIT)
            if any(cell.strip() for cell in cells):
                yield number, cells
            number = reader.line_num + 1
    except csv.Error:
        raise SheetError("broken_line", number=number) from None


def _short(text: str) -> Iterator[str]:
    """The text's lines. Raises SheetError for one that is too long: the csv module would take it apart whole."""
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > LINE_LIMIT:
            raise SheetError("line_too_long", number=number, limit=LINE_LIMIT)
        yield line
