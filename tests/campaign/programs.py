"""The campaign's process manager: starts programs, and starts again what died, as a container platform would."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from backoffice.local.servers import Server, ends_with_parent
from tests.bench.stand import ROOT, BenchError
from tests.campaign import marks
from tests.campaign.plan import SETTINGS

TICK_SECONDS: Final = 0.05
RESTART_PAUSE_SECONDS: Final = 0.3
STOP_SECONDS: Final = 30
WORKERS: Final = int(SETTINGS["Q_WORKERS"]) + 1  # one of them for files


class Program:
    """Something that runs until it is told to stop, each time under a mark of its own."""

    def __init__(self, name: str, start: Callable[[dict[str, str]], "subprocess.Popen[Any]"]) -> None:
        self.name = name
        self.starts = 0
        self.process: subprocess.Popen[Any] | None = None
        self._start = start
        self._died_at: float | None = None

    @property
    def mark(self) -> str:
        """No other campaign on this machine has it, or they would end each other's programs."""
        return f"{self.name}.{self.starts}.{os.getpid()}"

    @property
    def pid(self) -> int:
        """0 when it is not running."""
        return self.process.pid if self.process and self.process.poll() is None else 0

    @property
    def family(self) -> list[int]:
        return marks.pids(marks.PROGRAM, self.mark)

    def adopt(self, process: "subprocess.Popen[Any]") -> None:
        self.process = process

    def start(self) -> None:
        self.starts += 1
        self._died_at = None
        self.process = self._start({marks.PROGRAM: self.mark})

    def keep(self, reap: Callable[[], bool]) -> None:
        """Start it again when it died; where a container ends with its first process, its family ends before."""
        if self.pid:
            return
        now = time.monotonic()
        if self._died_at is None:
            self._died_at = now
        if reap():
            marks.signal_all(self.family, signal.SIGKILL)
        if now - self._died_at >= RESTART_PAUSE_SECONDS:
            self.start()


class Keeper:
    """Everything that the campaign runs. Used by the main thread: what a thread starts would end with that thread."""

    def __init__(self, folder: Path, run: str, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.run = run
        self.settings = dict(settings)
        self.programs: dict[str, Program] = {}
        self.reaps_orphans = True
        self._accounts: dict[int, tuple[dict[str, Any], str]] = {}
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "tests.campaign.reaper", run, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def add(self, name: str, *command: str, **settings: str) -> Program:
        """Start a Python program, which is kept running from now on."""
        return self._add(name, [sys.executable, *command], settings)

    def add_of_product(self, name: str, *command: str, **settings: str) -> Program:
        """The same with the Python that CAMPAIGN_PYTHON says, as that of an image (tests/image), or with ours."""
        python = shlex.split(os.environ.get("CAMPAIGN_PYTHON", "")) or [sys.executable]
        return self._add(name, [*python, *command], settings)

    def _add(self, name: str, command: Sequence[str], settings: Mapping[str, str]) -> Program:
        def start(mark: dict[str, str]) -> "subprocess.Popen[Any]":
            with (self.folder / f"{name}.log").open("ab") as log:
                return subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=os.environ | self.settings | settings | mark | {marks.RUN: self.run, "PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if name == "provider" else log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=ends_with_parent(signal.SIGKILL),
                )

        program = self.programs[name] = Program(name, start)
        program.start()
        return program

    def keep_service(self, name: str, server: Server) -> Program:
        """Keep a service that was started elsewhere; it starts again with the same port, data and password."""
        program = self.programs[name] = Program(name, lambda mark: self._start_again(server, mark))
        program.adopt(server.process)
        self._accounts[server.process.pid] = _user_and_folder(server.process.pid)
        return program

    def _start_again(self, server: Server, mark: dict[str, str]) -> "subprocess.Popen[Any]":
        account, folder = self._accounts[server.process.pid]
        with server.log.open("ab") as log:
            process = subprocess.Popen(
                server.process.args,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", marks.RUN: self.run, **mark},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                umask=0o077,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGQUIT),
                **account,
            )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(_redis_configuration(server.url))
        return process

    def until(self, holds: Callable[[], object], seconds: float) -> bool:
        """Keep everything running until that holds; False when it does not in this time."""
        give_up = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > give_up:
                return False
            self.tick()
            time.sleep(TICK_SECONDS)
        return True

    def tick(self) -> None:
        if self._reaper.poll() is not None:
            raise BenchError("The campaign's reaper ended before the campaign.")
        for program in self.programs.values():
            program.keep(lambda: self.reaps_orphans)

    def stop(self, *names: str) -> dict[str, int]:
        """Ask these to end; returns their exit codes. Stopped processes are woken, as they take no SIGTERM."""
        ending = [self.programs.pop(name) for name in names]
        for program in ending:
            marks.signal_all(program.family, signal.SIGCONT)
            marks.signal_all([program.pid] if program.pid else [], signal.SIGTERM)
        codes = {}
        for program in ending:
            assert program.process is not None
            with suppress(subprocess.TimeoutExpired):
                codes[program.name] = program.process.wait(STOP_SECONDS)
            marks.signal_all(program.family, signal.SIGKILL)
        return codes

    def kill(self) -> None:
        """End everything at once, orphans too."""
        for program in self.programs.values():
            if program.process is not None:
                program.process.kill()
                program.process.wait()
        marks.signal_all(marks.pids(marks.RUN, self.run), signal.SIGKILL)

    def close(self) -> None:
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()


def _user_and_folder(pid: int) -> tuple[dict[str, Any], str]:
    """Whom a server runs as, and where."""
    owner = os.stat(f"/proc/{pid}")
    account = (
        {} if owner.st_uid == os.geteuid() else {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    )
    return account, os.readlink(f"/proc/{pid}/cwd")


def _redis_configuration(url: str) -> bytes:
    """What Redis reads from its standard input; PostgreSQL does not read there."""
    parts = urlsplit(url)
    return (
        f"bind 127.0.0.1\nport {parts.port}\nrequirepass {parts.password}\nloglevel warning\n"
        'save ""\nappendonly no\nmaxmemory 64mb\nmaxmemory-policy allkeys-lru\n'
    ).encode()


def members(program: Program) -> dict[str, list[int]]:
    """The processes of a cluster or of the web server by what they are; empty while it is being started."""
    pid = program.pid
    if not pid:
        return {}
    family = program.family
    if program.name == "web":
        return {"web_parent": [pid], "web_worker": _children(pid, family)}
    found: dict[str, list[int]] = {"supervisor": [pid]}
    if main := _children(pid, family):
        found["supervisors_child"] = main[:1]
        if sentinel := _children(main[0], family):
            found["sentinel"] = sentinel[:1]
            # q2's order of birth: the workers, the monitor, the pusher.
            born = _children(sentinel[0], family)
            if len(born) == WORKERS + 2:
                found |= {"worker": born[:WORKERS], "monitor": born[-2:-1], "pusher": born[-1:]}
    return found


def _children(pid: int, family: Sequence[int]) -> list[int]:
    return [each for each in family if marks.parent(each) == pid]
