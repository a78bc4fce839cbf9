"""Which format a file has, found at little cost."""

from typing import Literal

from payouts.files import csv_files, xlsx_files
from payouts.files.limits import FILE_BYTES
from payouts.files.rows import SheetError

type Format = Literal["csv", "xlsx"]

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def look(content: bytes) -> tuple[Format, str]:
    """The file's format, and the encoding of a CSV. Raises SheetError."""
    check_size(content)
    if not content.strip():
        raise SheetError("empty")
    if content.startswith(OLE):
        raise SheetError("old_excel")
    if content.startswith(ZIP):
        xlsx_files.check_parts(content)
        return "xlsx", ""
    _text, encoding = csv_files.guessed(content)
    return "csv", encoding


def check_size(content: bytes) -> None:
    """Raises SheetError."""
    if len(content) > FILE_BYTES:
        raise SheetError("too_large", megabytes=FILE_BYTES // 1024**2)
