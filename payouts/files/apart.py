"""A file is read apart: by a process of its own, which is killed when it takes too long (child.py).

Whatever is in the file, it costs us neither memory nor time nor a thread that does something else. The process has
none of our keys and settings, and nothing of the file reaches the disk.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGXCPU
from threading import Timer
from typing import IO

import msgspec
import structlog

from payouts.files.rows import Row, SheetError
from payouts.files.wire import CPU_SECONDS, DEADLINE_SECONDS, MESSAGE_BYTES, Head, Kind, SentRow

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parents[2]
_head = msgspec.msgpack.Decoder(Head)
_rows = msgspec.msgpack.Decoder(list[SentRow])


class ReaderError(SheetError):
    """The process that read the file ended without a word, or was killed: the machine's fault, or the file's."""


class Table:
    """A file's rows, of which the first is the header; they are taken in order, while the context lasts."""

    def __init__(self, header: Row, rows: Iterator[Row], total: int) -> None:
        self.header = header
        self.total = total  # without the header
        self._rows = rows
        self._taken = 0

    def take(self, start: int, count: int) -> list[Row]:
        """`count` rows from `start` on, fewer at the end. What stood before them can be taken no more."""
        found = []
        for row in self._rows:
            self._taken += 1
            if self._taken > start:
                found.append(row)
            if self._taken >= start + count:
                break
        return found


@contextmanager
def opened(content: bytes, kind: Kind, *, rows_limit: int) -> Iterator[Table]:
    """The table that the file holds. Raises SheetError, and ReaderError when it could not be read to its end."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, *_arguments(kind, rows_limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    killer = Timer(DEADLINE_SECONDS, process.kill)
    killer.daemon = True
    killer.start()
    try:
        with suppress(BrokenPipeError):
            _input(process).write(content)
            _input(process).close()
        head = _decoded(_head, _message(process))
        killer.cancel()
        if head.faults:
            error = SheetError(head.faults[0][0])
            error.faults = list(head.faults)
            raise error
        rows = _sent(process, head.rows)
        header = next(rows)
        yield Table(header, rows, head.rows - 1)
    finally:
        killer.cancel()
        process.kill()
        with suppress(BrokenPipeError):
            _input(process).close()
        _output(process).close()
        process.wait()


def _arguments(kind: Kind, rows_limit: int) -> list[str]:
    return ["-s", "-B", "-m", "payouts.files.child", kind.value, str(rows_limit)]


def _sent(process: subprocess.Popen[bytes], total: int) -> Iterator[Row]:
    left = total
    while left > 0:
        some = _decoded(_rows, _message(process))
        left -= len(some)
        for number, texts, marks in some:
            yield Row(number, texts, marks)


def _decoded[Sent](decoder: msgspec.msgpack.Decoder[Sent], message: bytes) -> Sent:
    """Raises ReaderError."""
    try:
        return decoder.decode(message)
    except msgspec.DecodeError:
        raise ReaderError("reader_ended") from None


def _message(process: subprocess.Popen[bytes]) -> bytes:
    """Raises SheetError and ReaderError."""
    length = int.from_bytes(_output(process).read(4))
    message = _output(process).read(length) if 0 < length <= MESSAGE_BYTES else b""
    if length and len(message) == length:
        return message
    process.kill()
    code = process.wait()
    log.warning("file_reader_ended", code=code)
    if code == -SIGXCPU:
        raise SheetError("too_much_work", seconds=CPU_SECONDS)
    raise ReaderError("reader_ended")


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin
    return process.stdin


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout
    return process.stdout
