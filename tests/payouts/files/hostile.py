"""XLSX files, small to upload, each of which is too much of something once it is read."""

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from openpyxl import Workbook

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
HEADER = ["user_id", "amount", "currency", "kind", "account"]
WITH_STRINGS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="{kind}/worksheet" Target="worksheets/sheet1.xml"/>'
    '<Relationship Id="rId9" Type="{kind}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
).format(kind="http://schemas.openxmlformats.org/officeDocument/2006/relationships")


def xlsx(*rows: list[Any]) -> bytes:
    """An honest one."""
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def packed(parts: dict[str, Iterator[bytes]]) -> bytes:
    """One with these parts, however large they are unpacked."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx(HEADER))) as whole,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for part in whole.infolist():
            if part.filename not in parts:
                made.writestr(part.filename, whole.read(part))
        for name, chunks in parts.items():
            with made.open(name, "w") as part_file:
                for chunk in chunks:
                    part_file.write(chunk)
    return content.getvalue()


def sheet(rows: str, prologue: str = "") -> str:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?>{prologue}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'


def of_rows(rows: bytes, times: int = 1, *, noise: int = 0, **parts: Iterator[bytes]) -> bytes:
    """The same rows again and again, each time with so much that cannot be packed: then the ratio looks honest."""
    before, after = sheet("|").encode().split(b"|")
    comments = (f"<!--{os.urandom(noise // 2).hex()}-->".encode() if noise else b"" for _each in range(times))
    return packed({SHEET: iter([before, *(rows + comment for comment in comments), after])} | parts)


def one_text_again_and_again() -> bytes:
    strings = f"<sst><si><t>{'x' * 1_000}</t></si></sst>".encode()
    row = b"<row>" + b"<c t='s'><v>0</v></c>" * 50 + b"</row>"
    parts = {STRINGS: iter([strings]), RELATIONS: iter([WITH_STRINGS.encode()])}
    return of_rows(row * 500, 3, noise=20_000, **parts)


# Each with the cap that it meets.
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "12 million empty rows in 100 KB": (lambda: of_rows(b"<row/>" * 100_000, 129), "too_many_rows"),
    "90 MB of blanks in 90 KB": (lambda: of_rows(b" " * 1_000_000, 90), "packed_too_tightly"),
    "20 million cells": (
        lambda: of_rows(b"<row><c/><c/><c/><c/></row>" * 10_000, 300, noise=20_000),
        "too_many_cells",
    ),
    "one long text in every cell": (one_text_again_and_again, "too_much_text"),
    "elements within elements": (lambda: of_rows(b"<row>" + b"<x>" * 50 + b"</x>" * 50 + b"</row>"), "too_deep"),
    "a row beyond every sheet": (lambda: of_rows(b"<row r='99999999999'><c><v>1</v></c></row>"), "too_many_rows"),
}
