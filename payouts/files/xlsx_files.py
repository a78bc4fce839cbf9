"""XLSX files: the first sheet that is not hidden, read while it is unpacked, with every cap of it.

No library fits. openpyxl walks through whatever rows a file claims, which made 111 KB cost minutes; python-calamine
lays out the whole sheet, so that two cells in opposite corners end the process, and does not tell a formula from a
value. The parser is expat, which comes with Python; a document type, and with it every entity, is refused.

A cell's number is spelled exactly as the file has it; a formula or an error is marked (ECMA-376, part 1, 18.3.1).
"""

import io
import posixpath
import re
import string
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from xml.parsers.expat import ParserCreate
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from payouts.files.rows import CELL_LIMIT, COLUMNS_LIMIT, Mark, Row, SheetError, cut

UNPACKED_LIMIT = 100 * 1024 * 1024
PARTS_LIMIT = 500
DIRECTORY_LIMIT = 256 * 1024  # the archive's list of its parts
# A sheet of equal rows unpacks to some fifty times its size.
RATIO_LIMIT = 200
RATIO_COUNTS_FROM = 4 * 1024 * 1024
DEPTH_LIMIT = 32
CELLS_LIMIT = 2_500_000
# As many as Excel has; a file may claim any number.
SHEET_ROWS_LIMIT = 1_048_576
CHUNK = 64 * 1024

WORKBOOK = "xl/workbook.xml"
NUMBER = re.compile(r"[-+]?[0-9]{1,400}(?P<rest>(?:\.[0-9]{0,400})?(?:[eE][-+]?[0-9]{1,3})?)")
# Numbers that mean a day or a time: those formats of Excel's own, and others by their letters.
DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
NO_LETTERS = re.compile(r'".*?"|\[(?!hh?\]|mm?\]|ss?\])[^\]]*\]')
DATE_LETTERS = re.compile(r"(?<![_\\])[dmhysDMHYS]")

type Attributes = dict[str, str]


def check_parts(content: bytes) -> None:
    """Raises SheetError for what is no XLSX, before anything is unpacked."""
    with _opened(content):
        pass


def rows(content: bytes) -> Iterator[Row]:
    """The rows that are not blank, as far as they are read. Raises SheetError."""
    with _opened(content) as archive:
        try:
            yield from _rows(_Parts(archive))
        except (SheetError, MemoryError):
            raise
        except Exception:  # a hostile file breaks any rule
            raise SheetError("unreadable_xlsx") from None


