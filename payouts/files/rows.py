"""What a table's file is read into, the caps that hold for every format, and the error that names one.

Without Django: a file is read by a process of its own that has nothing else to do (child.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

CELL_LIMIT = 1_000
TOO_LONG = "…" * (CELL_LIMIT + 1)  # stands for every text that is too long
# An XLSX's columns beyond them are not read; a CSV's line with many more is refused.
COLUMNS_LIMIT = 50
# Of all cells together: a few lines of an XLSX can refer to one long text a million times.
CHARACTERS_LIMIT = 64_000_000

type Mark = Literal["formula", "error", "number"]


class SheetError(Exception):
    """The file is not a table. `faults` are codes with parameters, which tables.SENTENCES has in words."""

    def __init__(self, code: str, **parameters: object) -> None:
        super().__init__(code)
        self.faults: list[tuple[str, dict[str, object]]] = [(code, parameters)]


@dataclass(slots=True)
class Row:
    """A row that is not blank: `number` is its line in the file, from 1, and `marks` go by the cell's place."""

    number: int
    texts: list[str]
    marks: dict[int, Mark] = field(default_factory=dict)


def cut(text: str) -> str:
    """The text, cut just beyond the limit: a check still sees that it is too long, and it is not copied about."""
    return TOO_LONG if len(text) > CELL_LIMIT + 1 else text.strip()


def counted(rows: Iterable[Row], rows_limit: int) -> Iterator[Row]:
    """The rows. Raises SheetError for more than `rows_limit` under the header, and for too much text in all."""
    characters = 0
    for count, row in enumerate(rows):
        if count > rows_limit:
            raise SheetError("too_many_rows", limit=rows_limit)
        characters += sum(map(len, row.texts))
        if characters > CHARACTERS_LIMIT:
            raise SheetError("too_much_text", millions=CHARACTERS_LIMIT // 1_000_000)
        yield row
