"""Tables that people upload: every honest spelling is read exactly, and a hostile file is refused in bounded work."""

import io
import zipfile
from typing import Any

import pytest
from openpyxl import Workbook

from payouts.files import tables
from payouts.files.limits import FILE_BYTES
from payouts.files.tables import SheetError

HEADER = ["a", "b"]


def xlsx(*rows: list[Any]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def with_sheet(xml: str, **parts: bytes) -> bytes:
    """An XLSX whose only sheet is this text, and with other parts put in by name."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(HEADER))) as whole, zipfile.ZipFile(content, "w") as made:
        for part in whole.infolist():
            is_sheet = part.filename == "xl/worksheets/sheet1.xml"
            made.writestr(part.filename, xml if is_sheet else whole.read(part))
        for name, body in parts.items():
            made.writestr(name, body)
    return content.getvalue()


def sheet(rows: str, prologue: str = "") -> str:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?>{prologue}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'


def texts(content: bytes) -> list[list[str]]:
    return [row.texts for row in tables.read(content, rows_limit=100)]


def fault(content: bytes, rows_limit: int = 100) -> str:
    with pytest.raises(SheetError) as refusal:
        tables.read(content, rows_limit=rows_limit)
    ((code, _parameters),) = refusal.value.faults
    return code


@pytest.mark.parametrize(
    "content",
    [
        "a;b\nИван;1,5\n".encode(),
        "\ufeffa;b\r\nИван;1,5\r\n".encode(),
        "a;b\nИван;1,5\n".encode("cp1251"),
        "a\tb\r\nИван\t1,5\r\n".encode("utf-16"),
        'a,b\n"Иван","1,5"\n'.encode(),
        "\n;\na;b\n\n Иван ; 1,5 \n".encode(),
    ],
)
def test_a_csv_is_read_in_every_spelling(content: bytes) -> None:
    assert texts(content) == [HEADER, ["Иван", "1,5"]]


def test_the_encoding_that_was_guessed_is_told() -> None:
    assert [tables.look("a;б".encode(name)) for name in ("utf-8", "cp1251", "utf-16")] == [
        ("csv", "utf-8"),
        ("csv", "cp1251"),
        ("csv", "utf-16"),
    ]


def test_a_row_is_numbered_as_an_editor_numbers_it() -> None:
    rows = tables.read(b'a;b\n\n"x\ny";1\nz;2\n', rows_limit=100)

    assert [row.number for row in rows] == [1, 3, 5]


def test_numbers_of_an_xlsx_are_spelled_as_exactly_as_the_file_has_them() -> None:
    values = ["1000.1", "0.30000000000000004", "1E+15", "4111111111111111", "-5", "1.0", "1E-07", "4.2E3"]
    cells = "".join(f"<c><v>{value}</v></c>" for value in values)

    assert texts(with_sheet(sheet(f"<row>{cells}</row>"))) == [
        ["1000.1", "0.30000000000000004", "1000000000000000", "4111111111111111", "-5", "1", "0.0000001", "4200"]
    ]


def test_texts_of_an_xlsx_stay_as_they_are() -> None:
    assert texts(xlsx(HEADER, ["0012", " 1 000,50 "]))[1] == ["0012", "1 000,50"]


def test_numbers_and_formulas_and_errors_are_marked() -> None:
    row = tables.read(xlsx(HEADER, [5, "=SUM(A1:A2)", "#REF!", "5", True]), rows_limit=100)[1]

    assert row.marks == {0: "number", 1: "formula", 2: "error"}
    assert row.texts == ["5", "=SUM(A1:A2)", "#REF!", "5", "TRUE"]


def test_rows_of_an_xlsx_have_the_numbers_that_excel_shows() -> None:
    rows = tables.read(xlsx([], HEADER, [], ["x", "y"]), rows_limit=100)

    assert [(row.number, row.texts) for row in rows] == [(2, HEADER), (4, ["x", "y"])]


def test_a_wrong_dimension_cuts_off_nothing() -> None:
    cells = "".join(f'<c r="{place}1" t="inlineStr"><is><t>{place}</t></is></c>' for place in "AC")
    xml = sheet(f'<row r="1">{cells}</row>').replace("<sheetData>", '<dimension ref="A1:A1"/><sheetData>')

    assert texts(with_sheet(xml)) == [["A", "", "C"]]


def test_a_hidden_sheet_is_passed_over() -> None:
    book = Workbook()
    assert book.active is not None
    book.active.append(["hidden"])
    book.active.sheet_state = "hidden"
    book.create_sheet("Payouts").append(HEADER)
    content = io.BytesIO()
    book.save(content)

    assert texts(content.getvalue()) == [HEADER]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"a;b\nx\0;1\n", "no_table"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no_table"),
        (b"%PDF-1.7 \x98\x01", "no_table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old workbook", "old_excel"),
        (b'a;b\n"x;1\n', "broken_line"),
        (b"a;b\n" + b"x" * 200_000 + b";1\n", "broken_line"),
        (b"PK\x03\x04 and nothing", "unreadable_xlsx"),
        (xlsx(), "empty"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, code: str) -> None:
    assert fault(content) == code


def test_a_zip_of_something_else_is_no_table() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")

    assert fault(content.getvalue()) == "no_table"


def test_a_file_beyond_the_size_is_not_looked_into() -> None:
    assert fault(b"a;b\n" + b"x;1\n" * (FILE_BYTES // 4)) == "too_large"


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for _each in range(101):
                part.write(b" " * 1024**2)

    assert len(content.getvalue()) < 1024**2
    assert fault(content.getvalue()) == "unpacked_too_large"


def test_many_parts_are_refused() -> None:
    assert fault(with_sheet(sheet(""), **{f"xl/{each}.xml": b"" for each in range(500)})) == "unpacked_too_large"


@pytest.mark.parametrize(
    "xml",
    [
        sheet("<row><c t='inlineStr'><is><t>&a;</t></is></c></row>", '<!DOCTYPE a [<!ENTITY a "aaaa">]>'),
        sheet(
            "<row><c t='inlineStr'><is><t>&a;</t></is></c></row>",
            '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        ),
        sheet("<row r='99999999999'><c><v>1</v></c></row>"),
        sheet("<row><c t='s'><v>77</v></c></row>"),
        sheet("<row><c><v>one</v></c></row>"),
        sheet("<row>"),
        "no xml",
    ],
)
def test_a_hostile_sheet_is_unreadable(xml: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHEET_ROWS_LIMIT", 20_000)  # a million rows that are not there take seconds
    assert fault(with_sheet(xml)) == "unreadable_xlsx"


def test_a_row_more_than_the_limit_is_refused_in_both_formats() -> None:
    lines = [HEADER, *([str(each), "x"] for each in range(11))]

    as_csv = "\n".join(";".join(line) for line in lines).encode()

    assert (fault(as_csv, rows_limit=10), fault(xlsx(*lines), rows_limit=10)) == ("too_many_rows",) * 2
    assert len(tables.read(as_csv, rows_limit=11)) == 12


def test_a_cell_is_cut_just_beyond_what_any_column_takes() -> None:
    ((_a, long),) = texts(xlsx(["a", "x" * 32_000]))

    assert len(long) == tables.CELL_LIMIT + 1
