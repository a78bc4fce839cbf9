"""What the process that reads a file may use, and how it tells what it has read."""

from enum import StrEnum
from typing import Any

import msgspec

from payouts.files.rows import Mark

MEMORY_BYTES = 512 * 1024**2
CPU_SECONDS = 15
# On a busy machine, with NICENESS, they take longer.
DEADLINE_SECONDS = 40.0
NICENESS = 10
ROWS_AT_ONCE = 500
# Of one message: each has a header, 500 rows or 50 cells of a row, and no cell is longer than CELL_LIMIT.
MESSAGE_BYTES = 256 * 1024**2


class Kind(StrEnum):
    TABLE = "table"  # a CSV in any spelling, or an XLSX
    PLAIN = "plain"  # a CSV in UTF-8, its cells as they are


class Head(msgspec.Struct, array_like=True):
    """How many rows follow, the header included, or why none does."""

    rows: int = 0
    faults: list[tuple[str, dict[str, Any]]] = []


type SentRow = tuple[int, list[str], dict[int, Mark]]
