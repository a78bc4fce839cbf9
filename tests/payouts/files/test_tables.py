"""Tables that people upload: every honest spelling is read exactly, and a hostile file is refused in bounded work."""

import io
import os
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from payouts.files import apart, formats, tables
from payouts.files.limits import FILE_BYTES
from payouts.files.rows import CELL_LIMIT, Row, SheetError
from tests.payouts.files import hostile
from tests.payouts.files.hostile import packed, sheet, xlsx

HEADER = ["a", "b"]


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


def read(content: bytes, rows_limit: int = 100) -> list[Row]:
    with tables.opened(content, rows_limit=rows_limit) as table:
        return [table.header, *table.take(0, table.total)]


def texts(content: bytes) -> list[list[str]]:
    return [row.texts for row in read(content)]


def fault(content: bytes, rows_limit: int = 100) -> str:
    with pytest.raises(SheetError) as refusal:
        read(content, rows_limit)
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
    assert [formats.look("a;б".encode(name)) for name in ("utf-8", "cp1251", "utf-16")] == [
        ("csv", "utf-8"),
        ("csv", "cp1251"),
        ("csv", "utf-16"),
    ]


def test_a_row_is_numbered_as_an_editor_numbers_it() -> None:
    rows = read(b'a;b\n\n"x\ny";1\nz;2\n', 100)

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
    row = read(xlsx(HEADER, [5, "=SUM(A1:A2)", "#REF!", "5", True]), 100)[1]

    assert row.marks == {0: "number", 1: "formula", 2: "error"}
    assert row.texts == ["5", "=SUM(A1:A2)", "#REF!", "5", "TRUE"]


def test_rows_of_an_xlsx_have_the_numbers_that_excel_shows() -> None:
    rows = read(xlsx([], HEADER, [], ["x", "y"]), 100)

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
    assert fault(with_sheet(sheet(""), **{f"xl/{each}.xml": b"" for each in range(500)})) == "too_many_parts"


