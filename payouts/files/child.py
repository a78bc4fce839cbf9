"""Reads one file, in a process that can do nothing else: `python -m payouts.files.child KIND ROWS_LIMIT`.

The file comes in by its standard input; its rows go out by its standard output, each message after its length. The
first is the number of rows, or the faults for which the file is refused; a list of rows is each that follows. Before
the first byte is read, the process gives up all but its memory: it opens nothing any more, no file and no connection,
writes no file, leaves no memory dump, and ends by itself after MEMORY_BYTES or CPU_SECONDS. apart.py starts it,
without our keys.
"""

import codecs
import os
import resource
import sys
from collections.abc import Iterator

import msgspec

from payouts.files import csv_files, formats, xlsx_files
from payouts.files.rows import Row, SheetError, counted
from payouts.files.wire import CPU_SECONDS, MEMORY_BYTES, NICENESS, ROWS_AT_ONCE, Head, Kind

# A module or an encoding that is needed later could not be opened.
PRELOADED = ("utf-8", "utf-8-sig", "utf-16", "cp1251", "cp437", "idna", "ascii", "latin-1")


def main() -> None:
    kind, rows_limit = Kind(sys.argv[1]), int(sys.argv[2])
    for name in PRELOADED:
        codecs.lookup(name)
    _give_up()
    send = msgspec.msgpack.Encoder().encode
    try:
        messages = _messages(sys.stdin.buffer.read(), kind, rows_limit)
    except SheetError as error:
        messages = [send(Head(faults=error.faults))]
    except MemoryError:
        messages = [send(Head(faults=[("too_much_memory", {"megabytes": MEMORY_BYTES // 1024**2})]))]
    for message in messages:
        sys.stdout.buffer.write(len(message).to_bytes(4))
        sys.stdout.buffer.write(message)
    sys.stdout.buffer.flush()


def _give_up() -> None:
    os.nice(NICENESS)
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        try:
            # At its hard limit of CPU a process is killed without the signal that says why.
            resource.setrlimit(limit, (most, most + 1 if limit == resource.RLIMIT_CPU else most))
        except (OSError, ValueError):  # no system has all of them
            continue


def _messages(content: bytes, kind: Kind, rows_limit: int) -> list[bytes]:
    """Encoded as they are read, which takes a tenth of the memory that rows do. Raises SheetError."""
    encoder = msgspec.msgpack.Encoder()
    messages = [b""]
    total = 0
    some: list[tuple[int, list[str], dict[int, str]]] = []
    for row in counted(_rows(content, kind), rows_limit):
        total += 1
        some.append((row.number, row.texts, {**row.marks}))
        if len(some) == ROWS_AT_ONCE:
            messages.append(encoder.encode(some))
            some = []
    if not total:
        raise SheetError("empty")
    messages[0] = encoder.encode(Head(rows=total))
    if some:
        messages.append(encoder.encode(some))
    return messages


def _rows(content: bytes, kind: Kind) -> Iterator[Row]:
    if kind is Kind.TABLE:
        return xlsx_files.rows(content) if formats.look(content)[0] == "xlsx" else csv_files.rows(content)
    formats.check_size(content)
    return csv_files.plain(content)


if __name__ == "__main__":
    main()