def _opened(content: bytes) -> ZipFile:
    try:
        end = content.rfind(b"PK\x05\x06")
        if end >= 0 and int.from_bytes(content[end + 12 : end + 16], "little") > DIRECTORY_LIMIT:
            raise SheetError("too_many_parts", limit=PARTS_LIMIT)
        archive = ZipFile(io.BytesIO(content))
    except (BadZipFile, ValueError, OSError, NotImplementedError):
        raise SheetError("unreadable_xlsx") from None
    parts = archive.infolist()
    if len(parts) > PARTS_LIMIT:
        raise SheetError("too_many_parts", limit=PARTS_LIMIT)
    if len({part.filename for part in parts}) < len(parts):  # which of two would Excel show?
        raise SheetError("unreadable_xlsx")
    if sum(part.file_size for part in parts) > UNPACKED_LIMIT:
        raise SheetError("unpacked_too_large", megabytes=UNPACKED_LIMIT // 1024**2)
    if not any(part.filename == WORKBOOK for part in parts):
        raise SheetError("no_table")
    return archive


class _Parts:
    """The archive's parts, parsed while they are unpacked."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive

    def parse(self, name: str, listener: "_Listener") -> Iterator[None]:
        """Tell the listener of the part, and stop after each of its chunks. Raises SheetError and expat's errors."""
        part = self._archive.getinfo(name)
        if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise SheetError("unreadable_xlsx")
        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = listener.begin
        parser.EndElementHandler = listener.end
        parser.CharacterDataHandler = listener.characters
        parser.StartDoctypeDeclHandler = _refuse_doctype
        unpacked = 0
        with self._archive.open(part) as file:
            while chunk := file.read(CHUNK):
                unpacked += len(chunk)
                if unpacked > RATIO_COUNTS_FROM and unpacked > RATIO_LIMIT * part.compress_size:
                    raise SheetError("packed_too_tightly", limit=RATIO_LIMIT)
                parser.Parse(chunk, False)
                yield
        parser.Parse(b"", True)
        yield

    def has(self, name: str) -> bool:
        return name in self._archive.NameToInfo


def _refuse_doctype(*_args: Any) -> None:
    raise SheetError("unreadable_xlsx")


class _Listener:
    """Follows a part's elements, by their names without a namespace, down to DEPTH_LIMIT."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.text = ""
        self.listens = False

    def begin(self, tag: str, attributes: Attributes) -> None:
        if len(self.path) >= DEPTH_LIMIT:
            raise SheetError("too_deep", limit=DEPTH_LIMIT)
        name = tag.rpartition(":")[2]
        self.path.append(name)
        self.opens(name, attributes)

    def end(self, _tag: str) -> None:
        self.closes(self.path[-1])
        self.path.pop()

    def characters(self, text: str) -> None:
        """Keeps what one cell can hold, and a little more."""
        if self.listens and len(self.text) <= CELL_LIMIT + 1:
            self.text += text

    def opens(self, name: str, attributes: Attributes) -> None: ...

    def closes(self, name: str) -> None: ...


class _Elements(_Listener):
    """Calls a function for each element, with the names above it and its attributes."""

    def __init__(self, tell: Callable[[str, list[str], Attributes], None]) -> None:
        super().__init__()
        self._tell = tell

    def opens(self, name: str, attributes: Attributes) -> None:
        self._tell(name, self.path, attributes)


class _Strings(_Listener):
    """The texts that cells refer to by number, without the pronunciation that may stand beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def opens(self, name: str, attributes: Attributes) -> None:
        if name == "si":
            if len(self.found) >= CELLS_LIMIT:
                raise SheetError("too_many_cells", limit=CELLS_LIMIT)
            self.text = ""
        self.listens = name == "t" and "rPh" not in self.path

    def closes(self, name: str) -> None:
        self.listens = False
        if name == "si":
            self.found.append(cut(self.text))


class _Sheet(_Listener):
    """Collects the rows of a sheet in `found`, whence they are taken. Called for each element of millions."""

    def __init__(self, strings: list[str], formats: "_Formats") -> None:
        super().__init__()
        self.found: list[Row] = []
        self._strings = strings
        self._formats = formats
        self._depth = self._cells = 0
        self._is_in_data = False
        self._row = Row(0, [])
        self._attributes: Attributes = {}
        self._formula: str | None = None
        self._value = self._part = ""
        self._spoken_at = 0  # how deep the pronunciation begins, which is not read

    def begin(self, tag: str, attributes: Attributes) -> None:
        self._depth = depth = self._depth + 1
        if depth > DEPTH_LIMIT:
            raise SheetError("too_deep", limit=DEPTH_LIMIT)
        name = tag if ":" not in tag else tag.rpartition(":")[2]
        if not self._is_in_data:
            self._is_in_data = depth == 2 and name == "sheetData"
        elif depth == 5:
            self._part, self.text, self.listens = name, "", name in ("v", "f")
        elif depth == 4:
            self._cells += 1
            if self._cells > CELLS_LIMIT:
                raise SheetError("too_many_cells", limit=CELLS_LIMIT)
            self._attributes, self._formula, self._value = attributes, None, ""
        elif depth == 3:
            self._row = Row(self._number(attributes), [])
        elif self._part == "is":
            if name == "rPh":
                self._spoken_at = self._spoken_at or depth
            self.listens = name == "t" and not self._spoken_at

    def end(self, tag: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if not self._is_in_data:
            return
        self.listens = False
        if depth == 5:
            if self._part == "f":
                self._formula = self.text
            elif self._part in ("v", "is"):
                self._value = self.text
            self._part = ""
        elif depth == 4:
            if tag.rpartition(":")[2] == "c":
                self._close_cell()
        elif depth == 3:
            self._close_row()
        elif depth == 2:
            self._is_in_data = False
        elif depth == self._spoken_at:
            self._spoken_at = 0

    def _number(self, attributes: Attributes) -> int:
        """The row's number: rows without one follow the last, and none goes back."""
        number = int(attributes["r"]) if "r" in attributes else self._row.number + 1
        if number > SHEET_ROWS_LIMIT:
            raise SheetError("too_many_rows", limit=SHEET_ROWS_LIMIT)
        if number <= self._row.number:
            raise SheetError("unreadable_xlsx")
        return number

    def _close_row(self) -> None:
        texts = self._row.texts
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            self.found.append(self._row)

    def _close_cell(self) -> None:
        texts = self._row.texts
        reference = self._attributes.get("r")
        place = len(texts) if reference is None else _place(reference.rstrip(string.digits))
        if place < len(texts):  # a cell twice, one of which Excel does not show
            raise SheetError("unreadable_xlsx")
        if place >= COLUMNS_LIMIT:
            return
        text, mark = self._cell()
        if mark:
            self._row.marks[place] = mark
        if place > len(texts):
            texts += [""] * (place - len(texts))
        texts.append(text)

    def _cell(self) -> tuple[str, Mark | None]:
        if self._formula is not None:
            return cut(f"={self._formula}"), "formula"
        if not self._value:
            return "", None
        match self._attributes.get("t", "n"):
            case "s":
                return self._strings[int(self._value)], None
            case "e":
                return cut(self._value), "error"
            case "b":
                return str(bool(int(self._value))).upper(), None
            case "n":
                return self._formats.spelled(self._value, self._attributes.get("s", ""))
            case _:  # str, inlineStr, and d, which is a date as text
                return cut(self._value), None


@lru_cache(maxsize=20_000)
def _place(letters: str) -> int:
    """0 for A, 27 for AB."""
    if not 1 <= len(letters) <= 3 or not set(letters) <= set(string.ascii_uppercase):
        raise SheetError("unreadable_xlsx")
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


class _Formats:
    """How a cell's style makes a number a date."""

    def __init__(self) -> None:
        self.epoch = datetime(1899, 12, 30)  # noqa: DTZ001  # a spreadsheet's dates have no zone
        self._own: set[int] = set()
        self._styles: list[int] = []

    def tell(self, name: str, path: list[str], attributes: Attributes) -> None:
        if name == "numFmt" and "numFmts" in path:
            code = NO_LETTERS.sub("", attributes["formatCode"].partition(";")[0])
            if DATE_LETTERS.search(code):
                self._own.add(int(attributes["numFmtId"]))
        elif name == "xf" and path[-2] == "cellXfs":
            self._styles.append(int(attributes.get("numFmtId", "0")))

    def spelled(self, value: str, style: str) -> tuple[str, Mark | None]:
        match = NUMBER.fullmatch(value.strip())
        if match is None:
            raise SheetError("unreadable_xlsx")
        if style and int(style) < len(self._styles):
            format_id = self._styles[int(style)]
            if format_id in self._own or format_id in DATE_FORMATS:
                return self._date(float(value))
        return cut(_number(float(value)) if match["rest"] else str(int(value))), "number"

    def _date(self, days: float) -> tuple[str, Mark | None]:
        """ISO 8601; a time alone for less than a day. Excel counts a 29 February 1900, which there was not."""
        try:
            whole, part = divmod(days, 1)
            rest = timedelta(milliseconds=round(part * 86_400_000))
            if whole == 0 and not rest.days:
                return (self.epoch + rest).time().isoformat(), None
            is_before_march = 0 < days < 60 and self.epoch.year == 1899
            return (self.epoch + timedelta(days=whole + is_before_march) + rest).isoformat(), None
        except (OverflowError, ValueError):
            return "#VALUE!", "error"


def _number(value: float) -> str:
    """As the file has it: 1000.1, never 1000.10000000000002 and never 1e+16."""
    exact = Decimal(repr(value))
    return str(int(value)) if exact == exact.to_integral_value() else format(exact, "f")


def _rows(parts: _Parts) -> Iterator[Row]:
    formats = _Formats()
    sheets: list[str] = []
    targets: dict[str, tuple[str, str]] = {}

    def of_workbook(name: str, path: list[str], attributes: Attributes) -> None:
        if name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            formats.epoch = datetime(1904, 1, 1)  # noqa: DTZ001
        elif name == "sheet" and path[-2:-1] == ["sheets"] and attributes.get("state", "visible") == "visible":
            sheets.extend(target for key, target in attributes.items() if key.endswith(":id"))

    def of_relations(name: str, _path: list[str], attributes: Attributes) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes["Type"].rpartition("/")[2]
            targets[attributes["Id"]] = kind, posixpath.normpath(posixpath.join("/xl", attributes["Target"]))[1:]

    _parse(parts, WORKBOOK, _Elements(of_workbook))
    _parse(parts, "xl/_rels/workbook.xml.rels", _Elements(of_relations))
    by_kind = dict(targets.values())
    names = [targets[each][1] for each in sheets if each in targets and targets[each][0] == "worksheet"]
    if not names:
        return
    strings = _Strings()
    if parts.has(by_kind.get("sharedStrings", "")):
        _parse(parts, by_kind["sharedStrings"], strings)
    if parts.has(by_kind.get("styles", "")):
        _parse(parts, by_kind["styles"], _Elements(formats.tell))
    sheet = _Sheet(strings.found, formats)
    for _chunk in parts.parse(names[0], sheet):
        found, sheet.found = sheet.found, []
        yield from found


def _parse(parts: _Parts, name: str, listener: _Listener) -> None:
    for _chunk in parts.parse(name, listener):
        pass
