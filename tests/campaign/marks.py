"""Finding the processes of the campaign, orphans too: each carries in its environment what it belongs to.

A fork keeps the environment that its program was started with, so a mark finds a program's whole family.
"""

import os
import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

RUN = "CAMPAIGN_RUN"
"""Of everything that one campaign starts."""
PROGRAM = "CAMPAIGN_PROGRAM"
"""Of one program from one start to its end, such as cluster-1.3.4711, the last being the campaign's own process."""


def pids(mark: str, value: str) -> list[int]:
    """The living processes with this mark, zombies left out, oldest first."""
    wanted = f"{mark}={value}".encode()
    return sorted(pid for pid in _all() if wanted in _environment(pid) and state(pid) != "Z")


def program_of(pid: int) -> str:
    """The program that a process belongs to; empty for a stranger."""
    prefix = f"{PROGRAM}=".encode()
    return next((word[len(prefix) :].decode() for word in _environment(pid) if word.startswith(prefix)), "")


def signal_all(targets: Iterable[int], number: signal.Signals) -> int:
    """Returns how many were there to be signalled."""
    there = 0
    for pid in targets:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
            there += 1
    return there


def state(pid: int) -> str:
    """The letter of proc(5), such as T for stopped and Z for a zombie; empty when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def parent(pid: int) -> int:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def caller(local_port: int, remote_port: int, candidates: Iterable[int]) -> int | None:
    """Whose socket on this machine has these two ends."""
    inode = _inode(local_port, remote_port)
    if inode is None:
        return None
    wanted = f"socket:[{inode}]"
    for pid in candidates:
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(entry.path) == wanted:
                        return pid
    return None


def _inode(local_port: int, remote_port: int) -> str | None:
    ends = re.compile(rf"^ *\d+: [0-9A-F]{{8}}:{local_port:04X} [0-9A-F]{{8}}:{remote_port:04X} ")
    for line in Path("/proc/net/tcp").read_text().splitlines():
        if ends.match(line):
            return line.split()[9]
    return None


def _all() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _environment(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []
