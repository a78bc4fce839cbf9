"""The programs that `make run` starts, watches and stops, and the signals by which a person stops it."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from backoffice.local import ROOT
from backoffice.local.console import Console
from backoffice.local.servers import ends_with_parent
from backoffice.local.services import Services


class RunError(Exception):
    """The product cannot run, or cannot go on; the text is a sentence for a person."""


@dataclass
class Stop:
    """The first signal interrupts. Another Ctrl-C, a second or more later, kills what is still stopping."""

    asked_at: float | None = None
    impatient: bool = False

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.asked_at is None:
            self.asked_at = time.monotonic()
            raise KeyboardInterrupt
        # make and uv hand on the signal that a terminal has sent to us too: it counts once.
        if number == signal.SIGINT and time.monotonic() - self.asked_at > 1:
            self.impatient = True


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    rest: bytes = b""

    def lines(self) -> Iterator[str]:
        """The whole lines that it has written since the last call."""
        *whole, self.rest = (self.rest + (self.output.read(65_536) or b"")).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")

    def end(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill_group(self) -> None:
        """Kills whatever is left of its process group, which it leads."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Children:
    """The programs that run, and what they print."""

    console: Console
    running: dict[str, _Child] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    files: list[_Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], settings: Mapping[str, str]) -> None:
        colour = {"FORCE_COLOR": "1"} if self.console.colourful else {}
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | settings | {"PYTHONUNBUFFERED": "1"} | colour,
            umask=0o077,
            start_new_session=True,  # a terminal's Ctrl-C is for us alone: we stop them in order
            preexec_fn=ends_with_parent(signal.SIGTERM),
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        child = self.running[name] = _Child(name, process, process.stdout)
        self.selector.register(child.output, selectors.EVENT_READ, child)

    def watch(self, services: Services) -> None:
        """Shows what the servers log from now on; `check` raises when one of them ends."""
        for name, server in services.servers.items():
            output = server.log.open("rb")
            output.seek(0, os.SEEK_END)
            self.files.append(_Child(name, server.process, output))

    def show_logs(self, timeout_seconds: float = 0.2) -> None:
        for key, _ in self.selector.select(timeout_seconds):
            child: _Child = key.data
            wrote = False
            for line in child.lines():
                wrote = True
                self.console.log(child.name, line)
            if not wrote and child.process.poll() is not None:
                self.selector.unregister(child.output)
        for file in self.files:
            for line in file.lines():
                self.console.log(file.name, line)
        if not self.selector.get_map():
            time.sleep(timeout_seconds)

    def check(self) -> None:
        """Raises RunError when one has ended by itself."""
        for child in (*self.running.values(), *self.files):
            code = child.process.poll()
            if code is not None:
                self.show_logs(0)
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                raise RunError(f"{child.name} stopped by itself ({how}), so everything is stopped.")

    def stop(self, names: Sequence[str], seconds: float, stop: Stop) -> None:
        """SIGTERM, then a wait for all of them; SIGKILL after `seconds`, or when Ctrl-C comes again."""
        children = [self.running[name] for name in names if name in self.running]
        for child in children:
            child.end(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while any(child.process.poll() is None for child in children):
            if stop.impatient or time.monotonic() > deadline:
                break
            self.show_logs()
        for child in children:
            child.kill_group()
            child.process.wait()