@pytest.mark.parametrize(
    "xml",
    [
        sheet("<row><c t='inlineStr'><is><t>&a;</t></is></c></row>", '<!DOCTYPE a [<!ENTITY a "aaaa">]>'),
        sheet(
            "<row><c t='inlineStr'><is><t>&a;</t></is></c></row>",
            '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        ),
        sheet("<row r='2'/><row r='1'><c><v>1</v></c></row>"),
        sheet("<row><c r='B1'><v>1</v></c><c r='A1'><v>2</v></c></row>"),
        sheet("<row><c r='A1'><v>1</v></c><c r='A1'><v>2</v></c></row>"),
        sheet("<row><c t='s'><v>77</v></c></row>"),
        sheet("<row><c><v>one</v></c></row>"),
        sheet("<row>"),
        "no xml",
    ],
)
def test_a_hostile_sheet_is_unreadable(xml: str) -> None:
    assert fault(with_sheet(xml)) == "unreadable_xlsx"


def test_a_row_more_than_the_limit_is_refused_in_both_formats() -> None:
    lines = [HEADER, *([str(each), "x"] for each in range(11))]

    as_csv = "\n".join(";".join(line) for line in lines).encode()

    assert (fault(as_csv, rows_limit=10), fault(xlsx(*lines), rows_limit=10)) == ("too_many_rows",) * 2
    assert len(read(as_csv, 11)) == 12


def test_a_cell_is_cut_just_beyond_what_any_column_takes() -> None:
    ((_a, long),) = texts(xlsx(["a", "x" * 32_000]))

    assert len(long) == CELL_LIMIT + 1


@pytest.mark.parametrize("name", hostile.FILES)
def test_a_hostile_file_is_refused_and_the_cap_named(name: str) -> None:
    make, code = hostile.FILES[name]

    content = make()

    assert len(content) < FILE_BYTES
    assert fault(content, 50_000) == code
    assert code in tables.SENTENCES


def test_very_many_shared_strings_are_refused() -> None:
    strings = iter([b"<sst>", *[b"<si/>" * 100_000 + os.urandom(25_000).hex().encode()] * 26, b"</sst>"])
    parts = {hostile.STRINGS: strings, hostile.RELATIONS: iter([hostile.WITH_STRINGS.encode()])}

    assert fault(packed(parts)) == "too_many_cells"


def test_a_csv_beyond_a_cap_is_refused_and_the_cap_named() -> None:
    assert fault(b"a;b\n" + b";" * 2_000 + b"1") == "too_many_fields"
    assert fault(b'a;b\n"' + b"x;" * 600_000 + b'"') == "line_too_long"


def test_a_directory_of_very_many_parts_is_not_read() -> None:
    content = bytearray(xlsx(HEADER))
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (10**6).to_bytes(4, "little")

    assert fault(bytes(content)) == "too_many_parts"


def test_days_and_times_are_told_from_numbers_by_their_format() -> None:
    days = [datetime(2026, 1, 14, 9, 30), date(2026, 1, 14), time(9, 30), datetime(1900, 2, 1)]

    assert texts(xlsx(HEADER, days))[1] == [
        "2026-01-14T09:30:00",
        "2026-01-14T00:00:00",
        "09:30:00",
        "1900-02-01T00:00:00",
    ]


def test_rich_text_is_read_whole_and_its_pronunciation_left_out() -> None:
    cell = "<c t='inlineStr'><is><r><t>Иван </t></r><r><t>Петров</t></r><rPh><t>x</t></rPh></is></c>"

    assert texts(with_sheet(sheet(f"<row>{cell}</row>"))) == [["Иван Петров"]]


def test_a_sheet_whose_names_have_a_prefix_is_read() -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    row = "<x:row><x:c><x:v>7</x:v></x:c></x:row>"
    xml = f'<x:worksheet xmlns:x="{space}"><x:sheetData>{row}</x:sheetData></x:worksheet>'

    assert texts(with_sheet(xml)) == [["7"]]


def test_rows_are_taken_in_order_from_where_they_are_asked_for() -> None:
    content = b"a\n" + b"".join(b"%d\n" % each for each in range(2_000))

    with tables.opened(content, rows_limit=2_000) as table:
        first, later = table.take(0, 2), table.take(1_500, 600)

    assert ([row.texts for row in first], table.total) == ([["0"], ["1"]], 2_000)
    assert [later[0].texts, later[-1].texts, len(later)] == [["1500"], ["1999"], 500]


# The process that reads


HOSTILE = """
import os, socket, sys, time
from payouts.files import child
def hostile(content, kind):
    {body}
child._rows = hostile
child.CPU_SECONDS = 1
child.main()
"""


@pytest.fixture
def hostile_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs this body in place of the reader, as a file might if it found a fault in it."""

    def install(body: str) -> None:
        (tmp_path / "hostile.py").write_text(HOSTILE.format(body=body.replace("\n", "\n    ")))
        arguments = ["-s", "-B", str(tmp_path / "hostile.py"), "table", "10"]
        monkeypatch.setattr(apart, "_arguments", lambda _kind, _rows_limit: arguments)

    return install


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("yield child.Row(1, ['x' * 700_000_000])", "too_much_memory"),
        ("os._exit(3)\nyield", "reader_ended"),
        ("while True: pass\nyield", "too_much_work"),
        ("time.sleep(60)\nyield", "reader_ended"),
        ("sys.stdout.buffer.write(b'no message')\nsys.stdout.flush()\nyield", "reader_ended"),
        ("sys.stdout.buffer.write(b'\\x00\\x00\\x00\\x01x')\nsys.stdout.flush()\nyield", "reader_ended"),
    ],
    ids=["memory", "dead", "busy", "asleep", "too long", "nonsense"],
)
def test_a_reader_that_goes_astray_costs_a_sentence(
    body: str, code: str, hostile_child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "DEADLINE_SECONDS", 30.0 if code == "too_much_work" else 3.0)
    hostile_child(body)

    assert fault(b"a;b\n") == code


def test_the_reader_can_open_nothing_and_knows_none_of_our_secrets(hostile_child: Any) -> None:
    hostile_child(
        "found = []\n"
        "for reach in (lambda: open('/etc/passwd'), lambda: open('/tmp/x', 'w'), socket.socket, os.pipe):\n"
        "    try: reach(); found.append('reached')\n"
        "    except OSError as error: found.append('closed')\n"
        "yield child.Row(1, [*found, *sorted(set(os.environ) - {'LC_CTYPE'})])"
    )

    assert texts(b"a;b\n") == [["closed"] * 4 + ["PYTHONPATH", "PYTHONUTF8"]]
