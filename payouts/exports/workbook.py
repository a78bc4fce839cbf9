"""An export's XLSX, made in memory: nothing of it reaches the disk in clear."""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from xlsxwriter import Workbook

from payouts import money
from payouts.exports.cells import Cell
from payouts.files.tables import EXACT_DIGITS

# XML has no such characters.
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Book:
    """One sheet, to which rows are appended: numbers where a spreadsheet keeps them exactly, texts elsewhere.

    Never a formula, an error or a date.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._file = io.BytesIO()
        self._book = Workbook(self._file, {"in_memory": True})
        self._sheet = self._book.add_worksheet("payouts")
        self._sheet.freeze_panes(1, 0)
        self._decimals: dict[int, Any] = {}
        self._rows = 0
        self.append(header)

    def append(self, cells: Sequence[Cell]) -> None:
        for place, cell in enumerate(cells):
            match cell:
                case Decimal() if len(cell.as_tuple().digits) <= EXACT_DIGITS:
                    # As a Decimal: as a float 9.95 would be written as 9.949999999999999.
                    self._sheet.write_number(self._rows, place, cell, self._format(cell))
                case Decimal():
                    self._sheet.write_string(self._rows, place, money.plain(cell))
                case int() if cell < 10**EXACT_DIGITS:
                    self._sheet.write_number(self._rows, place, cell)
                case None | "":
                    continue
                case _:
                    self._sheet.write_string(self._rows, place, ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", str(cell)))
        self._rows += 1

    def content(self) -> bytes:
        """The whole file; nothing can be appended any more."""
        self._book.close()
        return self._file.getvalue()

    def _format(self, amount: Decimal) -> Any:
        exponent = amount.as_tuple().exponent
        decimals = max(0, -exponent) if isinstance(exponent, int) else 0
        if decimals not in self._decimals:
            self._decimals[decimals] = self._book.add_format(
                {"num_format": f"0.{'0' * decimals}" if decimals else "0"}
            )
        return self._decimals[decimals]
