"""A standby of a server of ours: its copy, which follows it by its log, for the tests and the drills."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg

from backoffice.local.postgres import NAME, STANDBY, is_ready, password_file
from backoffice.local.servers import (
    Account,
    Server,
    ServiceError,
    on_a_free_port,
    run_program,
    start_server,
    stop_server,
)
from backoffice.local.services import Services

CATCHES_UP_WITHIN_SECONDS = 60


class Standby:
    """Its replay can be paused: then it answers, and grows older."""

    def __init__(self, server: subprocess.Popen[bytes], data: Path, port: int, password: str) -> None:
        self._server = server
        self.data = data
        self.port = port
        self._url = f"postgres://{STANDBY}:{password}@127.0.0.1:{port}/{NAME}"

    def url(self, primary: str) -> str:
        """A URL of the primary's as it is here."""
        parts = urlsplit(primary)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}").geturl()

    def pause(self) -> None:
        self._ask("SELECT pg_wal_replay_pause()")
        self._await("SELECT pg_get_wal_replay_pause_state() = 'paused'")

    def resume(self) -> None:
        self._ask("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """It is a primary from now on, with a log that leaves the other's here. Raises ServiceError."""
        postgres = shlex.split((self.data / "postmaster.opts").read_text())[0]
        command = [str(Path(postgres).with_name("pg_ctl")), "promote", "--pgdata", str(self.data)]
        answer = run_program(command, _owner(self.data), self.data)
        if answer.returncode != 0:
            raise ServiceError(f"PostgreSQL's pg_ctl failed: {answer.stdout}")

    def kill(self) -> None:
        """Its processes end with the first of them."""
        self._server.kill()
        self._server.wait()

    def catch_up(self, primary: str) -> None:
        """Wait until it has replayed all that the primary at this URL has committed by now.

        A commit that waited for no disk is on none yet, and is sent to no standby: one that waits takes it along.
        """
        with psycopg.connect(primary, autocommit=True, options="-c synchronous_commit=on") as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'catch_up', '')")
            (written,) = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone() or ("",)
        self._await(f"SELECT pg_last_wal_replay_lsn() >= '{written}'")

    def _await(self, question: str) -> None:
        deadline = time.monotonic() + CATCHES_UP_WITHIN_SECONDS
        while self._ask(question) is not True:
            if time.monotonic() > deadline:
                raise ServiceError(f"The standby does not come so far: {question}")
            time.sleep(0.02)

    def _ask(self, question: str) -> Any:
        with psycopg.connect(self._url, autocommit=True) as connection:
            (found,) = connection.execute(question.encode()).fetchone() or (None,)
            return found


def data_folder(services: Services) -> str:
    """Where the data of the server is that was started here; empty where the database is another's."""
    server = services.servers.get("postgres")
    return data_of(server) if server is not None else ""


def data_of(server: Server) -> str:
    """As `postgres_server` has started it."""
    _program, _flag, data, *_rest = cast(list[str], server.process.args)
    return data


def _owner(data: Path) -> Account | None:
    owner = data.stat()
    return Account("the server's", owner.st_uid, owner.st_gid) if os.geteuid() == 0 else None


@contextmanager
def standby_of(data: Path) -> Iterator[Standby]:
    """A standby of the server that runs on this data and was started by `postgres_server`. Raises ServiceError."""
    program, *arguments = shlex.split((data / "postmaster.opts").read_text())
    flags = arguments[arguments.index(str(data)) + 1 :]
    port = next(flag.partition("=")[2] for flag in flags if flag.startswith("port="))
    account = _owner(data)
    password = password_file(data, STANDBY).read_text()
    home = Path(tempfile.mkdtemp(prefix="standby-", dir=data.parent))
    try:
        if account is not None:
            os.chown(home, account.uid, account.gid)
        copy, log = home / "data", home / "log"
        source = f"host=127.0.0.1 port={port} user={STANDBY} password={password}"
        command = [
            *(str(Path(program).with_name("pg_basebackup")), "--dbname", source, "--pgdata", str(copy)),
            *("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"),
        ]
        answer = run_program(command, account, home)
        if answer.returncode != 0:
            raise ServiceError(f"PostgreSQL's pg_basebackup failed: {answer.stdout.replace(password, '***')}")

        def start(own_port: int, output: Any) -> Any:
            own = [flag if not flag.startswith("port=") else f"port={own_port}" for flag in flags]
            return start_server([program, "-D", str(copy), *own], account, home, output, signal.SIGINT)

        server, own_port = on_a_free_port("The standby", log, start, lambda server, _: is_ready(copy, server.pid))
        try:
            yield Standby(server, copy, own_port, password)
        finally:
            stop_server(server, signal.SIGINT, signal.SIGQUIT)
    finally:
        shutil.rmtree(home, ignore_errors=True)
